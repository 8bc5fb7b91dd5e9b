/**
 * Predictions as `deno task predict` prints them: a table, JSON lines or CSV.
 *
 * @module
 */
import { percent } from "../../shared/format.ts";
import type { ImageFamiliarity, ScoredLabel } from "../../shared/inference/classifier.ts";
import { toSnakeCase } from "../../shared/naming.ts";
import type { NamedPicture } from "./pictures.ts";
import { cell, colored, displayWidth, fitTable, truncate, truncatePath } from "./table.ts";

/** What the model says about a picture. */
export interface Prediction extends NamedPicture {
  /** The most probable classes, best first. */
  top: ScoredLabel[];
  /** Absent for models without that output. */
  familiarity?: ImageFamiliarity;
}

/** One way to print predictions, line by line. */
export interface Writer {
  /** Lines before the first prediction. */
  head(): string[];
  line(prediction: Prediction): string;
  /** Lines after the last one. */
  foot(predictions: readonly Prediction[]): string[];
}

/** What a writer must know before the first prediction. */
export interface WriterOptions {
  model: { name: string; version: string };
  labels: readonly string[];
  pictures: readonly NamedPicture[];
  topK: number;
  /** Whether the model has the output. */
  hasFamiliarity: boolean;
  /** Columns of the terminal; undefined for any number. */
  width: number | undefined;
}

/** One object per line. */
export function jsonWriter({ model }: WriterOptions): Writer {
  return {
    head: () => [],
    line: ({ file, expected, top, familiarity }) =>
      JSON.stringify(
        toSnakeCase({ file, model, ...(expected !== undefined && { expected }), top, ...familiarity }),
      ),
    foot: () => [],
  };
}

/** Comma-separated values with a head (https://www.rfc-editor.org/rfc/rfc4180); columns do not depend on the files. */
export function csvWriter({ topK, labels }: WriterOptions): Writer {
  const ranks = Array.from({ length: Math.min(topK, labels.length) }, (_, i) => i);
  return {
    head: () => [
      [
        "file",
        "expected",
        ...ranks.flatMap((i) => [`label_${i + 1}`, `score_${i + 1}`]),
        "familiarity",
        "unfamiliar",
      ]
        .join(),
    ],
    line: ({ file, expected, top, familiarity }) =>
      [
        csvCell(file),
        csvCell(expected ?? ""),
        ...ranks.flatMap((i) => [csvCell(top[i]!.label), top[i]!.score.toFixed(6)]),
        familiarity?.familiarity.toFixed(6) ?? "",
        familiarity?.unfamiliar ?? "",
      ].join(),
    foot: () => [],
  };
}

function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A note of "wrong, unfamiliar". */
const NOTE = 17;

/** A table, whose columns are as wide as the file names and labels are; then the accuracy by class folder. */
export function tableWriter({ labels, pictures, topK, hasFamiliarity, width }: WriterOptions): Writer {
  const hasExpected = pictures.some(({ expected }) => expected !== undefined);
  const noteWidth = hasExpected && hasFamiliarity ? NOTE : hasFamiliarity ? 10 : hasExpected ? 5 : 0;
  const longest = (texts: string[]): number =>
    texts.reduce((most, text) => Math.max(most, displayWidth(text)), 0);
  let label = longest(["label", ...labels]), file = longest(["file", ...pictures.map(({ file }) => file)]);
  if (width !== undefined) {
    label = Math.min(label, Math.max(8, width >> 2));
    // The score, the note and the gaps have their width; the next classes get what is left.
    file = Math.min(file, Math.max(12, width - label - 7 - noteWidth - 8));
  }
  const row = (
    [path, name, score, note, next]: [path: string, name: string, score: string, note: string, next: string],
  ): string => {
    const start = [
      cell(truncatePath(path, file), file),
      cell(truncate(name, label), label),
      cell(score, 7, "right"),
    ].join("  ");
    const noted = noteWidth > 0 ? `  ${cell(note, noteWidth)}` : "";
    const left = width === undefined ? Infinity : width - displayWidth(start) - displayWidth(noted) - 2;
    const end = topK > 1 && left > 0 ? `  ${cell(truncate(next, left))}` : "";
    return `${start}${colored(noted, note.startsWith("wrong") ? "red" : "yellow")}${end}`.trimEnd();
  };
  return {
    head: () => [row(["file", "label", "score", "note", "next"])],
    line: ({ file, expected, top: [best, ...others], familiarity }) =>
      row([
        file,
        best!.label,
        percent(best!.score),
        [
          ...(expected !== undefined && expected !== best!.label ? ["wrong"] : []),
          ...(familiarity?.unfamiliar ? ["unfamiliar"] : []),
        ].join(", "),
        others.map(({ label, score }) => `${label} ${percent(score)}`).join(", "),
      ]),
    foot: (predictions) => [...accuracyLines(predictions, width), ...familiarityLines(predictions)],
  };
}

/** How many pictures of each class folder got its class. */
function accuracyLines(predictions: readonly Prediction[], width: number | undefined): string[] {
  const counts = new Map<string, { images: number; correct: number }>();
  for (const { expected, top } of predictions) {
    if (expected === undefined) continue;
    const { images, correct } = counts.get(expected) ?? { images: 0, correct: 0 };
    counts.set(expected, { images: images + 1, correct: correct + Number(top[0]!.label === expected) });
  }
  if (counts.size === 0) return [];
  const classes = [...counts];
  const sum = (key: "images" | "correct"): number => classes.reduce((sum, [, count]) => sum + count[key], 0);
  const all = { images: sum("images"), correct: sum("correct") };
  const rows = [...classes, ["all", all] as const].map(([name, { images, correct }]) => [
    name,
    String(images),
    String(correct),
    percent(correct / images),
  ]);
  return ["", fitTable([["folder", "images", "correct", "accuracy"], ...rows], width)];
}

function familiarityLines(predictions: readonly Prediction[]): string[] {
  const count = predictions.filter(({ familiarity }) => familiarity?.unfamiliar).length;
  if (count === 0 || predictions.length === 1) return [];
  return [
    "",
    `${count} of ${predictions.length} pictures do not resemble the training images: their labels mean little`,
  ];
}
