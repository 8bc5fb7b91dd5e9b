/** Learning curves: loss and accuracy by epoch. */
import { percent } from "../../shared/format.ts";
import type { RunMetrics } from "../artifact/metrics.ts";
import { BLUE, INK, MUTED, ORANGE, type Picture } from "./picture.ts";

const TRAINING = "training", VALIDATION = "validation";

/** Draws the loss on both splits, and the validation accuracy with the epoch that was kept. */
export function learningCurves(run: RunMetrics): Picture {
  const { epochs, bestEpoch, name } = run;
  const validated = epochs.some(({ validation }) => validation);
  const losses = epochs.flatMap(({ epoch, trainLoss, validation }) => [
    { epoch, value: trainLoss, split: TRAINING },
    ...(validation ? [{ epoch, value: validation.loss, split: VALIDATION }] : []),
  ]);
  const accuracies = epochs.flatMap(({ epoch, validation }) =>
    validation ? [{ epoch, value: validation.accuracy, split: VALIDATION }] : []
  );
  const panels = [
    panel("Loss", losses, ".3~f", validated),
    ...(validated ? [panel("Accuracy", accuracies, "~%", validated)] : []),
  ];
  const best = bestEpoch === undefined ? undefined : epochs[bestEpoch - 1]?.validation;
  return {
    title: `${name}: learning curves`,
    subtitle: best
      ? `Kept: epoch ${bestEpoch}, validation accuracy ${percent(best.accuracy, 2)}. ` +
        "The training loss includes dropout and augmentation."
      : "There are no validation images; the last epoch was kept.",
    spec: {
      hconcat: panels.map((one, i) => withBest(one, best ? bestEpoch : undefined, i === 0 ? 6 : 212)),
      spacing: 36,
    },
  };

  function panel(title: string, values: unknown[], format: string, legend: boolean): Record<string, unknown> {
    return {
      width: validated ? 300 : 480,
      height: 220,
      data: { values },
      encoding: { x: epochAxis(epochs.length) },
      layer: [{
        // A line through a single epoch would be invisible.
        mark: {
          type: "line",
          strokeWidth: 2,
          point: epochs.length <= 12 ? { size: 36, filled: true } : false,
        },
        encoding: {
          y: {
            field: "value",
            type: "quantitative",
            title,
            axis: { format, tickCount: 6 },
            scale: { zero: false, nice: true },
          },
          color: {
            field: "split",
            type: "nominal",
            scale: { domain: [TRAINING, VALIDATION], range: [BLUE, ORANGE] },
            legend: legend ? { orient: "top", symbolType: "stroke" } : null,
          },
        },
      }],
    };
  }
}

/** The x axis of everything that goes by epochs. */
export function epochAxis(count: number): Record<string, unknown> {
  return {
    field: "epoch",
    type: "quantitative",
    title: "epoch",
    axis: { grid: false, format: "d", tickMinStep: 1, tickCount: Math.min(count, 8) },
    scale: { nice: false, zero: false, ...(count === 1 && { domain: [0, 2] }) },
  };
}

function withBest(
  panel: Record<string, unknown>,
  epoch: number | undefined,
  y: number,
): Record<string, unknown> {
  if (epoch === undefined) return panel;
  const mark = { type: "rule", strokeDash: [3, 3], color: MUTED };
  const best = {
    data: { values: [{ epoch }] },
    mark,
    encoding: { x: { field: "epoch", type: "quantitative" } },
  };
  const name = {
    ...best,
    // Losses fall and leave room above, accuracies rise and leave it below.
    mark: { type: "text", color: INK, text: "kept", align: "right", dx: -4, y, fontSize: 11 },
  };
  return { ...panel, layer: [best, ...(panel["layer"] as unknown[]), name] };
}
