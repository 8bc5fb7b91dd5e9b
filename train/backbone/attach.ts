/**
 * Joins a backbone and the network that was trained on its features into one model.
 *
 * @module
 */
import { clone } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "onnx-buf";
import { INPUT } from "../../shared/contract.ts";
import { FAMILIARITY_PREFIX } from "../familiarity/graph.ts";
import type { LinearWeights } from "../learning/mlp.ts";
import { type Backbone, FEATURES } from "./backbone.ts";
import { parseNetwork, writeNetwork } from "./network.ts";
import { dequantize, quantize, storeInt8, WORTH_STORING } from "./store.ts";

/**
 * Puts a backbone in front of a model of this project, whose input becomes the features.
 *
 * @param head the model as `mlpToOnnx()` describes it, for features instead of pixels
 * @param int8 whether the head's weights are stored as int8; they must be rounded already
 * @returns the ONNX file
 */
export function attachHead(
  { model: backbone }: Backbone,
  head: Uint8Array,
  int8: boolean,
): Uint8Array<ArrayBuffer> {
  const model = parseNetwork(head, "head");
  const graph = model.graph!;
  const { graph: trunk, opsetImport, irVersion } = clone(ModelProtoSchema, backbone);
  // The head's operators are unchanged since operator set 11, so the model uses the backbone's version.
  model.opsetImport = opsetImport;
  if (irVersion > model.irVersion) model.irVersion = irVersion;
  if (int8) storeInt8(model, FAMILIARITY_PREFIX);
  for (const node of graph.node) node.input = node.input.map((name) => name === INPUT ? FEATURES : name);
  graph.node = [...trunk!.node, ...graph.node];
  graph.initializer = [...trunk!.initializer, ...graph.initializer];
  return writeNetwork(model);
}

/** Rounds weights to values that int8 can represent. */
export function roundWeights(layers: readonly LinearWeights[]): LinearWeights[] {
  return layers.map((layer) => {
    const { weight, outFeatures, inFeatures } = layer;
    if (weight.length < WORTH_STORING) return layer;
    const dims = [outFeatures, inFeatures];
    return { ...layer, weight: dequantize(quantize(weight, dims, 0), dims, 0) };
  });
}
