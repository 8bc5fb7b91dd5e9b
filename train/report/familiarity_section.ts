/** The section of the model card about images that are unlike the training images. */
import { count, percent } from "../../shared/format.ts";
import type { RunMetrics } from "../artifact/metrics.ts";
import { image, table } from "./markdown.ts";

/**
 * Writes the section.
 *
 * @param picture the file of {@linkcode import("./familiarity_curve.ts").familiarityCurve}
 * @returns nothing for a model without the output `familiarity`
 */
export function familiaritySection(
  { familiarity, test, calibration }: RunMetrics,
  picture: string | undefined,
): string[] {
  if (!familiarity) return [];
  const { threshold, kept, validation, thresholds, outliers } = familiarity;
  const { accuracy, ece } = familiarity.test;
  const at = thresholds.indexOf(threshold);
  return [
    "## Familiarity",
    `The output \`familiarity\` is the share of ${
      count(validation.images)
    } images held out from the fit that resemble ` +
    `the training images less than an image does. Below ${threshold} an image is unfamiliar, and its class means ` +
    `little: the threshold is to keep ${percent(kept)} of the images held out.`,
    table(["test images", "share", "accuracy", "calibration error"], [
      ["all", percent(1, 1), percent(test.accuracy, 2), percent(calibration.ece.after, 2)],
      ...(accuracy === undefined || ece === undefined
        ? []
        : [["familiar", percent(familiarity.test.kept, 1), percent(accuracy, 2), percent(ece, 2)]]),
    ]),
    "Images of other kinds, drawn by code. The computation was fitted with images of some of these kinds, but not " +
    "with those counted here. The area under the ROC curve (AUROC) is the probability that a test image is more familiar.",
    table(
      ["images of other kinds", "fitted with", "images", ...(at < 0 ? [] : ["not rejected"]), "AUROC"],
      outliers.map(({ family, chosenBy, images, auroc, rejected }) => [
        family,
        chosenBy ? "yes" : "no",
        count(images),
        ...(at < 0 ? [] : [percent(1 - rejected[at]!, 1)]),
        auroc.toFixed(4),
      ]),
    ),
    image("Share of images that a threshold rejects", picture),
    "An image of an unknown class that looks like the training images is not recognized as unfamiliar.",
  ];
}
