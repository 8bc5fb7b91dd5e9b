import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import * as tf from "@tensorflow/tfjs";
import { Random } from "../../shared/random.ts";
import { useBackend } from "../../train/backend/mod.ts";
import { assertProduct, draw, each, heapBytes, multiply, plain, shapesOf } from "../helpers/products.ts";

each("matMul() stays within the error bound of float32 for any shape", () => {
  const size = fc.oneof(fc.constantFrom(0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 13, 16, 31), fc.nat(70));
  fc.assert(
    fc.property(
      fc.record({ m: size, k: size, n: size, transposeA: fc.boolean(), transposeB: fc.boolean() }),
      fc.constantFrom<[number[], number[]]>(
        [[], []],
        [[1], [1]],
        [[3], [3]],
        [[3], [1]],
        [[1], [2]],
        [[2, 1], [1, 3]],
        [[2, 3], [3]],
        [[2], [3, 1]],
        [[2], [3, 2]],
        [[0], [1]],
      ),
      fc.nat(),
      (shape, [outerA, outerB], seed) => {
        const problem = { ...shape, outerA, outerB }, random = new Random(seed);
        const [a, b] = shapesOf(problem).map((shape) => draw(shape, random)) as [Float32Array, Float32Array];
        assertProduct(multiply(a, b, problem), a, b, problem);
      },
    ),
    { numRuns: 200 },
  );
});

each("matMul() stays within the error bound of float32 beyond its packing buffers", () => {
  // Blocks are 130 rows, 1,024 columns and 512 in depth; with up to 130 rows, 512 columns or 64 transposed.
  const shapes = [[131, 7, 1030], [130, 513, 65], [5, 1031, 516], [263, 1025, 9], [1, 1537, 1], [
    127,
    1,
    1033,
  ]];
  for (const [m, k, n] of shapes as [number, number, number][]) {
    for (const transposeA of [false, true]) {
      for (const transposeB of [false, true]) {
        const problem = { ...plain, m, k, n, transposeA, transposeB }, random = new Random(m);
        const [a, b] = shapesOf(problem).map((shape) => draw(shape, random)) as [Float32Array, Float32Array];
        assertProduct(multiply(a, b, problem), a, b, problem);
      }
    }
  }
});

each("tf.fused.matMul() adds the bias and applies the activation", () => {
  const random = new Random(5);
  // Two blocks in depth: the activation must wait for the last, and the bias be added in the first only.
  const problem = { ...plain, m: 7, k: 600, n: 21, transposeB: true };
  const [shapeA, shapeB] = shapesOf(problem);
  const a = draw(shapeA, random),
    b = draw(shapeB, random),
    bias = draw([21], random),
    alpha = draw([21], random);
  const fused = (activation: tf.fused.Activation, bias_: tf.Tensor): Float32Array =>
    tf.tidy(() =>
      tf.fused.matMul({
        a: tf.tensor2d(a, [7, 600]),
        b: tf.tensor2d(b, [21, 600]),
        transposeB: true,
        bias: bias_,
        activation,
        preluActivationWeights: tf.tensor1d(alpha),
        leakyreluAlpha: 0.3,
      }).dataSync() as Float32Array
    );
  const row = tf.tensor1d(bias);
  const linear = fused("linear", row);
  assertProduct(linear, a, b, problem, bias);
  const expected: Record<tf.fused.Activation, (x: number, column: number) => number> = {
    linear: (x) => x,
    relu: (x) => Math.max(0, x),
    relu6: (x) => Math.min(6, Math.max(0, x)),
    elu: (x) => x >= 0 ? x : Math.expm1(x),
    leakyrelu: (x) => x >= 0 ? x : 0.3 * x,
    prelu: (x, column) => x >= 0 ? x : alpha[column]! * x,
    sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  };
  for (const [name, apply] of Object.entries(expected)) {
    const actual = fused(name as tf.fused.Activation, row);
    linear.forEach((x, i) => assertLess(Math.abs(actual[i]! - apply(x, i % 21)), 1e-5, name));
  }
  const scalar = tf.scalar(0.5);
  const shifted = fused("relu", scalar);
  linear.forEach((x, i) => assertLess(Math.abs(shifted[i]! - Math.max(0, x - bias[i % 21]! + 0.5)), 1e-4));
  tf.dispose([row, scalar]);
});

each("matMul() refuses what it cannot multiply", () => {
  const a = tf.zeros([2, 3]), b = tf.zeros([3, 2], "int32");
  const run = (inputs: tf.NamedTensorMap): unknown =>
    tf.engine().runKernel("BatchMatMul", inputs, { transposeA: false, transposeB: false });
  assertThrows(() => run({ a, b }), TypeError, "int32");
  assertThrows(() => run({ a, b: a }), TypeError, "[2,3] and [2,3]");
  tf.dispose([a, b]);
});

