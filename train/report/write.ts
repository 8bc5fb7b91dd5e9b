/**
 * Writes all that people look at into a run's folder: the model card, and the pictures as SVG.
 *
 * @module
 */
import { readOnnx } from "../../shared/onnx/read.ts";
import type { Dataset } from "../dataset/mod.ts";
import { replaceFile } from "../files/replace_file.ts";
import { confusionMatrix } from "./confusion_matrix.ts";
import { dataFacts } from "./data_facts.ts";
import { firstLayer, firstWeights } from "./first_weights.ts";
import { gallery, type GalleryImages } from "./gallery.ts";
import { learningCurves } from "./learning_curves.ts";
import { galleryImages } from "./images.ts";
import { readMetrics, type RunMetrics } from "./metrics.ts";
import { type CardPictures, modelCard } from "./model_card.ts";
import { drawPicture, type Picture } from "./picture.ts";
import { reliabilityDiagram } from "./reliability_diagram.ts";

/** What a report is made of. */
export interface ReportSource {
  run: RunMetrics;
  /** The ONNX file, for the first layer's weights; absent if it is not at hand. */
  model?: Uint8Array;
  /** The test images, for the gallery of mistakes; absent if they are not at hand. */
  images?: GalleryImages;
}

export interface ReportPlaces {
  /** The run's folder. */
  folder: string;
  /** Where pictures go that show images which must not be passed on: a folder that git ignores. */
  unshared: string;
}

/**
 * Writes the report.
 *
 * @returns the paths of the files
 * @throws {SyntaxError} if the model is no ONNX file
 * @throws {Error} if a file cannot be written
 */
export async function writeReport(
  { run, model, images }: ReportSource,
  places: ReportPlaces,
): Promise<string[]> {
  const { folder } = places;
  const layer = model && firstLayer(readOnnx(model));
  const pictures: [keyof CardPictures, string, Picture | undefined][] = [
    ["curves", "learning_curves.svg", learningCurves(run)],
    ["confusion", "confusion_matrix.svg", confusionMatrix(run)],
    ["reliability", "reliability.svg", reliabilityDiagram(run)],
    ["weights", "first_weights.svg", layer && firstWeights(run.name, layer)],
    ["mistakes", "mistakes.svg", images && gallery(run, images)],
  ];
  const mayBeShown = dataFacts(run.provenance.dataset.name).mayBeShown;
  const shown: CardPictures = {};
  const files: string[] = [];
  for (const [what, name, picture] of pictures) {
    if (!picture) continue;
    const elsewhere = what === "mistakes" && !mayBeShown;
    files.push(await write(elsewhere ? places.unshared : folder, name, await drawPicture(picture)));
    if (!elsewhere) shown[what] = name;
  }
  files.push(await write(folder, "MODEL_CARD.md", modelCard(run, shown)));
  return files;
}

/**
 * Writes the report of a run that has just been written into its folder.
 *
 * @returns the paths of the files
 */
export async function writeRunReport(folder: string, unshared: string, dataset: Dataset): Promise<string[]> {
  const run = await readMetrics(folder);
  const model = await Deno.readFile(`${folder}/model.onnx`);
  return await writeReport({ run, model, images: galleryImages(dataset) }, { folder, unshared });
}

async function write(folder: string, name: string, text: string): Promise<string> {
  const file = `${folder}/${name}`;
  try {
    await Deno.mkdir(folder, { recursive: true });
    await replaceFile(file, new TextEncoder().encode(text));
  } catch (cause) {
    throw new Error(`Cannot write "${file}": ${(cause as Error).message}`, { cause });
  }
  return file;
}
