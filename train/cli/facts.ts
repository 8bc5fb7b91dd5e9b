/** What `train` says about the data, the backbone and the result. */
import { percent } from "../../shared/format.ts";
import type { Backbone } from "../backbone/backbone.ts";
import type { Dataset } from "../dataset/mod.ts";
import type { Evaluation } from "../evaluation/evaluation.ts";
import { wilsonInterval } from "../evaluation/interval.ts";
import { countClasses } from "../learning/advice.ts";

/** With fewer images of a class, its accuracy is mostly noise. */
const FEW_IMAGES = 10;

/** The training images, and the classes that have too few of them. */
export function describeData(dataset: Dataset, isFolder: boolean): string[] {
  const { name, source, labels, train, test, validation = 0 } = dataset;
  const own = validation > 0 ? ` + ${validation} validation` : "";
  const training = train.count - validation;
  const lines = [`Data: ${name}, ${training} training${own} + ${test.count} test images, ${source}`];
  if (name === "silhouettes") {
    lines.unshift(
      "NOTE: these are silhouettes drawn by code, not photographs: use the model only to try things out",
    );
  }
  if (!isFolder) return lines;
  lines.push(`Classes: ${listSome(labels)}`);
  const counts = countClasses(train.labels, labels.length, training);
  const few = labels.filter((_, i) => counts[i]! < FEW_IMAGES);
  if (few.length > 0) {
    lines.push(
      `NOTE: these classes have fewer than ${FEW_IMAGES} training images, too few to rely on: ${
        listSome(few)
      }`,
    );
  }
  return lines;
}

/** The backbone in a line. */
export function describeBackbone({ name, bytes, input, size, features, cut }: Backbone): string {
  const tensors = features.map(({ name }) => `"${name}"`).join(" and ");
  return `Backbone: ${name}, ${
    (bytes.length / 1e6).toFixed(1)
  } MB, ${input.height}×${input.width} pixels to ${size} ` +
    `features of ${tensors}${cut ? "; its classifier is removed" : ""}`;
}

/** As `83.2 % (95 % interval 75.5 to 88.8 %)`. */
export function withInterval({ accuracy, images }: { accuracy: number; images: number }): string {
  const { low, high } = wilsonInterval(accuracy, images);
  return `${percent(accuracy, 2)} (95 % interval ${(100 * low).toFixed(1)} to ${percent(high, 1)})`;
}

/** A line for each class whose recall is below half of the average. */
export function weakClasses({ classes }: Evaluation): string[] {
  const tested = classes.filter(({ images }) => images > 0);
  const mean = tested.reduce((sum, { recall }) => sum + recall, 0) / tested.length;
  return tested.filter(({ recall }) => recall < mean / 2).map(({ label, recall, images }) =>
    `NOTE: recall of "${label}" is ${percent(recall, 1)} on ${images} test images, below half of the average`
  );
}

function listSome(labels: readonly string[]): string {
  return labels.slice(0, 10).join(", ") + (labels.length > 10 ? ` and ${labels.length - 10} more` : "");
}
