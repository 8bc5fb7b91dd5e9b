/** Runs side by side: results, settings and learning curves. */
import { percent } from "../../shared/format.ts";
import { epochAxis } from "./learning_curves.ts";
import type { RunMetrics } from "../artifact/metrics.ts";
import { type Picture, SERIES } from "./picture.ts";

/** A run with a name that distinguishes it from the others. */
export interface NamedRun {
  label: string;
  run: RunMetrics;
}

/** One line of the table; an absent value is undefined. */
export interface ComparedSetting {
  key: string;
  values: unknown[];
  /** Whether the runs have different values. */
  differs: boolean;
}

/** The results of one run; accuracies, errors and F1 are in 0..1. */
export interface ComparedResult {
  label: string;
  version: string;
  testAccuracy: number;
  testLoss: number;
  validationAccuracy?: number;
  calibrationError: number;
  weakestClass: string;
  weakestF1: number;
  bestEpoch?: number;
  seconds: number;
}

export interface Comparison {
  results: ComparedResult[];
  settings: ComparedSetting[];
}

/** Compares runs. */
export function compareRuns(runs: readonly NamedRun[]): Comparison {
  const settings = runs.map(({ run: { provenance } }) => ({
    dataset: provenance.dataset.name,
    "dataset sha256": provenance.dataset.sha256.slice(0, 12),
    seed: provenance.seed,
    backend: provenance.backend,
    "code version": provenance.codeVersion,
    ...Object.fromEntries(Object.entries(provenance.recipe).map(([key, value]) => [`recipe.${key}`, value])),
  } as Record<string, unknown>));
  const keys = new Set(settings.flatMap(Object.keys));
  return {
    results: runs.map(result),
    settings: Array.from(keys, (key) => {
      const values = settings.map((of) => of[key]);
      return { key, values, differs: new Set(values.map((value) => JSON.stringify(value))).size > 1 };
    }),
  };
}

function result({ label, run }: NamedRun): ComparedResult {
  const { version, test, validation, calibration, classes, bestEpoch, seconds } = run;
  const weakest = classes.reduce((worst, other) => other.f1 < worst.f1 ? other : worst);
  return {
    label,
    version,
    testAccuracy: test.accuracy,
    testLoss: test.loss,
    ...(validation && { validationAccuracy: validation.accuracy }),
    calibrationError: calibration.ece.after,
    weakestClass: weakest.label,
    weakestF1: weakest.f1,
    ...(bestEpoch !== undefined && { bestEpoch }),
    seconds,
  };
}

/** The comparison as lines of a table; `≠` marks the settings that differ. */
export function comparisonRows({ results, settings }: Comparison): string[][] {
  const each = (
    key: string,
    show: (of: ComparedResult) => string,
  ): string[] => ["", key, ...results.map(show)];
  return [
    each("", ({ label }) => label),
    each("version", ({ version }) => version),
    each("test accuracy", ({ testAccuracy }) => percent(testAccuracy, 2)),
    each("test cross-entropy", ({ testLoss }) => testLoss.toFixed(4)),
    each(
      "validation accuracy",
      ({ validationAccuracy }) => validationAccuracy === undefined ? "–" : percent(validationAccuracy, 2),
    ),
    each("calibration error", ({ calibrationError }) => percent(calibrationError, 2)),
    each("weakest class", ({ weakestClass }) => weakestClass),
    each("its F1", ({ weakestF1 }) => percent(weakestF1, 2)),
    each("best epoch", ({ bestEpoch }) => String(bestEpoch ?? "–")),
    each("seconds", ({ seconds }) => String(Math.round(seconds))),
    ...settings.map(({ key, values, differs }) => [differs ? "≠" : "", key, ...values.map(show)]),
  ];
}

function show(value: unknown): string {
  return value === undefined ? "–" : typeof value === "string" ? value : JSON.stringify(value);
}

/** Draws the learning curves of all runs in one plot: validation if every run has it, else the training loss. */
export function comparisonCurves(runs: readonly NamedRun[]): Picture {
  const validated = runs.every(({ run }) => run.validation);
  const epochs = Math.max(...runs.map(({ run }) => run.epochs.length));
  const lines = runs.flatMap(({ label, run }) =>
    run.epochs.map(({ epoch, trainLoss, validation }) => ({
      label,
      epoch,
      loss: validated ? validation?.loss : trainLoss,
      accuracy: validation?.accuracy,
    }))
  );
  const color = {
    field: "label",
    type: "nominal",
    sort: null,
    scale: {
      domain: runs.map(({ label }) => label),
      range: runs.map((_, i) => SERIES[i % SERIES.length]!),
    },
    legend: { orient: "top", symbolType: "stroke", columns: 4, labelLimit: 220 },
  };
  const panel = (field: string, title: string, format: string): unknown => ({
    width: validated ? 300 : 480,
    height: 240,
    mark: { type: "line", strokeWidth: 2, point: epochs <= 12 ? { size: 36, filled: true } : false },
    encoding: {
      x: epochAxis(epochs),
      y: { field, type: "quantitative", title, axis: { format, tickCount: 6 }, scale: { zero: false } },
      color,
    },
  });
  return {
    title: "Runs side by side",
    subtitle: runs.map(({ label, run }) => `${label}: test accuracy ${percent(run.test.accuracy, 2)}`),
    spec: {
      data: { values: lines },
      spacing: 36,
      hconcat: [
        panel("loss", validated ? "validation loss" : "training loss", ".3~f"),
        ...(validated ? [panel("accuracy", "validation accuracy", "~%")] : []),
      ],
    },
  };
}

/** The shortest end of each path that distinguishes it from the others. */
export function shortLabels(paths: readonly string[]): string[] {
  const parts = paths.map((path) =>
    path.replace(/\/metrics\.json$/, "").split("/").filter((part) => part !== "" && part !== ".")
  );
  return parts.map((own, i) => {
    for (let length = 1; length < own.length; length++) {
      const end = own.slice(-length).join("/");
      if (parts.every((other, j) => j === i || other.slice(-length).join("/") !== end)) return end;
    }
    return own.join("/") || paths[i]!;
  });
}
