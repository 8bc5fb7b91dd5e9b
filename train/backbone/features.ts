/**
 * Which tensors of a network become features.
 *
 * @module
 */
import type { GraphProto } from "onnx-buf";
import { InputError } from "../../shared/errors.ts";
import { headInput } from "./head.ts";

/** A tensor that can become features. */
export interface FeatureTensor {
  /** Of the value in the graph. */
  name: string;
  /** The operator that gives it, as `Conv`. */
  operator: string;
  /** Of one image, without the batch: `[D]`, or `[C, h, w]`, of which the mean over h and w is taken. */
  shape: readonly number[];
}

/** How many numbers a tensor gives for one image. */
export function sizeOf({ shape }: FeatureTensor): number {
  return shape[0]!;
}

/**
 * All tensors that can become features, in the order of the network.
 *
 * @param shapes of every tensor, for one image
 */
export function featureTensors(
  graph: GraphProto,
  shapes: ReadonlyMap<string, readonly number[]>,
): FeatureTensor[] {
  return graph.node.flatMap(({ opType, output }) =>
    output.flatMap((name): FeatureTensor[] => {
      const [batch, ...shape] = shapes.get(name) ?? [];
      if (batch !== 1 || shape.length !== 1 && shape.length !== 3) return [];
      return [{ name, operator: opType, shape }];
    })
  );
}

/**
 * Chooses the features: what the head takes, or the output of a network without one, and the last tensor of the
 * level before: the widest among the last tensors of at least twice its height and width. Two levels see more than
 * one: shapes beside materials.
 *
 * @param wanted names that replace this choice
 * @throws {InputError} if there is no tensor of such a name, or none that can become features
 */
export function chooseFeatures(
  graph: GraphProto,
  shapes: ReadonlyMap<string, readonly number[]>,
  name: string,
  wanted?: readonly string[],
): { features: FeatureTensor[]; cut: boolean } {
  const tensors = featureTensors(graph, shapes);
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  if (wanted) {
    const features = wanted.map((wantedName) => {
      const tensor = byName.get(wantedName);
      if (tensor) return tensor;
      throw new InputError(
        "not-found",
        `Cannot take features of backbone "${name}" as --features must name tensors of it: there is no ` +
          `"${wantedName}". There are:\n${listFeatures(tensors)}`,
      );
    });
    return { features, cut: !wanted.includes(graph.output[0]!.name) };
  }
  const head = headInput(graph, shapes);
  const top = byName.get(head ?? graph.output[0]!.name);
  if (!top) {
    throw new InputError(
      "invalid-shape",
      `Cannot take features of backbone "${name}" as its output must be [N, D] or [N, C, h, w]: current shape is ` +
        `[${shapes.get(graph.output[0]!.name)?.join(", ") ?? "unknown"}]`,
      { hint: `Name tensors by --features. There are:\n${listFeatures(tensors)}` },
    );
  }
  const below = levelBelow(tensors, top);
  return { features: below ? [top, below] : [top], cut: head !== undefined };
}

/** The last tensor of the level before the last: of at least twice the height of the last spatial one, and widest. */
function levelBelow(tensors: readonly FeatureTensor[], top: FeatureTensor): FeatureTensor | undefined {
  const before = tensors.slice(0, tensors.indexOf(top)).filter(({ shape }) =>
    shape.length === 3 && shape[1]! > 1
  );
  const last = before.at(-1);
  if (!last) return undefined;
  const earlier = before.filter(({ shape }) => shape[1]! >= 2 * last.shape[1]!);
  const height = earlier.at(-1)?.shape[1];
  const level = earlier.filter(({ shape }) => shape[1] === height);
  const width = Math.max(...level.map(sizeOf));
  return level.findLast((tensor) => sizeOf(tensor) === width);
}

/** The tensors, a line each. */
export function listFeatures(tensors: readonly FeatureTensor[]): string {
  return tensors.map(({ name, operator, shape }) => `  ${name} ${operator} [${shape.join(", ")}]`).join("\n");
}
