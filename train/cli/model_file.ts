/** Finding and reading model files, for the commands that take `--model`. */

/** The model that ships with the project. */
export const DEFAULT_MODEL =
  new URL("../../shared/artifacts/fashion-mnist/model.onnx", import.meta.url).pathname;

/** @throws {Error} that names the file and says how to get one */
export async function readModel(file: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await Deno.readFile(file);
  } catch (cause) {
    const why = cause instanceof Deno.errors.NotFound ? "there is no such file" : (cause as Error).message;
    throw new Error(
      `Cannot read model "${file}" as ${why}. Make one with deno task train, or name another with --model`,
      { cause },
    );
  }
}
