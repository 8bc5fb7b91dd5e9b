/** Batch normalization (arXiv:1502.03167) of the columns of a matrix with a ReLU after it, and the gradients. */
import { fma } from "./fma";
import { load, store } from "./lanes";
import { sumRows } from "./sum";

/**
 * y = max(gamma·(x − mean) / √(variance + epsilon) + beta, floor) with the mean and the variance of each column.
 *
 * @param x `[rows, columns]`
 * @param gamma `[columns]`
 * @param beta `[columns]`
 * @param y `[rows, columns]`, written
 * @param mean `[columns]`, written
 * @param inverse `[columns]`, written: 1 / √(variance + epsilon)
 * @param floor 0 for ReLU, else -∞
 */
export function batchNorm(
  x: usize, gamma: usize, beta: usize, y: usize, mean: usize, inverse: usize,
  rows: usize, columns: usize, epsilon: f32, floor: f32,
): void {
  const count = f32x4.splat(<f32>rows), one = f32x4.splat(1), epsilons = f32x4.splat(epsilon);
  const limit = f32x4.splat(floor), end = columns << 2;
  sumRows(x, mean, rows, columns);
  for (let j: usize = 0, four = true; j < end; j += four ? 16 : 4) {
    four = j + 16 <= end;
    store(mean + j, f32x4.div(load(mean + j, four), count), four);
  }
  // A second pass, as the mean of squares minus the squared mean cancels where the mean is large.
  memory.fill(inverse, 0, end);
  for (let row: usize = 0, from = x; row < rows; row++, from += end) {
    for (let j: usize = 0, four = true; j < end; j += four ? 16 : 4) {
      four = j + 16 <= end;
      const centered = f32x4.sub(load(from + j, four), load(mean + j, four));
      store(inverse + j, fma(centered, centered, load(inverse + j, four)), four);
    }
  }
  for (let j: usize = 0, four = true; j < end; j += four ? 16 : 4) {
    four = j + 16 <= end;
    const variance = f32x4.div(load(inverse + j, four), count);
    store(inverse + j, f32x4.div(one, f32x4.sqrt(f32x4.add(variance, epsilons))), four);
  }
  for (let row: usize = 0; row < rows; row++, x += end, y += end) {
    for (let j: usize = 0, four = true; j < end; j += four ? 16 : 4) {
      four = j + 16 <= end;
      const centered = f32x4.sub(load(x + j, four), load(mean + j, four));
      const normal = f32x4.mul(centered, load(inverse + j, four));
      // pmax keeps NaN, as the tiles of gemm.ts do.
      store(y + j, f32x4.pmax(fma(normal, load(gamma + j, four), load(beta + j, four)), limit), four);
    }
  }
}

/**
 * The gradients of {@linkcode batchNorm}. With g = dy where y > floor, else 0, and n = (x − mean)·inverse:
 * dBeta = Σg, dGamma = Σ(g·n), dx = gamma·inverse·(g − (dBeta + n·dGamma) / rows).
 *
 * @param dy `[rows, columns]`
 * @param y `[rows, columns]`, mean and inverse `[columns]`: what `batchNorm` wrote
 * @param x `[rows, columns]`
 * @param gamma `[columns]`
 * @param dx `[rows, columns]`, written
 * @param dGamma `[columns]`, written
 * @param dBeta `[columns]`, written
 */
export function batchNormGradient(
  dy: usize, y: usize, x: usize, gamma: usize, mean: usize, inverse: usize,
  dx: usize, dGamma: usize, dBeta: usize, rows: usize, columns: usize, floor: f32,
): void {
  const count = f32x4.splat(<f32>rows), limit = f32x4.splat(floor), end = columns << 2;
  memory.fill(dGamma, 0, end);
  memory.fill(dBeta, 0, end);
  for (let row: usize = 0, from = x, to = dx; row < rows; row++, from += end, to += end, dy += end, y += end) {
    for (let j: usize = 0, four = true; j < end; j += four ? 16 : 4) {
      four = j + 16 <= end;
      const gradient = v128.and(load(dy + j, four), f32x4.gt(load(y + j, four), limit));
      const centered = f32x4.sub(load(from + j, four), load(mean + j, four));
      const normal = f32x4.mul(centered, load(inverse + j, four));
      store(to + j, gradient, four);
      store(dBeta + j, f32x4.add(load(dBeta + j, four), gradient), four);
      store(dGamma + j, fma(gradient, normal, load(dGamma + j, four)), four);
    }
  }
  for (let row: usize = 0; row < rows; row++, x += end, dx += end) {
    for (let j: usize = 0, four = true; j < end; j += four ? 16 : 4) {
      four = j + 16 <= end;
      const scale = load(inverse + j, four);
      const normal = f32x4.mul(f32x4.sub(load(x + j, four), load(mean + j, four)), scale);
      const shared = f32x4.div(fma(normal, load(dGamma + j, four), load(dBeta + j, four)), count);
      const step = f32x4.mul(load(gamma + j, four), scale);
      store(dx + j, f32x4.mul(step, f32x4.sub(load(dx + j, four), shared)), four);
    }
  }
}
