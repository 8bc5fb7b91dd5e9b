/**
 * What the page says about the model, from the model's description and nothing else.
 *
 * @module
 */
import type { ModelDescription } from "../../shared/contract.ts";
import { type DataFacts, dataFacts } from "../../shared/data_facts.ts";
import { count, percent } from "../../shared/format.ts";

/** Labels that are named before the others are counted. */
const MAX_LABELS = 12;

/** The parts of the page's introduction. */
export interface About {
  /** The model's name in words. */
  title: string;
  /** The classes; `more` are not named. */
  labels: readonly string[];
  more: number;
  /** The end of the sentence that names the classes: what it was trained on, and how often it is right. */
  training: string;
  /** What it is not for. */
  limits: string;
}

/** Describes a model. */
export function about({ name, labels, metrics, provenance, familiarity }: ModelDescription): About {
  const facts = factsOf(provenance.dataset);
  const isNamedAfterData = provenance.dataset?.name === name;
  const named = labels.length > MAX_LABELS + 1 ? labels.slice(0, MAX_LABELS) : labels;
  const source = provenance.dataset &&
    (facts?.subject
      ? `trained on ${facts.title} (${facts.subject})`
      : `trained on “${provenance.dataset.name}”`);
  const accuracy = metrics &&
    ` It classifies ${percent(metrics.test.accuracy, 2)} of ${
      count(metrics.test.images)
    } test images correctly.`;
  return {
    title: facts?.subject && isNamedAfterData ? facts.title : inWords(name),
    labels: named,
    more: labels.length - named.length,
    training: `${source ? `, ${source}` : ""}.${accuracy ?? ""}`,
    limits:
      (familiarity
        ? "It says when a picture is unlike what it was trained on, but names a class for every picture. "
        : "It names one of its classes for every picture, also for one that shows something else. ") +
      "It is not for decisions about people, safety or money.",
  };
}

/** What is known of the data set, if it is the one of that name. */
function factsOf(dataset?: { name: string; sha256: string }): DataFacts | undefined {
  const facts = dataset && dataFacts(dataset.name);
  return facts?.sha256 === undefined || facts.sha256 === dataset?.sha256 ? facts : undefined;
}

/** `my_shoes-2` as `My shoes 2`. */
function inWords(name: string): string {
  const words = name.replace(/[-_.\s]+/g, " ").trim();
  return words === "" ? name : words[0]!.toUpperCase() + words.slice(1);
}
