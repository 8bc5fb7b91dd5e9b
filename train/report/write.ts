/**
 * Writes the report of a run into its folder: the model card, and the plots as SVG.
 *
 * @module
 */
import { join } from "node:path";
import { readOnnx } from "../../shared/onnx/read.ts";
import type { Dataset } from "../dataset/mod.ts";
import { replaceFile } from "../files/replace_file.ts";
import { confusionMatrix } from "./confusion_matrix.ts";
import { dataFacts } from "../../shared/data_facts.ts";
import { EXAMPLES_FILE } from "../../shared/examples.ts";
import { drawnExamples, formatExamples, isForDrawings, testExamples, type TestPictures } from "./examples.ts";
import { familiarityCurve } from "./familiarity_curve.ts";
import { firstLayer, firstWeights } from "./first_weights.ts";
import { gallery } from "./gallery.ts";
import { learningCurves } from "./learning_curves.ts";
import { galleryImages } from "./images.ts";
import { readMetrics, type RunMetrics } from "../artifact/metrics.ts";
import { type CardPictures, modelCard } from "./model_card.ts";
import { drawPicture, type Picture } from "./picture.ts";
import { reliabilityDiagram } from "./reliability_diagram.ts";

/** Inputs of a report. */
export interface ReportSource {
  run: RunMetrics;
  /** The ONNX file, for the first layer's weights; absent if it is not available. */
  model?: Uint8Array<ArrayBuffer>;
  /** The test images, for the gallery of mistakes and for examples; absent if they are not available. */
  images?: TestPictures;
  /** How many test images become example pictures, which the page of the server shows to everybody; 0 if absent. */
  examples?: number;
}

export interface ReportPlaces {
  /** The run's folder. */
  folder: string;
  /** Folder for plots that show images which must not be distributed; git ignores it. */
  private: string;
}

/**
 * Writes the report.
 *
 * @returns the paths of the files
 * @throws {SyntaxError} if the model is no ONNX file
 * @throws {Error} if a file cannot be written
 */
export async function writeReport(
  { run, model, images, examples = 0 }: ReportSource,
  places: ReportPlaces,
): Promise<string[]> {
  const { folder } = places;
  const layer = model && firstLayer(readOnnx(model));
  const pictures: [keyof CardPictures, string, Picture | undefined][] = [
    ["curves", "learning_curves.svg", learningCurves(run)],
    ["confusion", "confusion_matrix.svg", confusionMatrix(run)],
    ["reliability", "reliability.svg", reliabilityDiagram(run)],
    ["familiarity", "familiarity.svg", familiarityCurve(run)],
    ["weights", "first_weights.svg", layer && firstWeights(run.name, layer)],
    ["mistakes", "mistakes.svg", images && gallery(run, images)],
  ];
  const mayBeShown = dataFacts(run.provenance.dataset.name).mayBeShown;
  const shown: CardPictures = {};
  const files: string[] = [];
  for (const [what, name, picture] of pictures) {
    if (!picture) continue;
    const elsewhere = what === "mistakes" && !mayBeShown;
    files.push(await write(elsewhere ? places.private : folder, name, await drawPicture(picture)));
    if (!elsewhere) shown[what] = name;
  }
  files.push(await write(folder, "MODEL_CARD.md", modelCard(run, shown)));
  const shownExamples = examples > 0 && images
    ? testExamples(run, images, examples)
    : model && isForDrawings(run)
    ? await drawnExamples(run, model)
    : undefined;
  if (shownExamples) files.push(await write(folder, EXAMPLES_FILE, formatExamples(shownExamples)));
  return files;
}

/**
 * Writes the report of a run from the files in its folder.
 *
 * @param examples how many test images become example pictures
 * @returns the paths of the files
 */
export async function writeRunReport(
  folder: string,
  privateFolder: string,
  dataset: Dataset,
  examples = 0,
): Promise<string[]> {
  const run = await readMetrics(folder);
  const model = await Deno.readFile(join(folder, "model.onnx"));
  return await writeReport({ run, model, images: galleryImages(dataset), examples }, {
    folder,
    private: privateFolder,
  });
}

async function write(folder: string, name: string, text: string): Promise<string> {
  const file = join(folder, name);
  await replaceFile(file, text);
  return file;
}
