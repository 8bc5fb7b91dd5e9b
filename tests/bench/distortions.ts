/**
 * `deno task bench distortions`: the accuracy on pictures that are not perfect, for both versions of the preprocessing.
 *
 * @module
 */
import { EARLIER_PREPROCESSINGS, fitImage, type Image, PREPROCESSINGS } from "../../shared/image.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { readModel, SHIPPED_MODEL } from "../../shared/models.ts";
import { Random } from "../../shared/random.ts";
import { argMax } from "../../shared/softmax.ts";
import { print } from "../../train/cli/command.ts";
import { loadFashionMnist } from "../../train/dataset/fashion_mnist.ts";
import { distort, DISTORTIONS } from "../helpers/distort.ts";

const IMAGES = 1000;
/** Of pictures with more than a million pixels, which take seconds to draw. */
const LARGE_IMAGES = 100;
const SIDE = 28;
const VERSIONS = [EARLIER_PREPROCESSINGS, PREPROCESSINGS] as const;
const ROUNDS = 9;

/** Prints a row for each distortion. */
export async function benchDistortions(signal: AbortSignal): Promise<void> {
  const { test: { images, labels } } = await loadFashionMnist();
  const classifier = await Classifier.load((await readModel(SHIPPED_MODEL)).bytes);
  print(
    `\nAccuracy on the first ${IMAGES} test images as photos (${LARGE_IMAGES} above 1000 px), %: version 1, version 2`,
  );
  for (const [name, distortion] of DISTORTIONS) {
    const count = (distortion.side ?? 0) > 1000 ? LARGE_IMAGES : IMAGES;
    const random = new Random(1);
    const right = VERSIONS.map(() => 0);
    for (let i = 0; i < count; i++) {
      signal.throwIfAborted();
      const garment = images.subarray(i * SIDE * SIDE, (i + 1) * SIDE * SIDE);
      const image = await distort(garment, distortion, random);
      for (const [v, names] of VERSIONS.entries()) {
        const pixels = fitImage(image, { width: SIDE, height: SIDE, preprocessing: names[1] });
        const { probabilities } = await classifier.run(pixels);
        if (argMax(probabilities) === labels[i]) right[v]!++;
      }
    }
    print(`  ${name.padEnd(44)} ${right.map((n) => (100 * n / count).toFixed(1).padStart(6)).join("  ")}`);
  }
  await classifier.close();
  print("\nFitting a picture of 2 megapixels, ms (median): version 1, version 2");
  const garment = images.subarray(0, SIDE * SIDE);
  const { data } = await distort(garment, { side: 1414, gradient: 0.2, noise: 4 }, new Random(1));
  const grey: Image = { width: 1414, height: 1414, channels: 1, data };
  const rgb: Image = {
    ...grey,
    channels: 3,
    data: Uint8Array.from({ length: 3 * data.length }, (_, i) => data[i / 3 | 0]!),
  };
  for (
    const [name, image, channels] of [["grey to grey", grey, 1], ["RGB to grey", rgb, 1], [
      "RGB to RGB",
      rgb,
      3,
    ]] as const
  ) {
    const ms = VERSIONS.map((names) =>
      median(() => fitImage(image, { width: SIDE, height: SIDE, channels, preprocessing: names[channels] }))
    );
    print(`  ${name.padEnd(44)} ${ms.map((one) => one.toFixed(1).padStart(6)).join("  ")}`);
  }
}

function median(run: () => void): number {
  const times = Array.from({ length: ROUNDS }, () => {
    const start = performance.now();
    run();
    return performance.now() - start;
  });
  return times.sort((a, b) => a - b)[ROUNDS >> 1]!;
}
