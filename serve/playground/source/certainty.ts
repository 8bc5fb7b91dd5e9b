/**
 * Probabilities as numbers and as words.
 *
 * @module
 */
import { percent } from "../../../shared/format.ts";

/** A probability as a percentage, where only certainty is 100 %. */
export function certainty(probability: number): string {
  const text = percent(probability);
  return text === "100.0 %" && probability < 1 ? "> 99.9 %" : text;
}

/** A probability as a word. */
export function confidenceWord(probability: number): string {
  return probability >= 0.9 ? "High confidence" : probability >= 0.6 ? "Medium confidence" : "Low confidence";
}
