/**
 * Adds up the rows of a matrix, one after the other: the gradient of a bias.
 *
 * @param x `[rows, columns]`
 * @param to `[columns]`, written
 */
export function sumRows(x: usize, to: usize, rows: usize, columns: usize): void {
  memory.fill(to, 0, columns << 2);
  const end = to + (columns << 2), fours = to + ((columns & ~3) << 2);
  for (let row: usize = 0; row < rows; row++) {
    let sum = to;
    for (; sum != fours; sum += 16, x += 16) v128.store(sum, f32x4.add(v128.load(sum), v128.load(x)));
    for (; sum != end; sum += 4, x += 4) f32.store(sum, f32.load(sum) + f32.load(x));
  }
}
