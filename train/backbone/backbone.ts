/**
 * A backbone: a pretrained image network, changed to take the input `image` and to return `features`.
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

/** Prefix of the names of a backbone's own values. */
const PREFIX = "backbone/";

/**
 * Bytes of a model that a Cloudflare Worker can bundle: 64 MiB
 * (https://developers.cloudflare.com/workers/platform/limits/, read on 2026-11-24), without ONNX Runtime's 14.2 MB and
 * 2 MiB for the program.
 */
const MAX_MODEL_BYTES = 64 * 1024 ** 2 - 14_300_000 - 2 * 1024 ** 2;

/** How much the other pictures of a batch may change a picture's features, as a share of the largest feature. */
const BATCH_TOLERANCE = 1e-4;

/** Height and width of the input in pixels if neither the network nor the user sets them: those of ImageNet. */
const DEFAULT_SIDE = 224;

/** How weights are stored. */
export type Store = "int8" | "float32";

/** How a network expects its input to be normalized. */
export interface Normalization {
  /** Mean of red, green and blue in 0..1, which is subtracted. */
  mean: readonly [number, number, number];
  /** Standard deviation, by which the difference is divided. */
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
  /** Where it can be downloaded. */
  source?: string;
}

/** Options for making a backbone of a network. */
export interface BackboneOptions {
  /** The normalization of the input. */
  normalization: Normalization;
  /** Height and width of the input in pixels, for a network that accepts any size; 224 by default. */
  imageSize?: number;
  /** Tensors to take features from, instead of the default. */
  features?: readonly string[];
  /** int8 by default. */
  store?: Store;
}

/** A network that computes features of images. */
export interface Backbone extends BackboneSource {
  /**
   * Takes `image` `[N, 3, H, W]` in 0..1 and returns `features` `[N, D]`.
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
  /** D, the number of features. */
  size: number;
  /** The tensors that the features come from. */
  features: readonly FeatureTensor[];
  /** Whether a classification head was removed. */
  cut: boolean;
  /** How its weights are stored. */
  store: Store;
}

/**
 * Makes a backbone of a network. The network is changed in place.
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
  // A backbone whose features are cached has passed this check, which takes half a second.
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
 * The shape of every float32 value, found by running the network once. ONNX Runtime knows all shapes, and it reports
 * operators that it does not support.
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
  // Without a type: ONNX Runtime then infers type and shape, and ignores a fixed batch size in the file.
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

/** Adds the input `image`, pixels in 0..1, and its normalization: `(image − mean) / deviation`. */
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

/** Pools spatial tensors and concatenates all features into one output. */
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
 * @throws {InputError} if the features of an image differ between a batch of one and a batch of two: the network was
 * exported for a fixed batch size in a way that cannot be undone
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
    if (differs) throw new Error("the features of an image depend on the other images of its batch");
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
