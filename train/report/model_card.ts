/**
 * `MODEL_CARD.md`: what a model is, its intended use, its accuracy and its limits
 * (Mitchell et al., Model Cards for Model Reporting, 2019, https://arxiv.org/abs/1810.03993). The card depends on
 * `metrics.json` only, so the same run gives the same card.
 *
 * @module
 */
import { count, duration, percent } from "../../shared/format.ts";
import { wilsonInterval } from "../evaluation/interval.ts";
import { dataFacts } from "../../shared/data_facts.ts";
import type { RunMetrics } from "../artifact/metrics.ts";
import { familiaritySection } from "./familiarity_section.ts";
import { escape, image, table } from "./markdown.ts";

/** Plots in the card's folder, by what they show. */
export interface CardPictures {
  curves?: string;
  confusion?: string;
  reliability?: string;
  familiarity?: string;
  weights?: string;
  mistakes?: string;
}

/** Writes the card. */
export function modelCard(run: RunMetrics, pictures: CardPictures = {}): string {
  const { name, version, bytes, classes, test, validation, provenance, epochs } = run;
  const { dataset, recipe, seed, backend, codeVersion } = provenance;
  const facts = dataFacts(dataset.name);
  const worst = [...classes].filter(({ images }) => images > 0).sort((a, b) => a.f1 - b.f1).slice(0, 3);
  return [
    `# ${escape(name)}`,
    `An image classifier. It classifies ${percent(test.accuracy, 2)} of ${count(test.images)} test images ` +
    "correctly. `deno task report` wrote this card; `metrics.json` has the same numbers for programs.",
    table(["", ""], [
      ["file", `\`model.onnx\`, ${(bytes / 1e6).toFixed(2)} MB, SHA-256 \`${run.sha256}\``],
      ["version", `\`${version}\``],
      ["network", network(run)],
      ["input", `\`[N, ${run.input.channels}, ${run.input.height}, ${run.input.width}]\`, pixels in 0..1`],
      ["classes", `${classes.length}: ${names(classes.map(({ label }) => label))}`],
      ["trained with", `version ${codeVersion} of this project, on ${backend}, in ${duration(run.seconds)}`],
    ]),

    "## Intended use",
    "Learning, trying out a deployment, and comparing recipes. The model returns one of its " +
    `${classes.length} classes and a probability for any image. It must not be used for decisions about people, ` +
    "safety or money.",

    "## Data",
    facts.summary,
    `Licence: ${facts.licence}`,
    `SHA-256 of pixels and labels: \`${dataset.sha256}\`.`,

    "## Recipe",
    `${count(epochs.length)} epochs${selection(run)}`,
    ...backboneFacts(run),
    table(["setting", "value"], [
      ...Object.entries(recipe).map(([key, value]) => [words(key), `\`${JSON.stringify(value)}\``]),
      ["seed", `\`${seed}\``],
    ]),
    image("Learning curves", pictures.curves),

    "## Results",
    table(
      ["split", "images", "accuracy", "mean cross-entropy"],
      [
        ...(validation ? [[validationName(run), validation] as const] : []),
        ["test", test] as const,
      ].map((
        [split, score],
      ) => [split, count(score.images), percent(score.accuracy, 2), score.loss.toFixed(4)]),
    ),
    table(
      ["class", "precision", "recall", "F1", "images"],
      classes.map(({ label, precision, recall, f1, images }) => [
        escape(label),
        percent(precision, 1),
        percent(recall, 1),
        percent(f1, 1),
        count(images),
      ]),
    ),
    image("Confusion matrix", pictures.confusion),
    image("Most confident mistakes", pictures.mistakes),

    "## Calibration",
    ...calibration(run),
    image("Reliability diagram", pictures.reliability),

    ...familiaritySection(run, pictures.familiarity),

    "## Limits",
    [
      ...facts.limits,
      `The weakest classes are ${
        worst.map(({ label, f1 }) => `${escape(label)} (F1 ${percent(f1, 1)})`).join(", ")
      }.`,
      ...confusions(run),
      "It has not been tested against adversarial images.",
    ].map((limit) => `- ${limit}`).join("\n"),
    image("First-layer weights", pictures.weights),

    "## How to reproduce",
    `With version ${codeVersion} of this project and the data above` +
    (reproduce(run).includes(" ./") ? ", after replacing each path that begins with `./` by your own:" : ":"),
    "```sh\n" + reproduce(run) + "\n```",
    `The same seed, backend (${backend}) and kind of machine give the same bytes; others give a different model of ` +
    "about the same accuracy. To measure the file and to draw these plots again:",
    "```sh\ndeno task evaluate --model FOLDER/model.onnx\ndeno task report FOLDER\n```",
  ].filter((part) => part !== "").join("\n\n") + "\n";
}

/** The command that made the model; of the quickstart, the one that gives the same model. */
function reproduce({ command, provenance: { dataset, recipe, seed, backend } }: RunMetrics): string {
  if (command !== undefined) return command;
  const name = recipe["name"] === "quickstart" ? ["--recipe", "quickstart"] : [];
  const device = backend.split(" ")[0];
  return ["deno task train", "--dataset", dataset.name, ...name, "--seed", seed, "--backend", device].join(
    " ",
  );
}

