import { assertEquals, assertLess } from "@std/assert";
import * as fc from "fast-check";
import * as tf from "@tensorflow/tfjs";
import { Random } from "../../shared/random.ts";
import { useBackend } from "../../train/backend/mod.ts";

Deno.test("the mended matMul of WASM gives the CPU backend's products", async () => {
  await useBackend("wasm");
  await useBackend("cpu");
  const size = fc.integer({ min: 1, max: 40 });
  await fc.assert(
    fc.asyncProperty(
      fc.record({ m: size, k: size, n: size, batch: fc.integer({ min: 1, max: 3 }), seed: fc.nat() }),
      fc.boolean(),
      fc.boolean(),
      async ({ m, k, n, batch, seed }, transposeA, transposeB) => {
        const random = new Random(seed);
        const draw = (count: number): Float32Array =>
          Float32Array.from({ length: count }, () => random.uniform(-1, 1));
        const a = draw(batch * m * k), b = draw(batch * k * n);
        const multiply = async (backend: string): Promise<Float32Array> => {
          await tf.setBackend(backend);
          const product = tf.tidy(() =>
            tf.matMul(
              tf.tensor3d(a, transposeA ? [batch, k, m] : [batch, m, k]),
              tf.tensor3d(b, transposeB ? [batch, n, k] : [batch, k, n]),
              transposeA,
              transposeB,
            )
          );
          const values = new Float32Array(await product.data());
          product.dispose();
          return values;
        };
        const [wasm, cpu] = [await multiply("wasm"), await multiply("cpu")];
        assertEquals(wasm.length, batch * m * n);
        // Both round after each of k additions of products below 1.
        wasm.forEach((value, i) => assertLess(Math.abs(value - cpu[i]!), k * k * 2 ** -23));
      },
    ),
    { numRuns: 150 },
  );
});

Deno.test("the mended matMul of WASM keeps no memory", async () => {
  await useBackend("wasm");
  const a = tf.ones([8, 5]), b = tf.ones([8, 6]);
  const before = (tf.memory() as tf.MemoryInfo).numTensors;
  for (let i = 0; i < 10; i++) tf.dispose(tf.matMul(a, b, true, false));
  assertEquals(tf.memory().numTensors, before);
  assertEquals(tf.engine().backend.numDataIds(), before);
  tf.dispose([a, b]);
});
