/**
 * C = A·B in float32. docs/wasm-gemm.md explains the idea.
 */

import { fma } from "./fma";

/** A tile of C that stays in registers: 5 rows of 8 columns are 10 of the 15 registers that V8 gives out. */
const MR: usize = 5, NR: usize = 8;
/** Depth of a block. A panel of A and one of B (20 + 32 bytes a step) stay in 32 KiB of L1 cache. */
const KC: usize = 512;
/** Rows of a block of A, which stays in L2 cache. */
const MC: usize = 130;
/** Columns of a block of B. */
const NC: usize = 1024;
/** The same if A has but one block, for B as it lies and for B transposed. */
const BITE: usize = 512, BITE_TRANSPOSED: usize = 64;
/** Panels lie this many steps further apart than they are long, lest powers of two share one cache set. */
const GAP: usize = 4;

/** Where the parts of the scratch memory begin. Padding: the panels at the edges are as wide as the others. */
const PACKED_A: usize = 0;
const PACKED_B: usize = PACKED_A + MC * (KC + GAP) * 4;
const START: usize = PACKED_B + (KC + GAP) * NC * 4;
const EDGE: usize = START + (NC + NR) * 4;

/** How much scratch memory `gemm` needs, in bytes. */
export function scratchBytes(): usize {
  return EDGE + MR * NR * 4;
}

/**
 * C = A·B, or C = A·B + bias, or the ReLU of either. The matrices are row-major.
 *
 * @param a `[m, k]`, or `[k, m]` if it is to be transposed
 * @param b `[k, n]`, or `[n, k]` if it is to be transposed
 * @param c `[m, n]`, written without being read
 * @param lda numbers from one row of A, as it lies, to the next; likewise the others
 * @param bias `[n]`, or 0 for none
 * @param floor the least value of C: 0 for ReLU, else -∞
 * @param scratch aligned to 64
 */
export function gemm(
  a: usize, b: usize, c: usize, m: usize, n: usize, k: usize, lda: usize, ldb: usize, ldc: usize,
  transposeA: bool, transposeB: bool, bias: usize, floor: f32, scratch: usize,
): void {
  // Bytes from one row, and from one step in depth, to the next.
  const aRow: usize = transposeA ? 4 : lda << 2, aStep: usize = transposeA ? lda << 2 : 4;
  const bColumn: usize = transposeB ? ldb << 2 : 4, bStep: usize = transposeB ? 4 : ldb << 2;
  const packedA = scratch + PACKED_A, packedB = scratch + PACKED_B;
  const start = scratch + START, edge = scratch + EDGE;
  // Depth is cut into equal blocks: a short last one would pay the price of a whole one.
  const blocks = max<usize>(1, (k + KC - 1) / KC);
  const depth = (((k + blocks - 1) / blocks) + 3) & ~3;

  // A block of B is packed once and used for each block of A. If there is but one, B is better taken in small
  // bites, packed to one place that stays in cache; but not too small, as memory is best read in long rows.
  const bite = m > MC ? NC : transposeB ? BITE_TRANSPOSED : BITE;

  for (let block: usize = 0; block < blocks; block++) {
    const pc = min(block * depth, k), kc = min(depth, k - pc);
    const steps = max<usize>(4, (kc + 3) & ~3);
    const limit: f32 = block == blocks - 1 ? floor : -Infinity;
    // What one row of A or column of B takes when it is packed.
    const pitch = (steps + GAP) << 2;
    for (let jc: usize = 0; jc < n; jc += bite) {
      const nc = min(bite, n - jc);
      pack(packedB, b + (jc * bColumn + pc * bStep), nc, kc, steps, bColumn, bStep, NR);
      if (block == 0) {
        // The first block starts from the bias, as from a row that is the same everywhere; the others from C.
        memory.fill(start, 0, (nc + NR) << 2);
        if (bias) memory.copy(start, bias + (jc << 2), nc << 2);
      }
      for (let ic: usize = 0; ic < m; ic += MC) {
        const mc = min(MC, m - ic);
        if (jc == 0 || m > MC) {
          pack(packedA, a + (ic * aRow + pc * aStep), mc, kc, steps, aRow, aStep, MR);
        }
        for (let j: usize = 0; j < nc; j += NR) {
          const columns = min(NR, nc - j), panel = packedB + j * pitch;
          for (let i: usize = 0; i < mc; i += MR) {
            const rows = min(MR, mc - i);
            const to = c + ((ic + i) * ldc + jc + j) * 4;
            const from = block == 0 ? start + j * 4 : to;
            const stride: usize = ldc << 2, fromStride: usize = block == 0 ? 0 : stride;
            const left = packedA + i * pitch;
            if (rows == MR && columns == NR) {
              tile(left, panel, steps, from, fromStride, to, stride, limit);
            } else {
              // At the edges of C the whole tile is computed beside it, and what belongs to C is copied.
              if (block != 0) copy(edge, NR << 2, to, stride, rows, columns);
              tile(left, panel, steps, block == 0 ? from : edge, block == 0 ? 0 : NR << 2, edge, NR << 2, limit);
              copy(to, stride, edge, NR << 2, rows, columns);
            }
          }
        }
      }
    }
  }
}

