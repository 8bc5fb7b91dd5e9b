/**
 * C = max(C + bias, floor), in place.
 *
 * @param c `[rows, columns]`, written
 * @param bias `[columns]`, or 0 for none
 * @param floor 0 for ReLU, else -∞
 */
export function activate(c: usize, bias: usize, rows: usize, columns: usize, floor: f32): void {
  const limit = f32x4.splat(floor), end = columns << 2, fours = end & ~15;
  for (let row: usize = 0; row < rows; row++, c += end) {
    let j: usize = 0;
    for (; j < fours; j += 16) {
      let x = v128.load(c + j);
      if (bias) x = f32x4.add(x, v128.load(bias + j));
      // pmax keeps NaN, as the tiles of gemm.ts do.
      v128.store(c + j, f32x4.pmax(x, limit));
    }
    for (; j < end; j += 4) {
      let x = f32.load(c + j);
      if (bias) x += f32.load(bias + j);
      f32.store(c + j, x < floor ? floor : x);
    }
  }
}

/**
 * The gradient of a ReLU: dz = dy where y > 0, else dy·0, as TensorFlow.js computes it.
 *
 * @param dy `[count]`
 * @param y `[count]`, what the ReLU returned
 * @param dz `[count]`, written
 */
export function reluGradient(dy: usize, y: usize, dz: usize, count: usize): void {
  const zero = f32x4.splat(0), one = f32x4.splat(1), end = count << 2, fours = end & ~15;
  let i: usize = 0;
  for (; i < fours; i += 16) {
    const step = v128.and(f32x4.gt(v128.load(y + i), zero), one);
    v128.store(dz + i, f32x4.mul(v128.load(dy + i), step));
  }
  for (; i < end; i += 4) f32.store(dz + i, f32.load(dy + i) * (f32.load(y + i) > 0 ? 1 : 0));
}
