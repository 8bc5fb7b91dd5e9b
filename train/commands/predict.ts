/** `deno task predict`: classifies pictures. */
import { shortSideFor } from "../../shared/decode/limits.ts";
import { decodePicture } from "../../shared/decode/picture.ts";
import { InputError } from "../../shared/errors.ts";
import { fitImage } from "../../shared/image.ts";
import type { Classifier } from "../../shared/inference/classifier.ts";
import { readModel, SHIPPED_MODEL } from "../../shared/models.ts";
import { note, print, runCommand } from "../cli/command.ts";
import { type Command, flag, number, text } from "../cli/options.ts";
import { findPictures, type NamedPicture } from "../cli/pictures.ts";
import { csvWriter, jsonWriter, type Prediction, tableWriter } from "../cli/predictions.ts";
import { clearProgress, showProgress } from "../cli/progress.ts";
import { terminalWidth } from "../cli/table.ts";
import { MAX_PIXELS } from "../dataset/mod.ts";

const command = {
  name: "deno task predict",
  summary: "Classify PNG, JPEG and WebP files, or the pictures of a folder.",
  operands: "FILE|DIR…",
  options: {
    model: text(
      "NAME|FILE",
      "The model: a name, a folder or an ONNX file",
      "the model that ships with the project",
    ),
    "top-k": number("Number of classes to show", { min: 1, max: 1000, whole: true, fallback: "3" }),
    json: flag("Print the results as JSON, one line per file"),
    csv: flag("Print the results as comma-separated values"),
  },
  notes:
    "A folder is searched with its sub-folders. Pictures in a folder that is called as a class are expected to be\n" +
    "of that class, and the accuracy is printed.\n" +
    "Images can have any size: they are cropped, scaled and centred and, for models of grey images, converted to grey\n" +
    "and, on a light background, inverted, as the images of Fashion-MNIST were.",
} satisfies Command;

await runCommand(command, async (values, operands, signal) => {
  if (operands.length === 0) {
    throw new InputError("usage", "Cannot predict as no picture is given: name at least one FILE or DIR", {
      hint: `Try "${command.name} --help"`,
    });
  }
  if (values.json && values.csv) {
    throw new InputError("usage", "Option --json must be given without --csv");
  }
  // It takes half a second, which `--help` would wait for.
  const { Classifier } = await import("../../shared/inference/classifier.ts");
  const classifier = await Classifier.load((await readModel(values.model ?? SHIPPED_MODEL)).bytes);
  const { name, version, labels, familiarity } = classifier.description;
  const pictures = await findPictures(operands, labels);
  const topK = values["top-k"] ?? 3;
  const writer = (values.json ? jsonWriter : values.csv ? csvWriter : tableWriter)({
    model: { name, version },
    labels,
    pictures,
    topK,
    hasFamiliarity: familiarity !== undefined,
    width: terminalWidth(),
  });
  const predictions: Prediction[] = [];
  for (const [i, picture] of pictures.entries()) {
    signal.throwIfAborted();
    // On a terminal, the results themselves are the progress.
    if (!Deno.stdout.isTerminal()) showProgress("classifying", i / pictures.length);
    try {
      const prediction = await predict(classifier, picture, topK);
      if (predictions.length === 0) { for (const line of writer.head()) print(line); }
      print(writer.line(prediction));
      predictions.push(prediction);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      clearProgress();
      note(`error: Cannot classify "${picture.file}": ${error.message}`);
    }
  }
  clearProgress();
  for (const line of writer.foot(predictions)) print(line);
  await classifier.close();
  const failed = pictures.length - predictions.length;
  if (failed > 0) {
    throw new InputError("invalid-format", `Cannot classify ${failed} of ${pictures.length} files`);
  }
});

/**
 * Decodes, fits and classifies a picture.
 *
 * @throws {InputError} if it cannot be read or decoded
 */
async function predict(classifier: Classifier, picture: NamedPicture, topK: number): Promise<Prediction> {
  const { input, preprocessing } = classifier.description;
  const limits = { maxPixels: MAX_PIXELS, shortSide: shortSideFor(input) };
  const image = await decodePicture(await readPicture(picture.file), limits);
  const scores = await classifier.run(fitImage(image, { ...input, ...(preprocessing && { preprocessing }) }));
  const familiarity = classifier.familiarityOf(scores, 0);
  const [top] = classifier.top(scores.probabilities, topK);
  return { ...picture, top: top!, ...(familiarity && { familiarity }) };
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
