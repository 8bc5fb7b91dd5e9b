import {
  assert,
  assertEquals,
  assertLess,
  assertLessOrEqual,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import * as fc from "fast-check";
import * as tf from "@tensorflow/tfjs";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import { drawSilhouettes } from "../../shared/silhouettes/silhouettes.ts";
import { sha256 } from "../../shared/sha256.ts";
import { Random } from "../../shared/random.ts";
import { useBackend } from "../../train/backend/mod.ts";
import { batches, range } from "../../train/learning/batches.ts";
import { BINARIES, writeBinaries } from "../../train/backend/gemm/build.ts";
import { type BuildName, supportedBuilds } from "../../train/backend/gemm/heap_math.ts";
import {
  heapMath,
  removeGemm,
  removeSecondThread,
  useGemm,
  useSecondThread,
} from "../../train/backend/gemm/registry.ts";
import { HeapAdamW, HeapSgd } from "../../train/backend/gemm/optimizers.ts";
import { Mlp } from "../../train/learning/mlp.ts";

const BUILDS = ["relaxed", "simd"] as const;
/** The unit roundoff of float32. */
const U = 2 ** -24;

/** Runs a test with each build that the engine has. */
function each(name: string, run: (build: BuildName) => Promise<void> | void): void {
  for (const build of BUILDS) {
    Deno.test(`${name} (${build})`, async () => {
      if (!supportedBuilds().includes(build)) {
        // deno-lint-ignore no-console
        return console.log(`not run: this engine has no ${build} SIMD`);
      }
      assertEquals((await useBackend("wasm", build)).gemm, build);
      const kept = (): number[] => [tf.memory().numTensors, tf.engine().backend.numDataIds()];
      const before = kept();
      await run(build);
      assertEquals(kept(), before, "every tensor is given back, and its memory");
    });
  }
}

interface Problem {
  m: number;
  k: number;
  n: number;
  transposeA: boolean;
  transposeB: boolean;
  /** Batch dimensions of each operand. */
  outerA: number[];
  outerB: number[];
}

function draw(shape: number[], random: Random): Float32Array {
  const size = shape.reduce((product, length) => product * length, 1);
  return Float32Array.from({ length: size }, () => random.uniform(-1, 1));
}

function shapesOf({ m, k, n, transposeA, transposeB, outerA, outerB }: Problem): [number[], number[]] {
  return [
    [...outerA, ...(transposeA ? [k, m] : [m, k])],
    [...outerB, ...(transposeB ? [n, k] : [k, n])],
  ];
}

/**
 * Compares a product with one in float64. Whatever the order of a sum of k products, each rounded or not, in
 * float32 it is off by no more than γ(k)·Σ|a·b|, where γ(k) = k·u / (1 − k·u): Higham, Accuracy and Stability
 * of Numerical Algorithms, section 3.1. A bias is one more term.
 */
function assertProduct(
  actual: Float32Array,
  a: Float32Array,
  b: Float32Array,
  problem: Problem,
  bias?: Float32Array,
): void {
  const { m, k, n, transposeA, transposeB } = problem;
  const outer = tf.broadcast_util.assertAndGetBroadcastShape(problem.outerA, problem.outerB);
  const count = tf.util.sizeFromShape(outer);
  assertEquals(actual.length, count * m * n);
  const terms = k + 1, gamma = terms * U / (1 - terms * U);
  const strides = tf.util.computeStrides([...outer, 1]);
  for (let index = 0; index < count; index++) {
    const place = outer.map((length, axis) => Math.floor(index / strides[axis]!) % length);
    const matrix = (shape: number[]): number =>
      shape.reduce(
        (at, length, i) => at * length + (length === 1 ? 0 : place[outer.length - shape.length + i]!),
        0,
      );
    const fromA = matrix(problem.outerA) * m * k, fromB = matrix(problem.outerB) * k * n;
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = bias?.[j] ?? 0, size = Math.abs(sum);
        for (let p = 0; p < k; p++) {
          const term = a[fromA + (transposeA ? p * m + i : i * k + p)]! *
            b[fromB + (transposeB ? j * k + p : p * n + j)]!;
          sum += term;
          size += Math.abs(term);
        }
        const error = Math.abs(actual[(index * m + i) * n + j]! - sum);
        // Products of drawn numbers can be subnormal, where the error is absolute.
        assertLessOrEqual(
          error,
          gamma * size + terms * 2 ** -149,
          JSON.stringify({ ...problem, index, i, j }),
        );
      }
    }
  }
}

