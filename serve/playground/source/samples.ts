/**
 * Garments drawn by code.
 *
 * @module
 */
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { drawSilhouette, SILHOUETTE_SIZE } from "../../../shared/silhouettes/silhouettes.ts";
import type { Image } from "../../../shared/image.ts";
import { SAMPLES } from "./sample_labels.ts";
import { toCanvas } from "./stage.ts";

/** Draws one. Without a seed it is one that nobody has looked at. */
function sample(classIndex: number, seed?: number): Image {
  const data = drawSilhouette(classIndex, seed ?? Math.floor(Math.random() * 2 ** 32));
  return { width: SILHOUETTE_SIZE, height: SILHOUETTE_SIZE, channels: 1, data };
}

/** What is on the page at first: the coat, about which the model has its doubts. */
export function firstSample(): Image {
  return sample(4, SAMPLES[4]![1]);
}

/**
 * Fills a list with buttons.
 *
 * @param isChosen whether they are those that the model knows, or any
 */
export function listSamples(list: HTMLElement, isChosen: boolean, pick: (image: Image) => void): void {
  list.replaceChildren(...SAMPLES.map(([label, seed], i) => {
    const image = sample(i, isChosen ? seed : undefined);
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
