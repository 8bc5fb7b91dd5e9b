/** What optimizers do to weights, in one pass over the memory and in place. */
import { fma } from "./fma";
import { load, store } from "./lanes";

/**
 * Stochastic gradient descent with momentum: v = momentum·v + g, w = w − rate·v.
 *
 * @param w `[count]` weights, written
 * @param g `[count]` gradients
 * @param v `[count]` velocities, written; 0 for none
 */
export function sgd(w: usize, g: usize, v: usize, count: usize, rate: f32, momentum: f32): void {
  const minusRate = f32x4.splat(-rate), keep = f32x4.splat(momentum);
  for (let i: usize = 0, four = true; i < count; i += four ? 4 : 1) {
    four = i + 4 <= count;
    const at = i << 2;
    let step = load(g + at, four);
    if (v) store(v + at, step = fma(keep, load(v + at, four), step), four);
    store(w + at, fma(minusRate, step, load(w + at, four)), four);
  }
}

/**
 * AdamW (arXiv:1711.05101): w = decay·w − rate·m / (√(v·scale) + epsilon), where m and v are the running means
 * of g and g².
 *
 * @param w `[count]` weights, written
 * @param g `[count]` gradients
 * @param m `[count]` written
 * @param v `[count]` written
 * @param rate the learning rate, divided by the bias correction of m
 * @param scale one over the bias correction of v
 */
export function adamW(
  w: usize, g: usize, m: usize, v: usize, count: usize,
  rate: f32, decay: f32, beta1: f64, beta2: f64, scale: f32, epsilon: f32,
): void {
  const minusRate = f32x4.splat(-rate), keepW = f32x4.splat(decay), scales = f32x4.splat(scale);
  const keepM = f32x4.splat(<f32>beta1), keepV = f32x4.splat(<f32>beta2), epsilons = f32x4.splat(epsilon);
  // Subtracted in float64: in float32, 1 − 0.999 is off by one part in 80,000.
  const takeM = f32x4.splat(<f32>(1 - beta1)), takeV = f32x4.splat(<f32>(1 - beta2));
  for (let i: usize = 0, four = true; i < count; i += four ? 4 : 1) {
    four = i + 4 <= count;
    const at = i << 2, gradient = load(g + at, four);
    const mean = fma(takeM, gradient, f32x4.mul(keepM, load(m + at, four)));
    const square = fma(f32x4.mul(takeV, gradient), gradient, f32x4.mul(keepV, load(v + at, four)));
    store(m + at, mean, four);
    store(v + at, square, four);
    const step = f32x4.div(mean, f32x4.add(f32x4.sqrt(f32x4.mul(square, scales)), epsilons));
    store(w + at, fma(minusRate, step, f32x4.mul(keepW, load(w + at, four))), four);
  }
}

/**
 * A moving average: a = decay·a + (1 − decay)·w. Not fused, as TensorFlow.js's operations are not.
 *
 * @param a `[count]`, written
 * @param w `[count]`
 * @param rest 1 − decay
 */
export function average(a: usize, w: usize, count: usize, decay: f32, rest: f32): void {
  const keep = f32x4.splat(decay), take = f32x4.splat(rest);
  for (let i: usize = 0, four = true; i < count; i += four ? 4 : 1) {
    four = i + 4 <= count;
    const at = i << 2;
    store(a + at, f32x4.add(f32x4.mul(load(a + at, four), keep), f32x4.mul(load(w + at, four), take)), four);
  }
}
