/** The confusion matrix: actual and predicted classes. */
import type { RunMetrics } from "../artifact/metrics.ts";
import { BLUE, INK, MUTED, ON_COLOUR, ORANGE, type Picture } from "./picture.ts";

/** With more classes, the names are unreadable. */
const MAX_CLASSES = 30;

/**
 * Draws counts on a background whose strength is their share of the row: blue for correct predictions, orange for
 * mistakes.
 */
export function confusionMatrix({ name, classes, confusion, test }: RunMetrics): Picture {
  const shown = mostConfused(confusion, MAX_CLASSES);
  const labels = shown.map((i) => classes[i]!.label);
  const cells = shown.flatMap((actual) => {
    const row = confusion[actual]!;
    const images = row.reduce((sum, n) => sum + n, 0);
    return shown.map((predicted) => {
      const count = row[predicted]!, share = images && count / images;
      return {
        actual: classes[actual]!.label,
        predicted: classes[predicted]!.label,
        count: count || "",
        right: actual === predicted,
        // The root lifts the few per cent that mistakes are out of the ground.
        strength: Math.sqrt(share),
        strong: share > 0.4,
      };
    });
  });
  const side = Math.max(22, Math.min(44, 480 / shown.length));
  const axis = {
    domain: false,
    ticks: false,
    labelColor: INK,
    labelFontSize: 12,
    labelPadding: 6,
    labelLimit: 160,
  };
  const part = shown.length < classes.length
    ? ` Shown are the ${shown.length} of ${classes.length} classes that are confused most.`
    : "";
  return {
    title: `${name}: actual and predicted classes`,
    subtitle: `${test.images.toLocaleString("en")} test images, ${
      (test.accuracy * 100).toFixed(2)
    } % right (blue).${part}`,
    spec: {
      data: { values: cells },
      width: { step: side },
      height: { step: side },
      encoding: {
        x: {
          field: "predicted",
          type: "nominal",
          sort: labels,
          title: "predicted",
          axis: { ...axis, orient: "bottom", labelAngle: -45, titleColor: MUTED },
        },
        y: {
          field: "actual",
          type: "nominal",
          sort: labels,
          title: "actual",
          axis: { ...axis, titleColor: MUTED },
        },
      },
      layer: [
        {
          mark: { type: "rect", cornerRadius: 2, width: { band: 0.94 }, height: { band: 0.94 } },
          encoding: {
            color: { condition: { test: "datum.right", value: BLUE }, value: ORANGE },
            opacity: {
              field: "strength",
              type: "quantitative",
              scale: { domain: [0, 1], range: [0.03, 1] },
              legend: null,
            },
          },
        },
        {
          mark: { type: "text", fontWeight: 500, fontSize: side < 30 ? 9 : 12 },
          encoding: {
            text: { field: "count" },
            color: { condition: { test: "datum.strong", value: ON_COLOUR }, value: INK },
          },
        },
      ],
    },
  };
}

/** The classes with most mistakes in their row and column, at most `count`, in the model's order. */
export function mostConfused(confusion: readonly (readonly number[])[], count: number): number[] {
  const mistakes = confusion.map((row, i) =>
    row.reduce((sum, n) => sum + n, 0) + confusion.reduce((sum, other) => sum + other[i]!, 0) - 2 * row[i]!
  );
  return mistakes.map((_, i) => i).sort((a, b) => mistakes[b]! - mistakes[a]! || a - b).slice(0, count).sort((
    a,
    b,
  ) => a - b);
}
