/** The reliability diagram: accuracy by confidence. */
import { percent } from "../../shared/format.ts";
import type { RunMetrics } from "../artifact/metrics.ts";
import { BLUE, INK, MUTED, ORANGE, type Picture } from "./picture.ts";

/** Space between bars. */
const GAP = 0.004;

/**
 * Draws accuracy by confidence, without and with the temperature, above the share of images in each bin.
 */
export function reliabilityDiagram({ name, calibration, test }: RunMetrics): Picture {
  const { temperature, ece, bins } = calibration;
  const panels = temperature === 1
    ? [panel(bins.after, `as served: error ${percent(ece.after, 2)}`, true)]
    : [
      panel(bins.before, `raw: error ${percent(ece.before, 2)}`, true),
      panel(bins.after, `temperature ${temperature}: error ${percent(ece.after, 2)}`, false),
    ];
  return {
    title: `${name}: accuracy by confidence`,
    subtitle:
      `${
        test.images.toLocaleString("en")
      } test images in ${bins.after.length} bins. A calibrated model is on the dashed line; ` +
      "below it, the model is overconfident.",
    spec: { hconcat: panels, spacing: 28 },
  };

  function panel(
    bins: readonly { images: number; confidence: number; accuracy: number }[],
    title: string,
    first: boolean,
  ): Record<string, unknown> {
    const values = bins.flatMap(({ images, confidence, accuracy }, i) =>
      images === 0 ? [] : [{
        from: i / bins.length + GAP,
        to: (i + 1) / bins.length - GAP,
        confidence,
        accuracy,
        share: images / test.images,
      }]
    );
    const steps = [0, 0.2, 0.4, 0.6, 0.8, 1];
    const scale = { domain: [0, 1], nice: false, padding: 0 };
    const x = (title: string | null): unknown => ({
      field: "from",
      type: "quantitative",
      title,
      scale,
      axis: { format: "~%", grid: false, labels: title !== null, ticks: title !== null, values: steps },
    });
    const y = (field: string, title: string, values: number[]): unknown => ({
      field,
      type: "quantitative",
      title: first ? title : null,
      scale,
      axis: { format: "~%", values },
    });
    const x2 = { field: "to" }, ground = { datum: 0 };
    return {
      title: { text: title, fontSize: 13, fontWeight: "normal", color: INK, offset: 8 },
      spacing: 18,
      bounds: "flush",
      vconcat: [
        {
          width: 260,
          height: 220,
          data: { values },
          layer: [
            {
              mark: { type: "rect", color: BLUE, opacity: 0.8 },
              encoding: { x: x(null), x2, y: y("accuracy", "accuracy", steps), y2: ground },
            },
            {
              // From the accuracy to where the confidence was: the error itself.
              mark: { type: "rect", fill: ORANGE, fillOpacity: 0.35, stroke: ORANGE, strokeWidth: 1 },
              encoding: { x: x(null), x2, y: y("accuracy", "accuracy", steps), y2: { field: "confidence" } },
            },
            {
              data: { values: [{ a: 0, b: 0 }, { a: 1, b: 1 }] },
              mark: { type: "line", color: INK, strokeWidth: 1, strokeDash: [4, 4] },
              encoding: { x: { field: "a", type: "quantitative" }, y: { field: "b", type: "quantitative" } },
            },
          ],
        },
        {
          width: 260,
          height: 60,
          data: { values },
          mark: { type: "rect", color: MUTED, opacity: 0.7 },
          encoding: { x: x("confidence"), x2, y: y("share", "images", [0, 0.5, 1]), y2: ground },
        },
      ],
    };
  }
}
