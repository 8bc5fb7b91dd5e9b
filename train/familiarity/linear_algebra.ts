/**
 * The linear algebra of symmetric positive definite matrices, in float64.
 *
 * @module
 */

/**
 * The Cholesky factor of a symmetric positive definite matrix: the lower triangular `L` with `L·Lᵀ = a`.
 *
 * @param a `[n, n]`, row-major; only its lower triangle is read
 * @returns `[n, n]`, zero above the diagonal
 * @throws {RangeError} if the matrix is not positive definite
 */
export function cholesky(a: Float64Array, n: number): Float64Array {
  const l = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const row = l.subarray(i * n, i * n + i);
    for (let j = 0; j < i; j++) {
      row[j] = (a[i * n + j]! - dot(row, l.subarray(j * n, j * n + j), j)) / l[j * n + j]!;
    }
    const rest = a[i * n + i]! - dot(row, row, i);
    if (!(rest > 0)) {
      throw new RangeError(
        `Cannot factor the matrix as it must be positive definite: pivot ${i} of ${n} is ${rest}`,
      );
    }
    l[i * n + i] = Math.sqrt(rest);
  }
  return l;
}

/**
 * The inverse of a lower triangular matrix without zeros on its diagonal.
 *
 * @param l `[n, n]`, row-major
 * @returns `[n, n]`, zero above the diagonal
 */
export function invertLower(l: Float64Array, n: number): Float64Array {
  // Column j of the inverse is row j of its transpose, so that all inner loops read contiguous memory.
  const transposed = new Float64Array(n * n);
  for (let j = 0; j < n; j++) {
    const column = transposed.subarray(j * n, (j + 1) * n);
    column[j] = 1 / l[j * n + j]!;
    for (let i = j + 1; i < n; i++) {
      let sum = 0;
      for (let m = j, at = i * n + j; m < i; m++, at++) sum += l[at]! * column[m]!;
      column[i] = -sum / l[i * n + i]!;
    }
  }
  return transpose(transposed, n, n);
}

/**
 * Makes rows orthonormal in place, by the modified Gram–Schmidt process, applied twice for the precision.
 *
 * @param rows `[k, n]`, row-major; a row of zeros stays one
 */
export function orthonormalize(rows: Float64Array, k: number, n: number): void {
  for (let i = 0; i < k; i++) {
    const row = rows.subarray(i * n, (i + 1) * n);
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < i; j++) {
        const other = rows.subarray(j * n, (j + 1) * n);
        const along = dot(row, other, n);
        for (let m = 0; m < n; m++) row[m]! -= along * other[m]!;
      }
    }
    const length = Math.sqrt(dot(row, row, n));
    for (let m = 0; m < n; m++) row[m]! /= length || 1;
  }
}

/** `[rows, columns]` to `[columns, rows]`. */
export function transpose(a: Float64Array, rows: number, columns: number): Float64Array {
  const to = new Float64Array(a.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) to[j * rows + i] = a[i * columns + j]!;
  }
  return to;
}

/** The scalar product of the first `n` numbers. */
export function dot(a: Float64Array, b: Float64Array, n: number): number {
  // Four sums, so that one addition need not wait for the last.
  let s0 = 0, s1 = 0, s2 = 0, s3 = 0, i = 0;
  for (; i + 3 < n; i += 4) {
    s0 += a[i]! * b[i]!;
    s1 += a[i + 1]! * b[i + 1]!;
    s2 += a[i + 2]! * b[i + 2]!;
    s3 += a[i + 3]! * b[i + 3]!;
  }
  for (; i < n; i++) s0 += a[i]! * b[i]!;
  return s0 + s1 + s2 + s3;
}
