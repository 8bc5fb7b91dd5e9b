/**
 * Converts trained weights to ONNX, with metadata that describes the model.
 *
 * @module
 */
import {
  type Familiarity,
  type ImageShape,
  INPUT,
  LOGITS,
  METADATA,
  type Metrics,
  PROBABILITIES,
  type Provenance,
  type Reference,
} from "../../shared/contract.ts";
import { type Preprocessing, preprocessingFor } from "../../shared/image.ts";
import { DATA_TYPE, type OnnxModel, type OnnxNode, type OnnxTensor } from "../../shared/onnx/schema.ts";
import { familiarityGraph, type FamiliarityScore } from "../familiarity/graph.ts";
import type { LinearWeights } from "../learning/mlp.ts";

/** The content of the file apart from the weights. */
export interface ModelInfo {
  /** Name of the graph. */
  name: string;
  /** Class names, in the order of the outputs. */
  labels: readonly string[];
  /** Size of one input image. */
  input: ImageShape;
  /** How pictures are converted to the input; by default, the version for the number of channels. */
  preprocessing?: Preprocessing;
  /** How the model was trained. */
  provenance: Provenance;
  /** Divides the logits before the softmax; with 1, the default, the graph has no division. */
  temperature?: number;
  /** Absent until the file has been measured. */
  metrics?: Metrics;
  /** Adds the output `familiarity`; absent for a model without it. */
  familiarity?: Familiarity & { score: FamiliarityScore };
  /** Absent without validation images. */
  reference?: Reference;
}

/**
 * Builds the graph `image → Flatten → (Gemm → Relu)* → Gemm → logits → (Div →) Softmax → probabilities`,
 * with the names of the weights in the `state_dict` of PyTorch's quickstart. The temperature does not change the
 * logits, so that another one can be fitted later. {@linkcode familiarityGraph} describes the third output.
 */
export function mlpToOnnx(layers: readonly LinearWeights[], info: ModelInfo): OnnxModel {
  const { name, labels, input: { channels, height, width }, provenance, temperature = 1, metrics } = info;
  const { preprocessing = preprocessingFor(channels), familiarity, reference } = info;
  const nodes: OnnxNode[] = [{
    name: "flatten",
    op: "Flatten",
    inputs: [INPUT],
    outputs: ["flatten"],
    attributes: [{ name: "axis", type: "int", value: 1 }],
    doc: layers[0]!.inFeatures === channels * height * width
      ? `[N, ${channels}, ${height}, ${width}] to [N, ${channels * height * width}], row-major.`
      : `[N, ${layers[0]!.inFeatures}]: the features of the backbone.`,
  }];
  const initializers: OnnxTensor[] = [];
  let x = "flatten";
  for (const [i, { inFeatures, outFeatures, weight, bias }] of layers.entries()) {
    const last = i === layers.length - 1;
    // As in torch.nn.Sequential, even indices are Linear layers and odd ones ReLUs.
    const linear = `linear_relu_stack.${2 * i}`, relu = `linear_relu_stack.${2 * i + 1}`;
    initializers.push(
      { name: `${linear}.weight`, dims: [outFeatures, inFeatures], data: weight },
      { name: `${linear}.bias`, dims: [outFeatures], data: bias },
    );
    nodes.push({
      name: linear,
      op: "Gemm",
      inputs: [x, `${linear}.weight`, `${linear}.bias`],
      outputs: [last ? LOGITS : linear],
      attributes: [{ name: "transB", type: "int", value: 1 }],
      doc: `Linear(in_features=${inFeatures}, out_features=${outFeatures}): y = xAᵀ + b.`,
    });
    if (!last) {
      nodes.push({
        name: relu,
        op: "Relu",
        inputs: [linear],
        outputs: [relu],
        attributes: [],
        doc: "ReLU: negative features become zero.",
      });
    }
    x = relu;
  }
  if (temperature !== 1) {
    initializers.push({ name: "temperature", dims: [], data: new Float32Array([temperature]) });
    nodes.push({
      name: "calibrate",
      op: "Div",
      inputs: [LOGITS, "temperature"],
      outputs: ["calibrated"],
      attributes: [],
      doc: "Temperature scaling: as sure as it is right (https://arxiv.org/abs/1706.04599).",
    });
  }
  nodes.push({
    name: "softmax",
    op: "Softmax",
    inputs: [temperature === 1 ? LOGITS : "calibrated"],
    outputs: [PROBABILITIES],
    attributes: [{ name: "axis", type: "int", value: 1 }],
    doc: "Logits to probabilities.",
  });

  let third;
  if (familiarity) {
    const values = familiarity.score.layers.map((layer) =>
      layer === 0
        ? { name: "flatten", width: layers[0]!.inFeatures }
        : { name: `linear_relu_stack.${2 * layer - 1}`, width: layers[layer - 1]!.outFeatures }
    );
    third = familiarityGraph(familiarity.score, values);
    nodes.push(...third.nodes);
    initializers.push(...third.initializers);
  }

  const classes = labels.length;
  const perClass = { type: DATA_TYPE.float32, shape: ["N", classes], denotation: "" };
  const classDenotations = ["DATA_BATCH", "DATA_FEATURE"];
  return {
    name,
    doc: `Classifies ${width}×${height} images as one of: ${labels.join(", ")}.`,
    producer: { name: "selvedge", version: provenance.codeVersion },
    inputs: [{
      name: INPUT,
      type: DATA_TYPE.float32,
      shape: ["N", channels, height, width],
      doc: "Pixels in 0..1: bytes divided by 255.",
      denotation: "IMAGE",
      dimensionDenotations: ["DATA_BATCH", "DATA_CHANNEL", "DATA_FEATURE", "DATA_FEATURE"],
    }],
    outputs: [
      { ...perClass, name: LOGITS, doc: "Raw scores.", dimensionDenotations: classDenotations },
      {
        ...perClass,
        name: PROBABILITIES,
        doc: "Each row sums to 1.",
        dimensionDenotations: classDenotations,
      },
      ...(third ? [third.output] : []),
    ],
    nodes,
    initializers,
    metadata: new Map([
      [METADATA.pixelFormat, channels === 1 ? "Gray8" : "Rgb8"],
      [METADATA.colorSpace, "SRGB"],
      [METADATA.pixelRange, "Normalized_0_1"],
      ...(preprocessing ? [[METADATA.preprocessing, JSON.stringify(preprocessing)] as const] : []),
      [METADATA.labels, JSON.stringify(labels)],
      [METADATA.dataset, JSON.stringify(provenance.dataset)],
      ...(provenance.backbone ? [[METADATA.backbone, JSON.stringify(provenance.backbone)] as const] : []),
      [METADATA.recipe, JSON.stringify(provenance.recipe)],
      [METADATA.seed, JSON.stringify(provenance.seed)],
      [METADATA.backend, JSON.stringify(provenance.backend)],
      ...(metrics ? [[METADATA.metrics, JSON.stringify(metrics)] as const] : []),
      ...(familiarity ? [[METADATA.familiarity, familiarityJson(familiarity)] as const] : []),
      ...(reference ? [[METADATA.reference, JSON.stringify(reference)] as const] : []),
      [METADATA.codeVersion, JSON.stringify(provenance.codeVersion)],
    ]),
  };
}

function familiarityJson({ threshold, kept, validation, test }: Familiarity): string {
  return JSON.stringify({ threshold, kept, validation, test });
}