function multiply(a: Float32Array, b: Float32Array, problem: Problem): Float32Array {
  const [shapeA, shapeB] = shapesOf(problem);
  const product = tf.tidy(() =>
    tf.matMul(tf.tensor(a, shapeA), tf.tensor(b, shapeB), problem.transposeA, problem.transposeB)
  );
  const values = new Float32Array(product.dataSync());
  product.dispose();
  return values;
}

/** How large the backend's memory is. */
function heapBytes(): number {
  return (tf.backend() as unknown as { wasm: { HEAPU8: Uint8Array } }).wasm.HEAPU8.length;
}

const plain = { transposeA: false, transposeB: false, outerA: [], outerB: [] };

Deno.test("the WebAssembly in git is what deno task build:gemm makes of the source", async () => {
  assertEquals(
    await sha256(await Deno.readFile(BINARIES)),
    await sha256(new TextEncoder().encode(await writeBinaries())),
  );
});

Deno.test("two threads give the bytes of one, for every form, and odd and large sizes", async () => {
  await useBackend("wasm", "relaxed");
  const sizes = [[64, 784, 512], [64, 512, 512], [512, 64, 784], [333, 129, 77], [1030, 70, 1031]] as const;
  const products = (): Float32Array[] => {
    const found: Float32Array[] = [];
    for (const [m, k, n] of [...sizes, [5, 2000, 300], [300, 2000, 3]] as const) {
      for (const transposeA of [false, true]) {
        for (const transposeB of [false, true]) {
          tf.tidy(() => {
            const a = tf.randomUniform(transposeA ? [k, m] : [m, k], -1, 1, "float32", 1) as tf.Tensor2D;
            const b = tf.randomUniform(transposeB ? [n, k] : [k, n], -1, 1, "float32", 2) as tf.Tensor2D;
            const bias = tf.randomUniform<tf.Rank.R1>([n], -1, 1, "float32", 3);
            found.push(tf.matMul(a, b, transposeA, transposeB).dataSync<"float32">().slice());
            const fused = tf.fused.matMul({ a, b, transposeA, transposeB, bias, activation: "relu" });
            found.push(fused.dataSync<"float32">().slice());
          });
        }
      }
    }
    return found;
  };
  const one = products();
  const { partner } = heapMath();
  assertEquals(partner, undefined);
  await useSecondThread();
  try {
    let shared = 0;
    const both = heapMath().partner!;
    const multiply = both.multiply.bind(both);
    both.multiply = (...args): boolean => {
      const done = multiply(...args);
      if (done) shared++;
      return done;
    };
    const two = products();
    assert(shared >= 40, `only ${shared} of ${two.length} products were shared`);
    for (const [i, values] of one.entries()) {
      assertEquals(two[i]!.every((x, j) => Object.is(x, values[j])), true);
    }
  } finally {
    await removeSecondThread();
  }
  assertEquals(heapMath().partner, undefined);
});

Deno.test("a second thread needs relaxed SIMD, and is started and ended as often as one likes", async () => {
  const { reason } = await useBackend("wasm", "simd", 2);
  assertStringIncludes(
    reason,
    "on one thread (Cannot use a second thread as it needs our kernel with relaxed SIMD)",
  );
  for (let i = 0; i < 3; i++) {
    assertStringIncludes((await useBackend("wasm", "relaxed", 2)).reason, "on two threads");
    assertEquals(
      tf.tidy(() => tf.sum(tf.matMul(tf.ones([512, 512]), tf.ones([512, 512]))).dataSync()[0]),
      2 ** 27,
    );
    await removeSecondThread();
  }
});

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

