/**
 * Garments drawn by code, for models that know Fashion-MNIST's labels.
 *
 * @module
 */
import { drawSilhouette, SILHOUETTE_SIZE } from "../../../fixtures/silhouettes.ts";
import type { Image } from "../../../shared/image.ts";
import { toCanvas } from "./stage.ts";

/** A sample's label, and the seed of a drawing that the shipped model knows. */
const SAMPLES: readonly (readonly [label: string, seed: number])[] = [
  ["T-shirt/top", 2],
  ["Trouser", 19],
  ["Pullover", 12],
  ["Dress", 6],
  ["Coat", 19],
  ["Sandal", 2],
  ["Shirt", 13],
  ["Sneaker", 33],
  ["Bag", 6],
  ["Ankle boot", 37],
];

/** Whether a model can be shown them. */
export function fits(labels: readonly string[]): boolean {
  return labels.length === SAMPLES.length && SAMPLES.every(([label], i) => labels[i] === label);
}

/** Draws one. Without a seed it is one that nobody has looked at. */
export function sample(classIndex: number, seed?: number): Image {
  const data = drawSilhouette(classIndex, seed ?? Math.floor(Math.random() * 2 ** 32));
  return { width: SILHOUETTE_SIZE, height: SILHOUETTE_SIZE, channels: 1, data };
}

/**
 * Fills a list with buttons.
 *
 * @param seeded whether they are the chosen ones
 */
export function listSamples(list: HTMLElement, seeded: boolean, pick: (image: Image) => void): void {
  list.replaceChildren(...SAMPLES.map(([label, seed], i) => {
    const image = sample(i, seeded ? seed : undefined);
    const picture = toCanvas(image);
    picture.setAttribute("aria-hidden", "true");
    const button = document.createElement("button");
    Object.assign(button, { type: "button", title: label });
    button.setAttribute("aria-label", label);
    button.append(picture);
    button.addEventListener("click", () => pick(image));
    const item = document.createElement("li");
    item.append(button);
    return item;
  }));
}
