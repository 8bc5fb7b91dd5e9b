import { assert, assertEquals, assertLessOrEqual, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import * as tf from "@tensorflow/tfjs";
import { sha256 } from "../../shared/sha256.ts";
import { Random } from "../../shared/random.ts";
import { useBackend } from "../../train/backend/mod.ts";
import { BINARIES, writeBinaries } from "../../train/backend/gemm/build.ts";
import { heapMath, removeGemm, useGemm } from "../../train/backend/gemm/registry.ts";
import { HeapSgd } from "../../train/backend/gemm/optimizers.ts";
import { draw, each, U } from "../helpers/products.ts";

Deno.test("the WebAssembly in git is what deno task build:gemm makes of the source", async () => {
  assertEquals(
    await sha256(await Deno.readFile(BINARIES)),
    await sha256(new TextEncoder().encode(await writeBinaries())),
  );
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

Deno.test("useBackend() multiplies as it was asked to", async () => {
  for (const gemm of ["simd", "relaxed"] as const) {
    const backend = await useBackend("wasm", gemm);
    assertEquals([backend.gemm, backend.id], [gemm, `wasm ${gemm}`]);
    assertEquals([heapMath().build, heapMath().native], [gemm, undefined]);
  }
});

Deno.test("removeGemm() puts TensorFlow.js's kernels back", async () => {
  await useBackend("wasm", "simd");
  removeGemm();
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
