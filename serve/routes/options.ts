/**
 * Options of a request for labels.
 *
 * @module
 */
import type { Classifier, ScoredLabel, Scores } from "../../shared/inference/classifier.ts";
import { type Config, DEFAULT_TOP_K } from "../config.ts";
import { Problem } from "../problem.ts";

/** Names as on Hugging Face. */
export interface Options {
  /** Number of classes per image, best first. */
  topK: number;
  /** Whether scores are probabilities or the model's raw logits. */
  apply: "softmax" | "none";
  /** Whether unfamiliar images get no label. */
  reject: boolean;
}

/**
 * Reads the query.
 *
 * @throws {Problem} 400 if a value is invalid
 */
export function readOptions(
  query: (name: string) => string | undefined,
  classifier: Classifier,
  config: Config,
): Options {
  return {
    topK: readTopK(query("top_k"), classifier, config),
    apply: readApply(query("function_to_apply")),
    reject: readReject(query("reject"), classifier),
  };
}

function readTopK(value: string | undefined, classifier: Classifier, config: Config): number {
  const classes = mostClasses(classifier, config);
  if (value === undefined) return Math.min(DEFAULT_TOP_K, classes);
  const k = /^[0-9]{1,9}$/.test(value) ? Number(value) : NaN;
  if (k >= 1 && k <= classes) return k;
  throw new Problem(
    400,
    `Cannot classify as top_k must be an integer in 1..${classes}: current value is ${quote(value)}`,
  );
}

function readApply(value = "softmax"): Options["apply"] {
  if (value === "softmax" || value === "none") return value;
  throw new Problem(
    400,
    `Cannot classify as function_to_apply must be softmax or none: current value is ${quote(value)}`,
  );
}

function readReject(value = "false", { description }: Classifier): boolean {
  if (value !== "true" && value !== "false") {
    throw new Problem(
      400,
      `Cannot classify as reject must be true or false: current value is ${quote(value)}`,
    );
  }
  if (value === "true" && !description.familiarity) {
    // A client that relies on it must not believe that everything is familiar.
    throw new Problem(400, "Cannot reject unfamiliar images as the model has no output familiarity");
  }
  return value === "true";
}

/** The largest number of classes per image. */
export function mostClasses({ description }: Classifier, { maxTopK }: Config): number {
  return Math.min(description.labels.length, maxTopK);
}

/** The best classes of each image. */
export function rank(
  scores: Scores,
  { topK, apply }: Pick<Options, "topK" | "apply">,
  classifier: Classifier,
): ScoredLabel[][] {
  return classifier.top(apply === "none" ? scores.logits : scores.probabilities, topK);
}

function quote(value: string): string {
  return JSON.stringify(value.slice(0, 40));
}
