/**
 * Checks that the arrays of a data set fit together, as a wrong size or class would otherwise train a wrong model.
 *
 * @module
 */
import { InputError } from "../../shared/errors.ts";
import type { Dataset, Split } from "./types.ts";

/**
 * Checks a data set.
 *
 * @throws {InputError} `invalid-shape` if the images are not as many bytes as count and size say, or there is not one
 * label per image; `invalid-value` if a size is not a positive integer, there are fewer than 2 classes, a label is not
 * one of them, a split is empty, or no images are left beside the validation images
 */
export function checkDataset(dataset: Dataset): void {
  const { channels, height, width, labels, train, test, validation } = dataset;
  for (const [name, value] of Object.entries({ channels, height, width })) {
    check(Number.isInteger(value) && value >= 1, `its ${name} must be a positive integer`, value);
  }
  check(labels.length >= 2, "it must have at least 2 classes", labels.length);
  checkSplit("training", train, dataset);
  checkSplit("test", test, dataset);
  if (validation !== undefined) {
    const fewer = validation < train.count;
    check(fewer, `its validation images must be fewer than its ${train.count} training images`, validation);
  }
}

function checkSplit(name: string, { images, labels, count }: Split, dataset: Dataset): void {
  check(count > 0, `it must have ${name} images`, count);
  const size = [count, dataset.channels, dataset.height, dataset.width];
  const bytes = size.reduce((product, n) => product * n);
  check(
    images.length === bytes,
    `its ${name} images must be ${size.join(" × ")} bytes`,
    images.length,
    "invalid-shape",
  );
  check(labels.length === count, `its ${name} labels must be ${count}`, labels.length, "invalid-shape");
  const classes = dataset.labels.length;
  const outside = labels.find((label) => label >= classes);
  check(outside === undefined, `its ${name} labels must be below ${classes}, the number of classes`, outside);
}

function check(
  condition: boolean,
  expectation: string,
  value: unknown,
  code: "invalid-shape" | "invalid-value" = "invalid-value",
): void {
  if (condition) return;
  throw new InputError(code, `Cannot use the data set as ${expectation}: current value is ${value}`);
}