/** By which images the weights were chosen. */
function selection({ validation, bestEpoch, epochs }: RunMetrics): string {
  const measured = "The test images were used only to measure the result.";
  if (validation?.folds !== undefined) {
    return `; cross-validated in ${validation.folds} folds, then trained on all ${
      count(validation.images)
    } training ` +
      `images. The weights are the last epoch's. ${measured}`;
  }
  if (!validation) return "; there are no validation images, and the weights are the last epoch's.";
  const images = `${count(validation.images)} validation images`;
  return bestEpoch === epochs.length
    ? `; the weights are the last epoch's, and ${images} were held out. ${measured}`
    : `; the weights are those of epoch ${bestEpoch}, the best on ${images}. ${measured}`;
}

/** Which network made the features, and under which licence. */
function backboneFacts({ provenance: { backbone } }: RunMetrics): string[] {
  if (!backbone) return [];
  const { name, sha256, features, size, store, licence, source } = backbone;
  return [
    `The network learns from ${count(size)} features that a frozen backbone makes of an image: ${
      escape(name)
    }` +
    `${source === undefined ? "" : ` (<${source}>)`}, tensors ${
      features.map((name) => `\`${name}\``).join(", ")
    }, ` +
    `weights stored as ${store}, SHA-256 \`${sha256}\`. Licence of the backbone: ${
      licence ?? "unknown to this project, see where its file comes from"
    }.`,
  ];
}

function network({ input, provenance: { recipe, backbone }, classes }: RunMetrics): string {
  const hidden = Array.isArray(recipe["hidden"]) ? recipe["hidden"] as number[] : [];
  const sizes = [backbone?.size ?? input.channels * input.height * input.width, ...hidden, classes.length];
  const parameters = sizes.slice(1).reduce((sum, size, i) => sum + size * (sizes[i]! + 1), 0);
  const layers = sizes.join("-");
  return backbone
    ? `frozen backbone ${escape(backbone.name)} with ${
      count(backbone.size)
    } features, and a multilayer perceptron on ` +
      `them, ${layers}, ${count(parameters)} trained parameters`
    : `multilayer perceptron, ${layers}, ${count(parameters)} parameters`;
}

/**
 * The largest expected calibration error at which probabilities are called calibrated, and the largest half of the
 * accuracy's 95 % interval: with fewer test images, a small error may be chance.
 */
const MAX_CALIBRATION_ERROR = 0.05;

function calibration(run: RunMetrics): string[] {
  const { temperature, ece, loss, validation, bins } = run.calibration;
  const rows = [
    ...(validation ? [[validationName(run), validation] as const] : []),
    ["test", { ece, loss }] as const,
  ].map(([split, { ece, loss }]) => [
    split,
    percent(ece.before, 2),
    percent(ece.after, 2),
    loss.before.toFixed(4),
    loss.after.toFixed(4),
  ]);
  const division = `The logits are divided by a temperature of ${temperature}`;
  const stored = "The division is part of the file; `logits` are raw.";
  const limit = percent(MAX_CALIBRATION_ERROR, 0);
  const { low, high } = wilsonInterval(run.test.accuracy, run.test.images);
  const uncertainty = (high - low) / 2;
  return [
    validation
      ? `${division}, fitted ${
        run.validation?.folds === undefined
          ? `on the ${count(validation.images)} validation images`
          : `by cross-validation on ${count(validation.images)} training images`
      }. ${stored}`
      : temperature === 1
      ? "There are no validation images to fit a temperature on: `probabilities` are the softmax of the raw `logits`."
      : `${division}, which another run with validation images found. ${stored}`,
    ece.after <= MAX_CALIBRATION_ERROR
      ? uncertainty <= MAX_CALIBRATION_ERROR
        ? `The error on the test images is at most ${limit}, so \`probabilities\` are calibrated.`
        : `The error on the test images is at most ${limit}, but ${
          count(run.test.images)
        } images are too few to ` +
          `call \`probabilities\` calibrated: their accuracy is known to ± ${percent(uncertainty, 0)} only.`
      : `The error on the test images is above ${limit}: use \`probabilities\` to rank classes, not as the chance of ` +
        "being right.",
    `Expected calibration error in ${bins.after.length} bins (<https://arxiv.org/abs/1706.04599>):`,
    table(["split", "error before", "error after", "cross-entropy before", "after"], rows),
  ];
}

function validationName({ validation }: RunMetrics): string {
  return validation?.folds === undefined ? "validation" : "cross-validation";
}

/** The most frequent confusions. */
function confusions({ confusion, classes }: RunMetrics): string[] {
  const pairs = confusion.flatMap((row, actual) =>
    row.map((images, predicted) => ({ images, actual, predicted })).filter(({ predicted }) =>
      predicted !== actual
    )
  ).filter(({ images }) => images > 0).sort((a, b) => b.images - a.images).slice(0, 3);
  if (pairs.length === 0) return [];
  const said = pairs.map(({ images, actual, predicted }) =>
    `${escape(classes[actual]!.label)} classified as ${escape(classes[predicted]!.label)} (${
      count(images)
    } of ${count(classes[actual]!.images)})`
  );
  return [`The most frequent mistakes: ${said.join(", ")}.`];
}

/** The first thirty. */
function names(labels: readonly string[]): string {
  const shown = labels.slice(0, 30).map(escape).join(", ");
  return labels.length > 30 ? `${shown}, … (all below)` : shown;
}

/** `batchSize` as `batch size`. */
function words(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
