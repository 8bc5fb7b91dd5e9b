/**
 * What a model says of the images that it gets, as histograms by model version: the confidence and the class that it
 * predicts. If they move away from what they were on the validation images, then the images have changed, or the
 * model is another one.
 *
 * @module
 */
import type { ModelDescription } from "../shared/contract.ts";
import type { Scores } from "../shared/inference/classifier.ts";
import type { Count, Counter, Distribution, Histogram, Registry } from "./metrics.ts";
import type { Attributes } from "./open_telemetry.ts";

/** Classes with a series of their own; all others share one, so that a model cannot make any number of series. */
const MAX_CLASSES = 100;

/** Versions of models whose series are kept: those that serve now, and a few that were replaced. */
const MAX_VERSIONS = 8;

/** Ends of 20 buckets over 0..1, those of the histograms in the model's file. */
const SHARES = Array.from({ length: 20 }, (_, i) => (i + 1) / 20);

/** The series of all models. */
export class Predictions {
  readonly #confidence: Histogram;
  readonly #classes: Counter;
  readonly #versions = new Map<ModelDescription, VersionPredictions>();

  constructor(registry: Registry) {
    this.#confidence = registry.histogram("selvedge.prediction.confidence", SHARES, {
      help: "Probability of the predicted class",
    });
    this.#classes = registry.counter("selvedge.predictions", {
      unit: "{image}",
      help: "Images by predicted class",
    });
  }

  /** The series of one model, which start at 0 when they are first asked for. */
  of(description: ModelDescription): VersionPredictions {
    let version = this.#versions.get(description);
    if (!version) {
      version = new VersionPredictions(description, this.#confidence, this.#classes);
      this.#versions.set(description, version);
      if (this.#versions.size > MAX_VERSIONS) this.#deleteOldest();
    }
    return version;
  }

  #deleteOldest(): void {
    const [description, oldest] = this.#versions.entries().next().value!;
    this.#confidence.delete(oldest.confidence);
    for (const count of new Set(oldest.classes)) this.#classes.delete(count);
    this.#versions.delete(description);
  }
}

/** The series of one model. */
class VersionPredictions {
  readonly confidence: Distribution;
  /** One per class; those from `MAX_CLASSES` on are the same. */
  readonly classes: readonly Count[];

  constructor(description: ModelDescription, confidence: Histogram, classes: Counter) {
    const attributes = modelAttributes(description);
    this.confidence = confidence.of(attributes);
    this.classes = description.labels.map((label, i) =>
      classes.of({ ...attributes, "selvedge.class": i < MAX_CLASSES ? label : "other" })
    );
  }

  count({ probabilities }: Scores): void {
    const { length } = this.classes;
    for (let start = 0; start < probabilities.length; start += length) {
      let best = 0;
      for (let i = 1; i < length; i++) if (probabilities[start + i]! > probabilities[start + best]!) best = i;
      this.classes[best]!.add(1);
      this.confidence.observe(probabilities[start + best]!);
    }
  }
}

/** The attributes that name a model. */
export function modelAttributes({ name, version }: ModelDescription): Attributes {
  return { "selvedge.model.name": name, "selvedge.model.version": version };
}
