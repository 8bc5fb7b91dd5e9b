import { assertEquals, assertLess } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import { drawSilhouettes } from "../../shared/silhouettes/silhouettes.ts";
import { linear } from "../../train/backend/gemm/linear.ts";
import { HeapAdamW, HeapSgd } from "../../train/backend/gemm/optimizers.ts";
import { useBackend } from "../../train/backend/mod.ts";
import { batches, range } from "../../train/learning/batches.ts";
import { Mlp } from "../../train/learning/mlp.ts";
import { each, heapBytes } from "../helpers/products.ts";

each("50 training steps follow the CPU backend's losses", async (gemm) => {
  for (const optimizer of ["sgd", "adamw"] as const) {
    const ours = trainSome(optimizer === "sgd" ? new HeapSgd(0.05, 0.9) : new HeapAdamW(1e-3));
    await useBackend("cpu");
    const cpu = trainSome(
      optimizer === "sgd" ? tf.train.momentum(0.05, 0.9) : tf.train.adam(1e-3, 0.9, 0.999, 1e-8),
    );
    await useBackend("wasm", gemm.name, gemm.threads);
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

each("linear() and its gradients have the bytes of TensorFlow.js's operations", () => {
  const random = (shape: [number, number], seed: number): tf.Tensor2D =>
    tf.randomUniform(shape, -1, 1, "float32", seed);
  for (const [batch, inFeatures, outFeatures] of [[5, 7, 3], [64, 33, 20], [1, 1, 1]] as const) {
    const x = random([batch, inFeatures], 1), weight = random([outFeatures, inFeatures], 2);
    const bias = tf.tidy(() => random([1, outFeatures], 3).as1D()), dy = random([batch, outFeatures], 4);
    for (const relu of [false, true]) {
      const stock = (x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor): tf.Tensor => {
        const sum = tf.add(tf.matMul(x, weight, false, true), bias);
        return relu ? tf.relu(sum) : sum;
      };
      const ours = (x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor): tf.Tensor =>
        linear(x as tf.Tensor2D, weight as tf.Tensor2D, bias as tf.Tensor1D, { relu, constant: false });
      const run = (layer: typeof stock): number[][] => {
        const { value, grads } = tf.valueAndGrads((x, weight, bias) => layer(x!, weight!, bias!))(
          [x, weight, bias],
          dy,
        );
        const values = [value, ...grads].map((tensor) => [...tensor.dataSync()]);
        tf.dispose([value, ...grads]);
        return values;
      };
      assertEquals(run(ours), run(stock));
    }
    tf.dispose([x, weight, bias, dy]);
  }
});
