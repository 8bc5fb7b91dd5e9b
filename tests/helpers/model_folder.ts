/**
 * Folders of models for the tests of servers that have several.
 *
 * @module
 */
import { readOnnx } from "../../shared/onnx/read.ts";
import { writeOnnx } from "../../shared/onnx/write.ts";
import { tinyModel } from "./tiny_model.ts";

/** The labels of {@linkcode tinyModel}. */
export const LABELS = ["left", "middle", "<right>"];

/** An image of which `tinyModel()` says "left". */
export const LEFT: Uint8Array<ArrayBuffer> = Uint8Array.of(255, 0, 0, 255, 0, 0);

/** The tiny model with its labels moved: of an image of the left column it says `LABELS[shift]`. */
export function shiftedModel(shift: number): Uint8Array<ArrayBuffer> {
  const model = readOnnx(tinyModel());
  const [weight] = model.initializers;
  const size = 6;
  const rows = [0, 1, 2].map((row) => weight!.data.slice(row * size, (row + 1) * size));
  for (const [row, values] of rows.entries()) weight!.data.set(values, (row + shift) % 3 * size);
  return writeOnnx(model);
}

/** Writes a model's file in place of another, as training does: next to it, then renamed. */
export async function putModel(folder: string, bytes: Uint8Array): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  const partial = `${folder}/${crypto.randomUUID()}.partial`;
  await Deno.writeFile(partial, bytes);
  await Deno.rename(partial, `${folder}/model.onnx`);
}