each("tf.sum() stays within the error bound of float32 along any axes", () => {
  const extent = fc.oneof(fc.constantFrom(1, 3, 4, 5, 8), fc.integer({ min: 1, max: 40 }));
  fc.assert(
    fc.property(
      fc.array(extent, { minLength: 1, maxLength: 4 }),
      fc.uniqueArray(fc.nat(3), { maxLength: 4 }),
      fc.boolean(),
      fc.nat(),
      (shape, drawn, keepDims, seed) => {
        const axes = drawn.filter((axis) => axis < shape.length);
        const ones = shape.map((length, axis) => axes.includes(axis) ? 1 : length);
        const values = draw(shape, new Random(seed));
        const sum = tf.tidy(() => tf.sum(tf.tensor(values, shape), axes, keepDims));
        assertEquals(sum.shape, keepDims ? ones : ones.filter((_, axis) => !axes.includes(axis)));
        const strides = tf.util.computeStrides([...shape, 1]), to = tf.util.computeStrides([...ones, 1]);
        const size = tf.util.sizeFromShape(ones), terms = values.length / size;
        const expected = new Float64Array(size), sizes = new Float64Array(size);
        values.forEach((value, i) => {
          const at = shape.reduce(
            (at, length, axis) => at + Math.floor(i / strides[axis]!) % length % ones[axis]! * to[axis]!,
            0,
          );
          expected[at]! += value;
          sizes[at]! += Math.abs(value);
        });
        const gamma = terms * U / (1 - terms * U);
        sum.dataSync().forEach((value, i) =>
          assertLessOrEqual(Math.abs(value - expected[i]!), gamma * sizes[i]!)
        );
        sum.dispose();
      },
    ),
    { numRuns: 200 },
  );
});

each("tf.sum() over no rows is zero", () => {
  // TensorFlow.js's own kernel leaves here what the memory held before.
  const sum = tf.tidy(() => tf.sum(tf.zeros([0, 5]), 0));
  assertEquals([...sum.dataSync()], [0, 0, 0, 0, 0]);
  sum.dispose();
});

each("tf.cast() to the same type shares the memory, and to another one converts", () => {
  const x = tf.tensor1d([1.5, -2.5, 0]);
  const same = tf.cast(x, "float32"), whole = tf.cast(x, "int32"), truth = tf.cast(x, "bool");
  x.dispose();
  assertEquals([...same.dataSync()], [1.5, -2.5, 0]);
  assertEquals([...whole.dataSync()], [1, -2, 0]);
  assertEquals([...truth.dataSync()].map(Boolean), [true, true, false]);
  tf.dispose([same, whole, truth]);
});

each("matMul() refuses what it cannot multiply", () => {
  const a = tf.zeros([2, 3]), b = tf.zeros([3, 2], "int32");
  const run = (inputs: tf.NamedTensorMap): unknown =>
    tf.engine().runKernel("BatchMatMul", inputs, { transposeA: false, transposeB: false });
  assertThrows(() => run({ a, b }), TypeError, "int32");
  assertThrows(() => run({ a, b: a }), TypeError, "[2,3] and [2,3]");
  tf.dispose([a, b]);
});

