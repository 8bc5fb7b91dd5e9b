/**
 * The predictions of a model as metrics by model version: histograms of confidence and familiarity, and counters of the
 * predicted classes. The same metrics of the validation images, from the model's metadata, are the reference. If the
 * two differ, the images are unlike those that the model was trained for.
 *
 * @module
 */
import { type ModelDescription, REFERENCE_BINS } from "../shared/contract.ts";
import type { Scores } from "../shared/inference/classifier.ts";
import type { Count, Counter, Distribution, Histogram, Registry } from "./metrics.ts";
import type { Attributes } from "./open_telemetry.ts";

/** Classes with a series of their own; all others share one, so that a model cannot make any number of series. */
const MAX_CLASSES = 100;

/** Versions of models whose series are kept: those that serve now, and a few that were replaced. */
const MAX_VERSIONS = 32;

/** Upper ends of the bins of the histograms in a model's file. */
const BINS = Array.from({ length: REFERENCE_BINS }, (_, bin) => (bin + 1) / REFERENCE_BINS);

/** The metrics, of which each version of a model has its own series. */
interface Metrics {
  confidence: Histogram;
  classes: Counter;
  familiarity: Histogram;
  unfamiliar: Counter;
  /** The same metrics of the validation images. */
  reference: { confidence: Histogram; classes: Counter; familiarity: Histogram };
}

/** The series of all models. */
export class Predictions {
  readonly #metrics: Metrics;
  readonly #versions = new Map<string, VersionPredictions>();

  constructor(registry: Registry) {
    const histogram = (name: string, help: string): Histogram => registry.histogram(name, BINS, { help });
    const counter = (name: string, help: string): Counter =>
      registry.counter(name, { unit: "{image}", help });
    this.#metrics = {
      confidence: histogram("selvedge.prediction.confidence", "Probability of the predicted class"),
      classes: counter("selvedge.predictions", "Images by predicted class"),
      familiarity: histogram("selvedge.prediction.familiarity", "Resemblance to the training images"),
      unfamiliar: counter("selvedge.unfamiliar", "Images below the threshold of familiarity"),
      reference: {
        confidence: histogram("selvedge.reference.confidence", "Confidence on the validation images"),
        classes: counter("selvedge.reference.predictions", "Validation images by predicted class"),
        familiarity: histogram("selvedge.reference.familiarity", "Familiarity of the validation images"),
      },
    };
  }

  /** The series of one model, which start at 0 when they are first asked for. */
  of(description: ModelDescription): VersionPredictions {
    const key = `${description.version} ${description.name}`;
    let version = this.#versions.get(key);
    if (!version) {
      version = new VersionPredictions(description, this.#metrics);
      this.#versions.set(key, version);
      if (this.#versions.size > MAX_VERSIONS) {
        const [oldest, { attributes }] = this.#versions.entries().next().value!;
        this.#versions.delete(oldest);
        const { reference, ...metrics } = this.#metrics;
        for (const metric of [...Object.values(metrics), ...Object.values(reference)]) {
          metric.delete(attributes);
        }
      }
    }
    return version;
  }
}

/** The series of one model. */
class VersionPredictions {
  readonly attributes: Attributes;
  readonly #confidence: Distribution;
  /** One per class; those from `MAX_CLASSES` on are the same. */
  readonly #classes: readonly Count[];
  readonly #familiarity: Distribution | undefined;
  readonly #unfamiliar: Count | undefined;
  readonly #threshold: number;

  constructor(description: ModelDescription, metrics: Metrics) {
    const { labels, familiarity, reference } = description;
    const attributes = this.attributes = modelAttributes(description);
    const classesOf = (counter: Counter): Count[] =>
      labels.map((label, i) =>
        counter.of({ ...attributes, "selvedge.class": i < MAX_CLASSES ? label : "other" })
      );
    this.#confidence = metrics.confidence.of(attributes);
    this.#classes = classesOf(metrics.classes);
    this.#familiarity = familiarity && metrics.familiarity.of(attributes);
    this.#unfamiliar = familiarity && metrics.unfamiliar.of(attributes);
    this.#threshold = familiarity?.threshold ?? 0;
    if (reference) {
      fill(metrics.reference.confidence.of(attributes), reference.confidence);
      const counts = classesOf(metrics.reference.classes);
      for (const [i, count] of reference.classes.entries()) counts[i]?.add(count);
      if (reference.familiarity) fill(metrics.reference.familiarity.of(attributes), reference.familiarity);
    }
  }

  /** @returns the sum of the confidences, and the number of unfamiliar images */
  count({ probabilities, familiarity = NONE }: Scores): { confidence: number; unfamiliar: number } {
    const { length } = this.#classes;
    let confidence = 0, unfamiliar = 0;
    for (let start = 0; start < probabilities.length; start += length) {
      let best = 0;
      for (let i = 1; i < length; i++) if (probabilities[start + i]! > probabilities[start + best]!) best = i;
      this.#classes[best]!.add(1);
      this.#confidence.observe(probabilities[start + best]!);
      confidence += probabilities[start + best]!;
    }
    for (const value of familiarity) {
      this.#familiarity?.observe(value);
      if (value < this.#threshold) unfamiliar++;
    }
    if (unfamiliar > 0) this.#unfamiliar?.add(unfamiliar);
    return { confidence, unfamiliar };
  }
}

const NONE = new Float32Array(0);

/** Adds a histogram of a model's metadata; its sum is computed from the middles of the bins. */
function fill(distribution: Distribution, counts: readonly number[]): void {
  for (const [bin, count] of counts.entries()) {
    distribution.observe((bin + 0.5) / REFERENCE_BINS, count);
  }
}

/** The attributes that name a model. */
export function modelAttributes({ name, version }: ModelDescription): Attributes {
  return { "selvedge.model.name": name, "selvedge.model.version": version };
}
