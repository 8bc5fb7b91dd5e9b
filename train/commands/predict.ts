/** `deno task predict`: classifies pictures. */
import { join } from "node:path";
import { shortSideFor } from "../../shared/decode/limits.ts";
import { decodePicture } from "../../shared/decode/picture.ts";
import { InputError } from "../../shared/errors.ts";
import { percent } from "../../shared/format.ts";
import { fitImage } from "../../shared/image.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { readModel, SHIPPED_MODEL } from "../../shared/models.ts";
import { note, print, runCommand } from "../cli/command.ts";
import { type Command, flag, number, text } from "../cli/options.ts";
import { MAX_PIXELS } from "../dataset/mod.ts";

const command = {
  name: "deno task predict",
  summary: "Classify PNG, JPEG and WebP files.",
  operands: "FILE|DIR…",
  options: {
    model: text(
      "NAME|FILE",
      "The model: a name, a folder or an ONNX file",
      "the model that ships with the project",
    ),
    "top-k": number("Number of classes to show", { min: 1, max: 1000, whole: true, fallback: "3" }),
    json: flag("Print the results as JSON, one line per file"),
  },
  notes: "For a folder, all pictures directly in it are classified, not those in subfolders.\n" +
    "Images can have any size: they are cropped, scaled and centred and, for models of grey images, converted to grey\n" +
    "and, on a light background, inverted, as the images of Fashion-MNIST were.",
} satisfies Command;

await runCommand(command, async (values, operands, signal) => {
  if (operands.length === 0) {
    throw new InputError("usage", "Cannot predict as no picture is given: name at least one FILE or DIR", {
      hint: `Try "${command.name} --help"`,
    });
  }
  const files = (await Promise.all(operands.map(picturesIn))).flat();
  const classifier = await Classifier.load((await readModel(values.model ?? SHIPPED_MODEL)).bytes);
  const { name, version, input, preprocessing } = classifier.description;
  let failed = 0;
  for (const file of files) {
    signal.throwIfAborted();
    try {
      const limits = { maxPixels: MAX_PIXELS, shortSide: shortSideFor(input) };
      const image = await decodePicture(await readPicture(file), limits);
      const { probabilities } = await classifier.run(
        fitImage(image, { ...input, ...(preprocessing && { preprocessing }) }),
      );
      const [top] = classifier.top(probabilities, values["top-k"] ?? 3);
      print(
        values.json
          ? JSON.stringify({ file, model: { name, version }, top })
          : `${file}: ${top!.map(({ label, score }) => `${label} ${percent(score)}`).join(", ")}`,
      );
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      failed++;
      note(`error: Cannot classify "${file}": ${error.message}`);
    }
  }
  await classifier.close();
  if (failed > 0) {
    throw new InputError("invalid-format", `Cannot classify ${failed} of ${files.length} files`);
  }
});

/** The file itself, or the pictures in a folder, by name. */
async function picturesIn(path: string): Promise<string[]> {
  if (!await Deno.stat(path).then(({ isDirectory }) => isDirectory, () => false)) return [path];
  const entries = await Array.fromAsync(Deno.readDir(path));
  const pictures = entries.map(({ name }) => name).filter((name) => /^[^.].*\.(png|jpe?g|webp)$/i.test(name));
  if (pictures.length === 0) {
    throw new InputError(
      "not-found",
      `Cannot classify the folder "${path}" as it has no PNG, JPEG or WebP file`,
    );
  }
  return pictures.sort().map((name) => join(path, name));
}

async function readPicture(file: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await Deno.readFile(file);
  } catch (cause) {
    const isMissing = cause instanceof Deno.errors.NotFound;
    throw new InputError("not-found", isMissing ? "there is no such file" : (cause as Error).message, {
      cause,
    });
  }
}
