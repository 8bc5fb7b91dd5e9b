/**
 * The built-in data set, as one to train on: garments drawn by code, with the labels of Fashion-MNIST.
 *
 * @module
 */
import { InputError } from "../../shared/errors.ts";
import { SILHOUETTE_SIZE, type Silhouettes, silhouettes } from "../../shared/silhouettes/silhouettes.ts";
import { digestSplits } from "./digest.ts";
import { FASHION_MNIST_LABELS } from "./fashion_mnist.ts";
import type { Dataset, DatasetOptions, Split } from "./types.ts";

/**
 * Draws the built-in data set, which takes about a second.
 *
 * @throws {InputError} if a directory is given, as there is nothing to read
 */
// deno-lint-ignore require-await
export async function loadSilhouettes(options: DatasetOptions = {}): Promise<Dataset> {
  if (options.data !== undefined) {
    throw new InputError(
      "invalid-format",
      `Cannot load the silhouettes from a directory as they are drawn by code: current --data is "${options.data}"`,
    );
  }
  options.signal?.throwIfAborted();
  const drawn = silhouettes();
  const [train, test] = [split(drawn.train), split(drawn.test)];
  return {
    name: "silhouettes",
    labels: FASHION_MNIST_LABELS,
    channels: 1,
    height: SILHOUETTE_SIZE,
    width: SILHOUETTE_SIZE,
    train,
    test,
    sha256: digestSplits(train, test),
    source: "drawn by code",
  };
}

function split({ images, labels }: Silhouettes): Split {
  return { images, labels, count: labels.length };
}