/** Copies part of a tile. */
function copy(to: usize, toStride: usize, from: usize, fromStride: usize, rows: usize, columns: usize): void {
  for (let i: usize = 0; i < rows; i++, to += toStride, from += fromStride) {
    if (columns == NR) {
      v128.store(to, v128.load(from));
      v128.store(to, v128.load(from, 16), 16);
    } else {
      for (let j: usize = 0; j < columns; j++) f32.store(to + (j << 2), f32.load(from + (j << 2)));
    }
  }
}

/**
 * Cuts rows of A (or columns of B) into panels of `width`, and lays each panel so that the `width` numbers of
 * a step in depth lie side by side. The last panel is filled up with zeros, and so is `depth` up to `steps`.
 *
 * @param line bytes from one row of A (column of B) to the next
 * @param step bytes from one step in depth to the next
 */
function pack(
  to: usize, from: usize, count: usize, depth: usize, steps: usize, line: usize, step: usize, width: usize,
): void {
  const toStep = width << 2, whole = depth & ~3, toPanel = (steps + GAP) * toStep;
  const full = count - count % width;
  if (whole < steps) {
    for (let i: usize = 0; i < count; i += width) memory.fill(to + i / width * toPanel + whole * toStep, 0, toStep * 4);
  }
  if (full < count) memory.fill(to + full / width * toPanel, 0, toPanel);
  if (line == 4) {
    // Along the memory, as each step may lie in another page.
    for (let k: usize = 0; k < depth; k++, from += step) {
      let target = to + k * toStep, source = from;
      for (const end = from + (full << 2); source != end; source += toStep, target += toPanel) {
        v128.store(target, v128.load(source));
        if (width == 8) v128.store(target + 16, v128.load(source + 16));
        else f32.store(target + 16, f32.load(source + 16));
      }
      for (let i = full; i < count; i++, source += 4, target += 4) f32.store(target, f32.load(source));
    }
    return;
  }
  for (let i: usize = 0; i < count; i += width) {
    const lines = min(width, count - i), target = to + i / width * toPanel, source = from + i * line;
    let l: usize = 0;
    for (; l + 4 <= lines; l += 4) {
      for (let k: usize = 0; k < whole; k += 4) {
        transpose(target + k * toStep + (l << 2), toStep, source + l * line + (k << 2), line);
      }
    }
    for (let k: usize = 0; k < depth; k++) {
      for (let rest = k < whole ? l : 0; rest < lines; rest++) {
        f32.store(target + k * toStep + (rest << 2), f32.load(source + rest * line + (k << 2)));
      }
    }
  }
}

/** Transposes a matrix of 4×4. */
function transpose(to: usize, toStride: usize, from: usize, fromStride: usize): void {
  const a = v128.load(from), b = v128.load(from + fromStride);
  const c = v128.load(from + 2 * fromStride), d = v128.load(from + 3 * fromStride);
  const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5), AB = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
  const cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5), CD = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<f32>(ab, cd, 0, 1, 4, 5));
  v128.store(to + toStride, v128.shuffle<f32>(ab, cd, 2, 3, 6, 7));
  v128.store(to + 2 * toStride, v128.shuffle<f32>(AB, CD, 0, 1, 4, 5));
  v128.store(to + 3 * toStride, v128.shuffle<f32>(AB, CD, 2, 3, 6, 7));
}

/**
 * The product of two packed panels, added to a tile. This is where the time goes, so it is written for what
 * V8 makes of it. Without guard pages, as in Deno, every load is checked against the memory's end: addresses
 * are summed up here rather than given as offsets, as V8 then needs one limit for all of them. Three of five
 * numbers of A come out of one load by shuffles, the others are loaded as splats: that keeps both the load
 * and the shuffle units below what the multiplications take.
 *
 * @param steps a multiple of 4, not 0
 * @param from the tile to start from, which may be the one written
 */
