/**
 * Which models can be shown the samples: those that know Fashion-MNIST's labels. The server leaves the samples
 * out of the page for others.
 *
 * @module
 */

/** A sample's label, and the seed of a drawing that the shipped model knows. */
export const SAMPLES: readonly (readonly [label: string, seed: number])[] = [
  ["T-shirt/top", 9],
  ["Trouser", 19],
  ["Pullover", 385],
  ["Dress", 6],
  ["Coat", 16],
  ["Sandal", 2],
  ["Shirt", 13],
  ["Sneaker", 33],
  ["Bag", 6],
  ["Ankle boot", 12],
];

/** Whether a model can be shown them. */
export function fits(labels: readonly string[]): boolean {
  return labels.length === SAMPLES.length && SAMPLES.every(([label], i) => labels[i] === label);
}
