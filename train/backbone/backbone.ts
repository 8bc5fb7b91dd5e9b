/**
 * A backbone: a pretrained image network, made into one that takes our `image` and gives `features`.
 *
 * @module
 */
import { create } from "@bufbuild/protobuf";
import { type ModelProto, type TensorProto, type ValueInfoProto, ValueInfoProtoSchema } from "onnx-buf";
import { type ImageShape, INPUT } from "../../shared/contract.ts";
import { sha256 } from "../../shared/sha256.ts";
import { InputError } from "../../shared/errors.ts";
import { createSession } from "../../shared/inference/ort.ts";
import { Random } from "../../shared/random.ts";
import { chooseFeatures, type FeatureTensor, sizeOf } from "./features.ts";
import { hasFeatures } from "./feature_cache.ts";
import { constant, writeNetwork } from "./network.ts";
import { node, value } from "./nodes.ts";
import { fixedBatch, freeBatch, imageInput, prune, renameAll, widenFloat16 } from "./rewrite.ts";
import { storeInt8 } from "./store.ts";

/** The output of a backbone, `[N, D]`. */
export const FEATURES = "features";

/** What comes before the names of a backbone's own values. */
const PREFIX = "backbone/";

/**
 * Bytes of a model that a Cloudflare Worker can bundle: 64 MiB (https://developers.cloudflare.com/workers/platform/limits/,
 * read on 2026-11-24), without ONNX Runtime's 14.2 MB and 2 MiB for the program.
 */
export const MAX_MODEL_BYTES = 64 * 1024 ** 2 - 14_300_000 - 2 * 1024 ** 2;

/** How far the features of a picture may depend on the others of its batch, of their largest value. */
const BATCH_TOLERANCE = 1e-4;

/** The side of the input where neither the network nor the user says one: what ImageNet networks are trained on. */
const DEFAULT_SIDE = 224;

/** How weights are stored. */
export type Store = "int8" | "float32";

/** What a network expects of its input. */
export interface Normalization {
  /** Of red, green and blue in 0..1, which is subtracted. */
  mean: readonly [number, number, number];
  /** By which the difference is divided. */
  deviation: readonly [number, number, number];
}

/** Where a network comes from. */
export interface BackboneSource {
  /** Its name in the table of backbones, or of its file. */
  name: string;
  /** SHA-256 of its file, in hex. */
  fileSha256: string;
  /** An SPDX identifier; absent where it is not known. */
  licence?: string;
  /** Where it can be had. */
  source?: string;
}

/** How a network becomes a backbone. */
export interface BackboneOptions {
  /** What the network expects of its input. */
  normalization: Normalization;
  /** Pixels along each side, for a network that takes any; 224 by default. */
  imageSize?: number;
  /** Tensors to take features from, instead of the default. */
  features?: readonly string[];
  /** int8 by default. */
  store?: Store;
}

/** A network that turns pictures into features. */
export interface Backbone extends BackboneSource {
  /**
   * Takes `image` `[N, 3, H, W]` in 0..1 and gives `features` `[N, D]`.
   *
   * @internal
   */
  model: ModelProto;
  /** The encoded model. */
  bytes: Uint8Array<ArrayBuffer>;
  /** SHA-256 of `bytes`, in hex. */
  sha256: string;
  /** The size of its input. */
  input: ImageShape & { channels: 3 };
  /** D. */
  size: number;
  /** What D is made of. */
  features: readonly FeatureTensor[];
  /** Whether a classifier's head was cut off. */
  cut: boolean;
  /** How its weights are stored. */
  store: Store;
}

/**
 * Makes a backbone of a network, which is changed.
 *
 * @throws {InputError} if the network is not one that can be used; the message says why
 */
export async function prepareBackbone(
  network: ModelProto,
  origin: BackboneSource,
  { normalization, imageSize, features: wanted, store = "int8" }: BackboneOptions,
): Promise<Backbone> {
  const { name } = origin;
  const graph = network.graph!;
  const { name: inputName, height: ownHeight, width: ownWidth } = imageInput(network, name);
  const height = ownHeight ?? imageSize ?? DEFAULT_SIDE, width = ownWidth ?? imageSize ?? DEFAULT_SIDE;
  if (imageSize !== undefined && (height !== imageSize || width !== imageSize)) {
    throw new InputError(
      "invalid-value",
      `Cannot use backbone "${name}" as --image-size must be the ${height}×${width} pixels that it takes: current ` +
        `value is ${imageSize}`,
    );
  }
  widenFloat16(network);
  const batch = fixedBatch(network, inputName);
  if (batch !== undefined) freeBatch(network, batch);
  graph.valueInfo = [];
  graph.input = [value(inputName, ["N", 3, height, width])];

  const shapes = await shapesOf(network, name, inputName, [1, 3, height, width]);
  const { features, cut } = chooseFeatures(graph, shapes, name, wanted);
  prune(graph, features.map(({ name }) => name));
  renameAll(network, (own) => PREFIX + own);
  takeImages(network, PREFIX + inputName, normalization, [height, width]);
  giveFeatures(network, features);
  if (store === "int8") storeInt8(network);
  network.metadataProps = [];
  network.docString = graph.docString = "";

  const bytes = writeNetwork(network);
  checkSize(bytes.length, name, store);
  const backbone: Backbone = {
    ...origin,
    model: network,
    bytes,
    sha256: await sha256(bytes),
    input: { channels: 3, height, width },
    size: features.reduce((sum, tensor) => sum + sizeOf(tensor), 0),
    features,
    cut,
    store,
  };
  // Features are only kept of a backbone that has passed this check, which takes half a second.
  if (!await hasFeatures(backbone.sha256, backbone.size)) await checkBatch(backbone);
  return backbone;
}