function tile(
  a: usize, b: usize, steps: usize, from: usize, fromStride: usize, to: usize, toStride: usize, floor: f32,
): void {
  let c00 = v128.load(from + 0 * fromStride), c01 = v128.load(from + 0 * fromStride + 16);
  let c10 = v128.load(from + 1 * fromStride), c11 = v128.load(from + 1 * fromStride + 16);
  let c20 = v128.load(from + 2 * fromStride), c21 = v128.load(from + 2 * fromStride + 16);
  let c30 = v128.load(from + 3 * fromStride), c31 = v128.load(from + 3 * fromStride + 16);
  let c40 = v128.load(from + 4 * fromStride), c41 = v128.load(from + 4 * fromStride + 16);
  const end = a + steps * 20;
  do {
    let b0: v128, b1: v128, a0123: v128, ai: v128;
    b0 = v128.load(b), b1 = v128.load(b + 16), a0123 = v128.load(a);
    ai = v128.shuffle<f32>(a0123, a0123, 0, 0, 0, 0), c00 = fma(ai, b0, c00), c01 = fma(ai, b1, c01);
    ai = v128.shuffle<f32>(a0123, a0123, 1, 1, 1, 1), c10 = fma(ai, b0, c10), c11 = fma(ai, b1, c11);
    ai = v128.shuffle<f32>(a0123, a0123, 2, 2, 2, 2), c20 = fma(ai, b0, c20), c21 = fma(ai, b1, c21);
    ai = v128.load_splat<f32>(a + 12), c30 = fma(ai, b0, c30), c31 = fma(ai, b1, c31);
    ai = v128.load_splat<f32>(a + 16), c40 = fma(ai, b0, c40), c41 = fma(ai, b1, c41);
    b0 = v128.load(b + 32), b1 = v128.load(b + 48), a0123 = v128.load(a + 20);
    ai = v128.shuffle<f32>(a0123, a0123, 0, 0, 0, 0), c00 = fma(ai, b0, c00), c01 = fma(ai, b1, c01);
    ai = v128.shuffle<f32>(a0123, a0123, 1, 1, 1, 1), c10 = fma(ai, b0, c10), c11 = fma(ai, b1, c11);
    ai = v128.shuffle<f32>(a0123, a0123, 2, 2, 2, 2), c20 = fma(ai, b0, c20), c21 = fma(ai, b1, c21);
    ai = v128.load_splat<f32>(a + 32), c30 = fma(ai, b0, c30), c31 = fma(ai, b1, c31);
    ai = v128.load_splat<f32>(a + 36), c40 = fma(ai, b0, c40), c41 = fma(ai, b1, c41);
    b0 = v128.load(b + 64), b1 = v128.load(b + 80), a0123 = v128.load(a + 40);
    ai = v128.shuffle<f32>(a0123, a0123, 0, 0, 0, 0), c00 = fma(ai, b0, c00), c01 = fma(ai, b1, c01);
    ai = v128.shuffle<f32>(a0123, a0123, 1, 1, 1, 1), c10 = fma(ai, b0, c10), c11 = fma(ai, b1, c11);
    ai = v128.shuffle<f32>(a0123, a0123, 2, 2, 2, 2), c20 = fma(ai, b0, c20), c21 = fma(ai, b1, c21);
    ai = v128.load_splat<f32>(a + 52), c30 = fma(ai, b0, c30), c31 = fma(ai, b1, c31);
    ai = v128.load_splat<f32>(a + 56), c40 = fma(ai, b0, c40), c41 = fma(ai, b1, c41);
    b0 = v128.load(b + 96), b1 = v128.load(b + 112), a0123 = v128.load(a + 60);
    ai = v128.shuffle<f32>(a0123, a0123, 0, 0, 0, 0), c00 = fma(ai, b0, c00), c01 = fma(ai, b1, c01);
    ai = v128.shuffle<f32>(a0123, a0123, 1, 1, 1, 1), c10 = fma(ai, b0, c10), c11 = fma(ai, b1, c11);
    ai = v128.shuffle<f32>(a0123, a0123, 2, 2, 2, 2), c20 = fma(ai, b0, c20), c21 = fma(ai, b1, c21);
    ai = v128.load_splat<f32>(a + 72), c30 = fma(ai, b0, c30), c31 = fma(ai, b1, c31);
    ai = v128.load_splat<f32>(a + 76), c40 = fma(ai, b0, c40), c41 = fma(ai, b1, c41);
    a += 80, b += 128;
  } while (a != end);
  // Not f32x4.max: this one is a single instruction, and keeps NaN as well.
  const limit = f32x4.splat(floor);
  v128.store(to + 0 * toStride, f32x4.pmax(c00, limit)), v128.store(to + 0 * toStride + 16, f32x4.pmax(c01, limit));
  v128.store(to + 1 * toStride, f32x4.pmax(c10, limit)), v128.store(to + 1 * toStride + 16, f32x4.pmax(c11, limit));
  v128.store(to + 2 * toStride, f32x4.pmax(c20, limit)), v128.store(to + 2 * toStride + 16, f32x4.pmax(c21, limit));
  v128.store(to + 3 * toStride, f32x4.pmax(c30, limit)), v128.store(to + 3 * toStride + 16, f32x4.pmax(c31, limit));
  v128.store(to + 4 * toStride, f32x4.pmax(c40, limit)), v128.store(to + 4 * toStride + 16, f32x4.pmax(c41, limit));
}
