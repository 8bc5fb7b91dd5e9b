/**
 * What prepares batches: scaled, mirrored and moved pixels, mixup, and dropout masks. Nothing here is fused or
 * approximate, so that every engine gives the same bytes.
 */

/**
 * Scales bytes to 0..1, and mirrors and moves each image. The pixels that a move uncovers get a colour.
 *
 * @param from `[count, rows, width]` bytes
 * @param to `[count, rows, width]` float32, written
 * @param moves `[count, 3]` int16: whether to mirror, and how far to move right and down
 * @param fills `[count, rows / height]` bytes: the colour of uncovered pixels, for each plane
 * @param rows of all planes of an image
 * @param height rows of a plane
 * @param table room for 256 float32
 */
export function augment(
  from: usize, to: usize, moves: usize, fills: usize, count: i32, rows: i32, height: i32, width: i32, table: usize,
): void {
  for (let i = 0; i < 256; i++) f32.store(table + (i << 2), <f32>i / 255);
  const size = rows * width, plane = height * width << 2, planes = rows / height;
  for (let image = 0; image < count; image++, from += size, to += size << 2, moves += 6, fills += planes) {
    const mirrored = load<i16>(moves) != 0, right = <i32>load<i16>(moves, 2), down = <i32>load<i16>(moves, 4);
    if (right | down) {
      for (let i = 0, start = to; i < planes; i++, start += plane) {
        const fill = f32.load(table + (<usize>load<u8>(fills + i) << 2));
        for (let pixel = start; pixel < start + plane; pixel += 4) f32.store(pixel, fill);
      }
    }
    const first = max(0, right), last = min(width, width + right);
    for (let row = 0; row < rows; row++) {
      const y = row % height - down;
      if (y < 0 || y >= height) continue;
      const source = from + (row - down) * width, target = to + (row * width << 2);
      if (mirrored) {
        for (let x = first; x < last; x++) {
          f32.store(target + (x << 2), f32.load(table + (<usize>load<u8>(source + (width - 1 - (x - right))) << 2)));
        }
      } else {
        for (let x = first; x < last; x++) {
          f32.store(target + (x << 2), f32.load(table + (<usize>load<u8>(source + (x - right)) << 2)));
        }
      }
    }
  }
}

/**
 * Blends each row with another one: share·own + (1 − share)·other, in float64 and rounded once.
 *
 * @param from `[count, size]`
 * @param to `[count, size]`, written
 * @param partners `[count]` uint32, the rows to blend with
 */
export function blend(from: usize, to: usize, partners: usize, count: i32, size: i32, share: f64): void {
  const own = f64x2.splat(share), rest = f64x2.splat(1 - share), bytes = size << 2, fours = bytes & ~15;
  for (let i = 0; i < count; i++, to += bytes) {
    const x = from + i * bytes, y = from + load<i32>(partners + (i << 2)) * bytes;
    let j = 0;
    for (; j < fours; j += 16) {
      const a = v128.load(x + j), b = v128.load(y + j);
      const low = f64x2.add(f64x2.mul(own, f64x2.promote_low_f32x4(a)), f64x2.mul(rest, f64x2.promote_low_f32x4(b)));
      const c = v128.shuffle<f32>(a, a, 2, 3, 2, 3), d = v128.shuffle<f32>(b, b, 2, 3, 2, 3);
      const high = f64x2.add(f64x2.mul(own, f64x2.promote_low_f32x4(c)), f64x2.mul(rest, f64x2.promote_low_f32x4(d)));
      v128.store(to + j, v128.shuffle<f32>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 1, 4, 5));
    }
    for (; j < bytes; j += 4) {
      f32.store(to + j, <f32>(share * <f64>f32.load(x + j) + (1 - share) * <f64>f32.load(y + j)));
    }
  }
}

/**
 * A dropout mask by the generator of shared/random.ts: 0 where it draws less than `threshold`, else `scale`.
 *
 * @param to `[count]`, written
 * @param state the generator's four words, which are advanced
 */
export function dropout(to: usize, count: i32, state: usize, threshold: f64, scale: f32): void {
  let a = load<u32>(state), b = load<u32>(state, 4), c = load<u32>(state, 8), counter = load<u32>(state, 12);
  const limit = <u64>Math.ceil(threshold);
  for (const end = to + (count << 2); to != end; to += 4) {
    const result = a + b + counter;
    counter++;
    a = b ^ (b >>> 9);
    b = c + (c << 3);
    c = rotl(c, 21) + result;
    f32.store(to, <u64>result < limit ? 0 : scale);
  }
  store<u32>(state, a), store<u32>(state, b, 4), store<u32>(state, c, 8), store<u32>(state, counter, 12);
}
