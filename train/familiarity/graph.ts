/**
 * The part of an ONNX graph that computes the familiarity of each image from the outputs of layers.
 *
 * @module
 */
import { FAMILIARITY } from "../../shared/contract.ts";
import { DATA_TYPE, type OnnxNode, type OnnxTensor, type OnnxValue } from "../../shared/onnx/schema.ts";

/**
 * The familiarity of features `h`:
 *
 *     distance    = ‖directions · h − offset‖²
 *     familiarity = Σᵢ slopesᵢ · max(0, knotsᵢ − distance)
 *
 * The second line is a piecewise linear function that falls from 1 to 0. In this form it is exactly 0 beyond the last
 * knot, however far away an image is.
 */
export interface FamiliarityScore {
  /**
   * The values that are the features, joined in this order: 0 is the input of the first linear layer, `i` the output of
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

/** The nodes, initializers and output to add to a graph. */
export interface FamiliarityGraph {
  nodes: OnnxNode[];
  initializers: OnnxTensor[];
  output: OnnxValue;
}

/**
 * Builds `Gemm → … → Gemm → Mul → Gemm → Relu → MatMul → familiarity`, with a first `Gemm` for each value. Each
 * operation costs a request about 1 µs, so there is neither a `Concat` before nor a `Clip` after them: the function is
 * within 0..1 by a margin that is larger than the rounding error of float32. All operators are the same from operator
 * set 11 to the newest, which `ReduceSumSquare` is not.
 *
 * @param values names and widths of the values in the graph that {@linkcode FamiliarityScore.layers} stands for
 */
export function familiarityGraph(
  { directions, offset, knots, slopes }: FamiliarityScore,
  values: readonly { name: string; width: number }[],
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
  const initializers: OnnxTensor[] = [];
  const tensor = (part: string, dims: number[], data: Float32Array<ArrayBuffer>): string => {
    initializers.push({ name: name(part), dims, data });
    return name(part);
  };
  let projection = tensor("negative_offset", [k], offset.map((value) => -value)), start = 0;
  const nodes = values.map((value, i) => {
    const columns = tensor(
      `directions.${i}`,
      [k, value.width],
      columnsOf(directions, size, start, value.width),
    );
    start += value.width;
    const gemm = node(
      "Gemm",
      `projection.${i}`,
      [value.name, columns, projection],
      `[N, ${k}]: the features along the directions in which unfamiliar images stand out.`,
      [{ name: "transB", type: "int", value: 1 }],
    );
    projection = gemm.outputs[0]!;
    return gemm;
  });
  const minusOne = tensor("minus_one", [k, knots.length], new Float32Array(k * knots.length).fill(-1));
  nodes.push(
    node("Mul", "squares", [projection, projection], `[N, ${k}], whose sum is the distance.`),
    node(
      "Gemm",
      "margins",
      [name("squares"), minusOne, tensor("knots", [knots.length], knots)],
      `[N, ${knots.length}]: how far the distance is below each knot.`,
    ),
    node("Relu", "segments", [name("margins")], "The segments of a piecewise linear function."),
    {
      ...node(
        "MatMul",
        "share",
        [name("segments"), tensor("slopes", [knots.length], slopes)],
        "[N]: the share of less familiar images.",
      ),
      outputs: [FAMILIARITY],
    },
  );
  return {
    nodes,
    initializers,
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

/** Some columns of rows of a given size. */
function columnsOf(
  rows: Float32Array<ArrayBuffer>,
  size: number,
  start: number,
  width: number,
): Float32Array<ArrayBuffer> {
  if (width === size) return rows;
  const columns = new Float32Array(rows.length / size * width);
  for (let i = 0; i * width < columns.length; i++) {
    columns.set(rows.subarray(i * size + start, i * size + start + width), i * width);
  }
  return columns;
}
