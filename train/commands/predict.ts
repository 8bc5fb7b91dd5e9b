/** `deno task predict`: classifies pictures. */
import { shortSideFor } from "../../shared/decode/limits.ts";
import { decodePicture } from "../../shared/decode/picture.ts";
import { fitImage } from "../../shared/image.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import {
  type Command,
  flag,
  note,
  number,
  type Option,
  percent,
  print,
  runCommand,
  text,
  UsageError,
} from "../cli/command.ts";
import { DEFAULT_MODEL, readModel } from "../cli/model_file.ts";

/** A photograph of a modern telephone has about 50 million pixels. */
const MAX_PIXELS = 64_000_000;

const command = {
  name: "deno task predict",
  summary: "Classifies PNG, JPEG and WebP files.",
  operands: "FILE…",
  options: {
    model: text("FILE", "The ONNX file", "shared/artifacts/fashion-mnist/model.onnx"),
    "top-k": number("How many classes to show", { min: 1, max: 1000, whole: true, fallback: "3" }),
    json: flag("Prints the results as JSON, one line per file"),
  },
  notes:
    "Images of any size: they are trimmed and centred and, for models of grey images, made grey and, on light\n" +
    "ground, inverted, as the pictures of Fashion-MNIST were.",
} satisfies Command<Record<string, Option<unknown>>>;

await runCommand(command, async (values, files) => {
  if (files.length === 0) {
    throw new UsageError('Option FILE is missing: name at least one picture. Try "--help"');
  }
  const classifier = await Classifier.load(await readModel(values.model ?? DEFAULT_MODEL));
  const { name, version, input, preprocessing } = classifier.description;
  let failed = 0;
  for (const file of files) {
    try {
      const limits = { maxPixels: MAX_PIXELS, shortSide: shortSideFor(input) };
      const image = await decodePicture(await Deno.readFile(file), limits);
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
      failed++;
      const why = error instanceof Deno.errors.NotFound ? "there is no such file" : (error as Error).message;
      note(`error: Cannot classify "${file}": ${why}`);
    }
  }
  await classifier.close();
  if (failed > 0) throw new Error(`Cannot classify ${failed} of ${files.length} files`);
});
