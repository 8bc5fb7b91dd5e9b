/**
 * The part of an ONNX graph that computes the familiarity of each image from what the network makes of it.
 *
 * @module
 */
import { FAMILIARITY } from "../../shared/contract.ts";
import { DATA_TYPE, type OnnxNode, type OnnxTensor, type OnnxValue } from "../../shared/onnx/schema.ts";

/**
 * How familiar features `h` are:
 *
 *     distance    = ‖directions · h − offset‖²
 *     familiarity = Σᵢ slopesᵢ · max(0, knotsᵢ − distance), within 0..1
 *
 * The second line is a piecewise linear function that falls from 1 to 0. In this form it is exactly 0 beyond the last
 * knot, however far away an image is.
 */
export interface FamiliarityScore {
  /**
   * Which values are the features, joined in this order: 0 is the input of the first linear layer, `i` the output of
   * the `i`-th hidden layer, after its ReLU.
   */
  layers: readonly number[];
  /** `[k, D]`, row-major, for `D` features. */
  directions: Float32Array<ArrayBuffer>;
  /** `[k]` */
  offset: Float32Array<ArrayBuffer>;
  /** `[K]`, ascending distances. */
  knots: Float32Array<ArrayBuffer>;
  /** `[K]`, how much steeper the function is below a knot than above. */
  slopes: Float32Array<ArrayBuffer>;
}

/** Initializers whose names begin with this belong to the score, and must not be rounded. */
export const FAMILIARITY_PREFIX = `${FAMILIARITY}.`;

/** What is added to a graph. */
export interface FamiliarityGraph {
  nodes: OnnxNode[];
  initializers: OnnxTensor[];
  output: OnnxValue;
}

/**
 * Builds `Concat → Gemm → Mul → Gemm → Relu → MatMul → Clip → familiarity`, without `Concat` if there is one value.
 * All operators are the same from operator set 11 to the newest, which a `ReduceSumSquare` is not.
 *
 * @param values names of the values in the graph that {@linkcode FamiliarityScore.layers} stands for
 */
export function familiarityGraph(
  { directions, offset, knots, slopes }: FamiliarityScore,
  values: readonly string[],
): FamiliarityGraph {
  const k = offset.length, size = directions.length / k;
  const name = (part: string): string => FAMILIARITY_PREFIX + part;
  const node = (
    op: string,
    part: string,
    inputs: string[],
    doc: string,
    attributes: OnnxNode["attributes"] = [],
  ): OnnxNode => ({ name: name(part), op, inputs, outputs: [name(part)], attributes, doc });
  const tensor = (part: string, dims: number[], data: Float32Array<ArrayBuffer>): OnnxTensor => ({
    name: name(part),
    dims,
    data,
  });
  const transposed = { name: "transB", type: "int", value: 1 } as const;
  const nodes = [
    node(
      "Gemm",
      "projection",
      [
        values.length === 1 ? values[0]! : name("features"),
        name("directions"),
        name("negative_offset"),
      ],
      `[N, ${k}]: the features along the directions in which unfamiliar images stand out.`,
      [transposed],
    ),
    node("Mul", "squares", [name("projection"), name("projection")], "[N, k], whose sum is the distance."),
    node(
      "Gemm",
      "margins",
      [name("squares"), name("minus_one"), name("knots")],
      "[N, knots]: how far the distance is below each knot.",
    ),
    node("Relu", "segments", [name("margins")], "The segments of a piecewise linear function."),
    node("MatMul", "share", [name("segments"), name("slopes")], "[N]: the share of less familiar images."),
    {
      ...node("Clip", "clip", [name("share"), name("zero"), name("one")], "Rounding stays within 0..1."),
      outputs: [FAMILIARITY],
    },
  ];
  if (values.length > 1) {
    nodes.unshift(
      node("Concat", "features", [...values], `[N, ${size}]: what the network makes of an image.`, [
        { name: "axis", type: "int", value: 1 },
      ]),
    );
  }
  return {
    nodes,
    initializers: [
      tensor("directions", [k, size], directions),
      tensor("negative_offset", [k], offset.map((value) => -value)),
      tensor("minus_one", [k, knots.length], new Float32Array(k * knots.length).fill(-1)),
      tensor("knots", [knots.length], knots),
      tensor("slopes", [knots.length], slopes),
      tensor("zero", [], new Float32Array(1)),
      tensor("one", [], new Float32Array([1])),
    ],
    output: {
      name: FAMILIARITY,
      type: DATA_TYPE.float32,
      shape: ["N"],
      doc: "Share of the validation images that resemble the training images less, 0..1.",
      denotation: "",
      dimensionDenotations: ["DATA_BATCH"],
    },
  };
}
