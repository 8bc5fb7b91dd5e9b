/** What a threshold on the familiarity rejects: of the test images, and of images of other kinds. */
import { percent } from "../../shared/format.ts";
import type { RunMetrics } from "../artifact/metrics.ts";
import { BLUE, INK, MUTED, type Picture, SERIES } from "./picture.ts";

/** Families with a line and a colour of their own: those of which the threshold rejects least. */
const SHOWN = 6;

const TEST = "test images";

/**
 * Draws the share of images that each threshold rejects.
 *
 * @returns undefined for a model without the output `familiarity`
 */
export function familiarityCurve({ name, familiarity }: RunMetrics): Picture | undefined {
  if (!familiarity) return undefined;
  const { threshold, thresholds, test } = familiarity;
  const outliers = [...familiarity.outliers].sort((a, b) => total(a.rejected) - total(b.rejected));
  const lines = [
    { label: TEST, rejected: familiarity.rejected },
    ...outliers.slice(0, SHOWN).map(({ family, rejected }) => ({ label: family, rejected })),
  ];
  const rest = outliers.slice(SHOWN);
  const atLeast = rest.length ? Math.min(...rest.map(({ rejected }) => rejected[0]!)) : 1;
  const x = {
    field: "threshold",
    type: "quantitative",
    title: "threshold on the familiarity",
    scale: { type: "log", nice: false, padding: 0 },
    axis: { values: thresholds, format: "~%", grid: false },
  };
  return {
    title: `${name}: share of images that a threshold rejects`,
    subtitle: [
      `The threshold ${threshold} rejects ${
        percent(1 - test.kept)
      } of the test images. The lines in colour are the ` +
      `families that are`,
      "hardest to reject" +
      (rest.length
        ? `; of each of the ${rest.length} others, every threshold shown rejects at least ${
          percent(atLeast)
        }.`
        : "."),
    ],
    spec: {
      width: 560,
      height: 260,
      layer: [
        {
          data: { values: [{ threshold }] },
          mark: { type: "rule", strokeDash: [3, 3], color: MUTED },
          encoding: { x },
        },
        {
          data: { values: [{ threshold }] },
          mark: { type: "text", color: INK, text: "in use", align: "left", dx: 4, y: 252, fontSize: 11 },
          encoding: { x },
        },
        {
          data: {
            values: lines.flatMap(({ label, rejected }) =>
              rejected.map((share, i) => ({ threshold: thresholds[i], share, label }))
            ),
          },
          mark: { type: "line", strokeWidth: 2, point: { size: 24, filled: true } },
          encoding: {
            x,
            y: {
              field: "share",
              type: "quantitative",
              title: "share rejected",
              scale: { domain: [0, 1] },
              axis: { format: "~%", tickCount: 6 },
            },
            color: {
              field: "label",
              type: "nominal",
              scale: {
                domain: lines.map(({ label }) => label),
                range: [BLUE, ...SERIES.filter((colour) => colour !== BLUE)].slice(0, lines.length),
              },
              legend: { orient: "right", symbolType: "stroke" },
            },
          },
        },
      ],
    },
  };
}

function total(shares: readonly number[]): number {
  return shares.reduce((sum, share) => sum + share, 0);
}