/** @throws {InputError} if a model is too large for the edge */
export function checkSize(bytes: number, name: string, store: Store): void {
  if (bytes <= MAX_MODEL_BYTES) return;
  throw new InputError(
    "too-large",
    `Cannot use backbone "${name}" as the model must have at most ${MAX_MODEL_BYTES} bytes to fit into a worker: ` +
      `current size is ${bytes}`,
    { hint: store === "float32" ? "Store its weights in a quarter by --store int8" : "Choose a smaller one" },
  );
}

/**
 * The shape of every float32 value, found by running the network once: ONNX Runtime knows all shapes, and it says
 * whether it has all operators.
 */
async function shapesOf(
  network: ModelProto,
  name: string,
  input: string,
  dims: readonly [1, 3, number, number],
): Promise<Map<string, readonly number[]>> {
  const graph = network.graph!;
  const own = graph.output.map(({ name }) => name);
  const inner = graph.node.flatMap(({ output }) => output).filter((name) =>
    name !== "" && !own.includes(name)
  );
  // Named without a type: ONNX Runtime infers both type and shape, whatever the file said of a fixed batch.
  const untyped = (names: string[]): ValueInfoProto[] =>
    names.map((name) => create(ValueInfoProtoSchema, { name }));
  graph.output = untyped([...own, ...inner]);
  const bytes = writeNetwork(network);
  graph.output = untyped(own);
  try {
    const session = await createSession(bytes);
    try {
      return await session.shapes(input, new Float32Array(dims.reduce((a, b) => a * b)), [...dims]);
    } finally {
      await session.release();
    }
  } catch (cause) {
    throw new InputError(
      "unsupported",
      `Cannot use backbone "${name}" as ONNX Runtime's WebAssembly build must be able to run it: ` +
        (cause as Error).message,
      { cause },
    );
  }
}

/** Puts our input, pixels in 0..1, in front: `(image − mean) / deviation`. */
function takeImages(
  { graph }: ModelProto,
  input: string,
  { mean, deviation }: Normalization,
  [height, width]: readonly [number, number],
): void {
  const perChannel = (name: string, values: readonly number[]): TensorProto =>
    constant(name, [1, 3, 1, 1], Float32Array.from(values));
  graph!.initializer.push(perChannel("normalize/mean", mean), perChannel("normalize/deviation", deviation));
  const centre = node("Sub", "normalize/centre", [INPUT, "normalize/mean"]);
  const scale = node("Div", "normalize/scale", ["normalize/centre", "normalize/deviation"]);
  scale.output = [input];
  graph!.node.unshift(centre, scale);
  graph!.input = [value(INPUT, ["N", 3, height, width])];
}

/** Pools what is spatial and joins all features in one output. */
function giveFeatures({ graph }: ModelProto, features: readonly FeatureTensor[]): void {
  const flat = features.map(({ name, shape }, i) => {
    if (shape.length === 1) return PREFIX + name;
    const pooled = `features/pool_${i}`, flattened = `features/flatten_${i}`;
    graph!.node.push(
      node("GlobalAveragePool", pooled, [PREFIX + name]),
      node("Flatten", flattened, [pooled], { axis: 1 }),
    );
    return flattened;
  });
  graph!.node.push(node("Concat", FEATURES, flat, { axis: 1 }));
  graph!.output = [value(FEATURES, ["N", features.reduce((sum, tensor) => sum + sizeOf(tensor), 0)])];
}

/**
 * @throws {InputError} if the features of a picture are others in a batch of two than alone: the network was
 * exported for a fixed batch in a way that cannot be undone
 */
async function checkBatch({ name, bytes, input: { height, width }, size }: Backbone): Promise<void> {
  const random = new Random(0, 1);
  const pixels = Float32Array.from({ length: 2 * 3 * height * width }, () => random.uniform());
  const session = await createSession(bytes);
  try {
    const run = async (pixels: Float32Array, count: number): Promise<Float32Array> =>
      (await session.run(INPUT, pixels, [count, 3, height, width]))[FEATURES]!;
    const half = pixels.length / 2;
    const alone = [await run(pixels.slice(0, half), 1), await run(pixels.slice(half), 1)];
    const together = await run(pixels, 2);
    const largest = Math.max(...together.map(Math.abs));
    const differs = together.length !== 2 * size ||
      together.some((value, i) =>
        !(Math.abs(value - alone[Math.floor(i / size)]![i % size]!) <= BATCH_TOLERANCE * largest)
      );
    if (differs) throw new Error("the features of a picture depend on the others of its batch");
  } catch (cause) {
    throw new InputError(
      "unsupported",
      `Cannot use backbone "${name}" as it must take batches of any size: ${(cause as Error).message}`,
      { cause, hint: "Export it again with a free (dynamic) batch dimension" },
    );
  } finally {
    await session.release();
  }
}
