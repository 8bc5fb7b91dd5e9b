/**
 * What is beside a model's ONNX file for people: its card, the plots of the card, and example pictures.
 *
 * @module
 */
import type { ModelDescription } from "../shared/contract.ts";
import { type Examples, parseExamples } from "../shared/examples.ts";

/** The texts of the files. Plain strings, so that they can be part of a bundle. */
export interface ModelFiles {
  /** `MODEL_CARD.md` */
  card?: string;
  /** Plots that the card shows, SVG, by the name of the file. */
  plots?: Record<string, string>;
  /** `examples.json` */
  examples?: string;
}

/**
 * Characters of a text that are rendered as Markdown. A card of 1,000 classes with names of 60 characters has 115,000;
 * the time of markdown-it can grow with the square of the length.
 */
export const MAX_MARKDOWN_LENGTH = 128 * 1024;

/**
 * Plots that are served. Not `mistakes.svg`: it shows pictures of the data set, and only `train --examples` allows to
 * publish those.
 */
export const PLOTS: readonly string[] = [
  "learning_curves.svg",
  "confusion_matrix.svg",
  "reliability.svg",
  "familiarity.svg",
  "first_weights.svg",
];

/** What the pages show of the files. */
export interface PublicFiles {
  card?: string;
  plots: Record<string, string>;
  examples?: Examples;
}

/**
 * The files that belong to a model: those of another model, which were left when a new one was written, are not shown.
 *
 * @throws {InputError} if `examples.json` is malformed
 */
export function filesOf(
  { version }: ModelDescription,
  { card, plots = {}, examples }: ModelFiles,
): PublicFiles {
  const parsed = examples === undefined ? undefined : parseExamples(examples);
  // The card has the version in its first table.
  const isCurrent = card?.includes(`\`${version}\``);
  return {
    ...(isCurrent && { card: card! }),
    plots: isCurrent ? plots : {},
    ...(parsed?.version === version && { examples: parsed }),
  };
}