each("NaN, infinities and subnormals go through matMul() as on the CPU backend", async (gemm) => {
  const special = [NaN, Infinity, -Infinity, 0, -0, 1e-40, -1e-40, 3e38, 1, -1];
  const random = new Random(3);
  for (const transposeB of [false, true]) {
    const problem = { ...plain, m: 11, k: 9, n: 17, transposeB };
    // One special number in each row and column of A, the rest ordinary.
    const a = draw([11, 9], random), b = draw([9, 17], random);
    special.forEach((x, i) => a[i * 9 + i % 9] = x);
    b[3] = NaN, b[20] = Infinity, b[40] = 1e-42;
    const wasm = multiply(a, b, problem);
    await useBackend("cpu");
    const cpu = multiply(a, b, problem);
    await useBackend("wasm", gemm.name, gemm.threads);
    cpu.forEach((value, i) => {
      if (Number.isFinite(value) && Math.abs(value) < 1e30) assertLess(Math.abs(wasm[i]! - value), 1e-5);
      else if (!Number.isFinite(value)) assertEquals(wasm[i], value);
      else assertLess(Math.abs(wasm[i]! / value - 1), 1e-5);
    });
  }
  // A subnormal result, not flushed to zero; and NaN is kept by the fused ReLU.
  const tiny = tf.tidy(() => tf.matMul(tf.tensor2d([[1e-20]]), tf.tensor2d([[1e-20]])).dataSync()[0]);
  assertEquals(tiny, Math.fround(Math.fround(1e-20) * Math.fround(1e-20)));
  const kept = tf.tidy(() =>
    tf.fused.matMul({ a: tf.tensor2d([[NaN], [-1]]), b: tf.tensor2d([[1]]), activation: "relu" }).dataSync()
  );
  assertEquals([...kept], [NaN, 0]);
});

each("matMul() works after the memory grows", () => {
  const random = new Random(9);
  const problem = { ...plain, m: 12, k: 33, n: 20 };
  const a = draw([12, 33], random), b = draw([33, 20], random);
  const left = tf.tensor2d(a, [12, 33]), right = tf.tensor2d(b, [33, 20]);
  const before = heapBytes();
  const ballast: tf.Tensor[] = [];
  while (heapBytes() === before) ballast.push(tf.zeros([1 << 20]));
  const product = tf.matMul(left, right);
  assertProduct(product.dataSync() as Float32Array, a, b, problem);

  // And when it is the result itself that makes it grow.
  const tall = tf.ones([40_000, 1]), wide = tf.ones([1, 1000]);
  const grown = heapBytes();
  const large = tf.matMul(tall, wide);
  assert(heapBytes() > grown, "the heap had no room for 160 MB");
  assert(large.dataSync().every((value) => value === 1));
  tf.dispose([...ballast, product, left, right, tall, wide, large]);
});

each("gradients through matMul() agree with finite differences", () => {
  const random = new Random(11);
  for (const transposeA of [false, true]) {
    for (const transposeB of [false, true]) {
      const problem = { ...plain, m: 3, k: 4, n: 2, transposeA, transposeB };
      const [shapeA, shapeB] = shapesOf(problem) as [[number, number], [number, number]];
      const a = draw(shapeA, random), b = draw(shapeB, random), weights = draw([3, 2], random);
      const loss = (x: tf.Tensor, y: tf.Tensor): tf.Scalar =>
        tf.sum(tf.mul(tf.square(tf.matMul(x, y, transposeA, transposeB)), tf.tensor2d(weights, [3, 2])));
      const at = (a: Float32Array, b: Float32Array): number =>
        tf.tidy(() => loss(tf.tensor2d(a, shapeA), tf.tensor2d(b, shapeB)).dataSync()[0]!);
      const gradients = tf.tidy(() =>
        tf.grads(loss)([tf.tensor2d(a, shapeA), tf.tensor2d(b, shapeB)])
          .map((gradient) => gradient.dataSync())
      );
      // A quadratic has no third derivative: what is left is rounding, of 2u in a loss of about 1, over 2h.
      const h = 2 ** -6;
      [a, b].forEach((values, which) => {
        values.forEach((value, i) => {
          const moved = [1, -1].map((sign) => {
            const copy = Float32Array.from(values);
            copy[i] = value + sign * h;
            return which === 0 ? at(copy, b) : at(a, copy);
          }) as [number, number];
          assertLess(Math.abs((moved[0] - moved[1]) / (2 * h) - gradients[which]![i]!), 1e-4);
        });
      });
    }
  }
});
