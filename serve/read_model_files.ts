/**
 * Reads the files beside a model from a disk.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { EXAMPLES_FILE, parseExamples } from "../shared/examples.ts";
import { type ModelFiles, PLOTS } from "./model_files.ts";

/** Larger plots, of hundreds of classes, are left out. */
const MAX_PLOT_BYTES = 1_000_000;

/**
 * Reads them; files that are missing are left out.
 *
 * @param model path of an ONNX file; only a file called `model.onnx` has a folder of its own
 * @throws {InputError} if `examples.json` is malformed
 */
export async function readModelFiles(model: string): Promise<ModelFiles> {
  if (basename(model) !== "model.onnx") return {};
  const read = (name: string): Promise<string | undefined> =>
    readFile(join(dirname(model), name), "utf8").catch(() => undefined);
  const card = await read("MODEL_CARD.md");
  const examples = await read(EXAMPLES_FILE);
  if (examples !== undefined) parseExamples(examples);
  const plots: Record<string, string> = {};
  for (const name of PLOTS) {
    const plot = await read(name);
    if (plot !== undefined && plot.length <= MAX_PLOT_BYTES) plots[name] = plot;
  }
  return { ...(card !== undefined && { card }), plots, ...(examples !== undefined && { examples }) };
}
