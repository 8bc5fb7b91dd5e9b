/**
 * The example pictures of the model.
 *
 * @module
 */
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import type { Example, Examples } from "../../../shared/examples.ts";
import type { Image } from "../../../shared/image.ts";
import { EXAMPLES_PATH } from "../names.ts";
import { decode } from "./decode.ts";
import { nameOfExample } from "./example_name.ts";
import { send } from "./server.ts";
import { type Shown, toCanvas } from "./stage.ts";

/**
 * Fills the buttons of the list, which the page has already.
 *
 * @returns the first
 */
export async function listExamples(
  list: HTMLElement,
  pick: (shown: Shown) => void,
): Promise<Shown | undefined> {
  const { images }: Examples = await (await send(EXAMPLES_PATH, {})).json();
  const shown = await Promise.all(images.map(load));
  for (const [i, button] of [...list.querySelectorAll("button")].entries()) {
    const picture = toCanvas(shown[i]!.image);
    picture.setAttribute("aria-hidden", "true");
    button.append(picture);
    button.addEventListener("click", () => pick(shown[i]!));
  }
  return shown[0];
}

async function load(example: Example, index: number): Promise<Shown & { image: Image }> {
  const bytes = Uint8Array.from(atob(example.data), (letter) => letter.charCodeAt(0));
  const file = nameOfExample(example, index);
  const blob = new Blob([bytes], { type: example.type });
  return { image: await decode(blob), file: { ...file, blob }, label: example.label };
}
