/**
 * jax-js, which trains in Deno on WebAssembly too: the network and the update of `train.ts`, as one compiled function.
 *
 * @module
 */
import { type Array, defaultDevice, init, jit, nn, numpy as np, valueAndGrad } from "@jax-js/jax";
import type { LinearWeights } from "../../train/learning/mlp.ts";

/** A type and not an interface, as jax-js requires of the trees that it differentiates. */
type Layer = { weight: Array; bias: Array };

/** Numbers of one batch. */
export interface JaxBatch {
  /** `[N, in]` */
  images: Float32Array<ArrayBuffer>;
  /** `[N, out]` */
  targets: Float32Array<ArrayBuffer>;
}

/**
 * Trains an MLP with SGD, always on the same batch, with all cores.
 *
 * @param run receives one step, which returns the loss before its update
 */
export async function withJaxStep<T>(
  weights: readonly LinearWeights[],
  { images, targets }: JaxBatch,
  learningRate: number,
  run: (step: () => Promise<number>) => Promise<T>,
): Promise<T> {
  await init("wasm");
  defaultDevice("wasm");
  // jax-js counts references: `.ref` keeps an array that an operation would free.
  const loss = (layers: Layer[], x: Array, y: Array): Array => {
    for (const [i, { weight, bias }] of layers.entries()) {
      x = np.dot(x, weight.transpose()).add(bias);
      if (i < layers.length - 1) x = nn.relu(x);
    }
    return nn.logSoftmax(x, 1).mul(y).sum(1).mean().neg();
  };
  const update = jit((layers: Layer[], x: Array, y: Array): [Array, Layer[]] => {
    const kept = layers.map(({ weight, bias }) => ({ weight: weight.ref, bias: bias.ref }));
    const [value, gradients] = valueAndGrad(loss)(layers, x, y);
    const next = kept.map(({ weight, bias }, i) => ({
      weight: weight.sub(gradients[i]!.weight.mul(learningRate)),
      bias: bias.sub(gradients[i]!.bias.mul(learningRate)),
    }));
    return [value, next];
  });

  let layers: Layer[] = weights.map(({ weight, bias, inFeatures, outFeatures }) => ({
    weight: np.array(weight).reshape([outFeatures, inFeatures]),
    bias: np.array(bias),
  }));
  const count = images.length / weights[0]!.inFeatures;
  const x = np.array(images).reshape([count, -1]), y = np.array(targets).reshape([count, -1]);
  try {
    return await run(async () => {
      const [value, next] = update(layers, x.ref, y.ref);
      layers = next;
      return (await value.data())[0]!;
    });
  } finally {
    for (const array of [x, y, ...layers.flatMap(({ weight, bias }) => [weight, bias])]) array.dispose();
    update.dispose();
  }
}