each("NaN, infinities and subnormals go through matMul() as on the CPU backend", async (build) => {
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
    await useBackend("wasm", build);
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

each("matMul() goes on when the memory grows", () => {
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

each("50 training steps follow the CPU backend's losses", async (build) => {
  for (const optimizer of ["sgd", "adamw"] as const) {
    const ours = trainSome(optimizer === "sgd" ? new HeapSgd(0.05, 0.9) : new HeapAdamW(1e-3));
    await useBackend("cpu");
    const cpu = trainSome(
      optimizer === "sgd" ? tf.train.momentum(0.05, 0.9) : tf.train.adam(1e-3, 0.9, 0.999, 1e-8),
    );
    await useBackend("wasm", build);
    // Each step passes on the roundings of those before: 2e-6 was seen. (With a seed by which a ReLU's input
    // comes within rounding of zero, the two part by 1e-3.)
    cpu.losses.forEach((loss, i) =>
      assertLess(Math.abs(ours.losses[i]! / loss - 1), 1e-5, `${optimizer} ${i}`)
    );
    assertLess(cpu.losses.at(-1)!, cpu.losses[0]! - 0.3, "it learns");
  }
});

each("the same seed gives the same bytes", () => {
  const [first, second] = [trainSome(new HeapAdamW(1e-3)), trainSome(new HeapAdamW(1e-3))];
  assertEquals(first, second);
});

/** Trains a small network for 50 steps. */
function trainSome(optimizer: tf.Optimizer): { losses: number[]; weights: number[][] } {
  const split = { ...drawSilhouettes(320, 7), count: 320 };
  const model = new Mlp([784, 40, 30, 10], 0);
  const losses: number[] = [];
  for (let epoch = 0; epoch < 5; epoch++) {
    for (const batch of batches(split, range(320), { batchSize: 32, classes: 10, width: 28 })) {
      const loss = optimizer.minimize(
        () => tf.losses.softmaxCrossEntropy(batch.targets, model.logits(batch.images)).asScalar(),
        true,
      )!;
      losses.push(loss.dataSync()[0]!);
      tf.dispose([batch.images, batch.targets, loss]);
    }
  }
  const weights = Object.values(tf.engine().registeredVariables)
    .filter(({ trainable }) => trainable).map((variable) => [...variable.dataSync()]);
  model.dispose();
  optimizer.dispose();
  // TensorFlow.js's momentum forgets the tensor of its learning rate.
  tf.dispose((optimizer as unknown as { c?: tf.Tensor }).c ?? []);
  return { losses, weights };
}

each("an optimizer that writes in place leaves copies of the weights alone", () => {
  const optimizer = new HeapSgd(1);
  const first = tf.tensor2d([[1, 2], [3, 4]]);
  const variable = tf.variable(first);
  const views = [first, variable.clone(), tf.reshape(variable, [4])];
  const step = (): void => {
    optimizer.minimize(() => tf.sum(variable).asScalar(), false, [variable]);
  };
  step();
  for (const view of views) assertEquals([...view.dataSync()], [1, 2, 3, 4]);
  assertEquals([...variable.dataSync()], [0, 1, 2, 3]);
  const address = (): number => (tf.backend() as unknown as BackendWasm).getMemoryOffset(variable.dataId);
  const before = address();
  step();
  assertEquals([...variable.dataSync()], [-1, 0, 1, 2]);
  assertEquals(address(), before, "from then on the memory is its own");
  tf.dispose([...views, variable]);
  optimizer.dispose();
});

each("a convolution sees the weights that an optimizer wrote in place", () => {
  // XNNPACK packs the weights of a convolution once and keeps them.
  const optimizer = new HeapSgd(1);
  const filter = tf.tidy(() => tf.variable(tf.fill<tf.Rank.R4>([1, 1, 1, 1], 5)));
  const image = tf.ones<tf.Rank.R4>([1, 2, 2, 1]);
  const convolve = (): number => tf.tidy(() => tf.conv2d(image, filter, 1, "same").dataSync()[0]!);
  for (const expected of [5, 4, 3]) {
    assertEquals(convolve(), expected);
    optimizer.minimize(() => tf.sum(filter).asScalar(), false, [filter]);
  }
  tf.dispose([filter, image]);
  optimizer.dispose();
});

each("a training step keeps no memory", () => {
  const model = new Mlp([784, 40, 10], 0);
  const optimizer = new HeapAdamW(1e-3, { weightDecay: 0.1, decayed: model.matrices });
  const images = tf.ones<tf.Rank.R2>([8, 784]), targets = tf.ones<tf.Rank.R2>([8, 10]);
  const step = (): void => {
    optimizer.minimize(() => tf.losses.softmaxCrossEntropy(targets, model.logits(images)).asScalar());
  };
  step();
  const [tensors, heap] = [tf.memory().numTensors, heapBytes()];
  for (let i = 0; i < 100; i++) step();
  assertEquals([tf.memory().numTensors, heapBytes()], [tensors, heap]);
  model.dispose();
  optimizer.dispose();
  tf.dispose([images, targets]);
});

Deno.test("useBackend() multiplies as it was asked to", async () => {
  const best = supportedBuilds()[0]!;
  assertEquals((await useBackend("wasm")).gemm, best);
  for (const gemm of ["tfjs", "simd", "tfjs", best] as const) {
    const backend = await useBackend("wasm", gemm);
    assertEquals(backend.gemm, gemm);
    const ours = tf.getKernel("BatchMatMul", "wasm").kernelFunc.toString().includes("multiply(");
    assertEquals(ours, gemm !== "tfjs");
  }
});

Deno.test("removeGemm() puts TensorFlow.js's kernels back", async () => {
  await useBackend("wasm", "tfjs");
  const stock = tf.getKernel("_FusedMatMul", "wasm");
  useGemm("auto");
  assert(tf.getKernel("_FusedMatMul", "wasm") !== stock);
  useGemm("simd");
  removeGemm();
  assert(tf.getKernel("_FusedMatMul", "wasm") === stock);
  const optimizer = new HeapSgd(1);
  const weights = tf.variable(tf.zeros([1]));
  assertThrows(() => optimizer.applyGradients({ [weights.name]: weights }), Error, "useGemm()");
  tf.dispose(weights);
  optimizer.dispose();
});

Deno.test("useGemm() refuses a backend whose memory it cannot reach", async () => {
  await useBackend("cpu");
  assertThrows(() => useGemm("auto"), Error, "must be in reach");
});
