/**
 * What a Linear layer computes, worked out by hand beside the framework, as PyTorch's documentation of
 * `nn.Linear` states it: `y = xAᵀ + b`.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { Mlp } from "../learning/mlp.ts";

/** The layer of the study: two features in, one out. */
export interface LinearStudy {
  /** x, `[2, 2]` */
  x: [number, number][];
  /** A, `[1, 2]` */
  weight: [number, number];
  /** b, `[1]` */
  bias: number;
  /** One row per row of x. */
  rows: {
    /** What TensorFlow.js answers, in float32. */
    framework: number;
    /** `x₀·A₀ + x₁·A₁ + b` in float64, JavaScript's own numbers. */
    exact: number;
    /** The same sum, rounded to float32 after every operation. */
    rounded: number;
  }[];
}

/** Runs `[[100, 200], [300, 400]]` through a freshly initialised Linear layer. */
export async function studyLinear(seed: number): Promise<LinearStudy> {
  const x: [number, number][] = [[100, 200], [300, 400]];
  const layer = new Mlp([2, 1], seed);
  const { weight, bias } = (await layer.weights())[0]!;
  const y = tf.tidy(() => layer.logits(tf.tensor2d(x)));
  const framework = await y.data();
  y.dispose();
  layer.dispose();
  const a0 = weight[0]!, a1 = weight[1]!, b = bias[0]!;
  const f = Math.fround;
  return {
    x,
    weight: [a0, a1],
    bias: b,
    rows: x.map(([x0, x1], i) => ({
      framework: framework[i]!,
      exact: x0 * a0 + x1 * a1 + b,
      rounded: f(f(f(x0 * a0) + f(x1 * a1)) + b),
    })),
  };
}

/** The study as lines to read. */
export function explainLinear({ x, weight: [a0, a1], bias, rows }: LinearStudy): string {
  return [
    "Linear(in_features=2, out_features=1) computes y = xAᵀ + b",
    `  x = [${x.map((row) => `[${row.join(", ")}]`).join(", ")}]`,
    `  A = [[${a0.toFixed(8)}, ${a1.toFixed(8)}]]   (the weight, [out, in])`,
    `  b = [${bias.toFixed(8)}]`,
    ...rows.flatMap(({ framework, exact, rounded }, i) => [
      `  row ${i}: ${x[i]![0]} · ${a0.toFixed(8)} + ${x[i]![1]} · ${a1.toFixed(8)} + ${bias.toFixed(8)}`,
      `         by hand, float64     ${exact.toFixed(12)}`,
      `         by hand, float32     ${rounded.toFixed(12)}`,
      `         TensorFlow.js        ${framework.toFixed(12)}`,
    ]),
    "  The last digits differ as float32 keeps about 7 decimal digits and is rounded after every operation;",
    "  JavaScript's own numbers are float64 and keep about 16.",
  ].join("\n");
}
