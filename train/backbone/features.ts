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
  /** Name of the value in the graph. */
  name: string;
  /** The operator that computes it, such as `Conv`. */
  operator: string;
  /** Shape for one image, without the batch: `[D]`, or `[C, h, w]`, which is averaged over h and w. */
  shape: readonly number[];
}

/** How many features a tensor has for one image. */
export function sizeOf({ shape }: FeatureTensor): number {
  return shape[0]!;
}

/**
 * All tensors that can become features, in the order of the network.
 *
 * @param shapes of every tensor, for one image
 */
function featureTensors(
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
 * Chooses the features: the input of the head, or the output of a network without one, and the last tensor of the
 * previous resolution: the one with the most channels among the last tensors of at least twice its height and width.
 * Two resolutions validate better than one.
 *
 * @param wanted names of tensors to take instead
 * @throws {InputError} if there is no tensor of such a name, or no tensor that can become features
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
        `Cannot take features of backbone "${name}" as --features must name tensors of the network: there is no ` +
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

/** The last tensor of the resolution before the last one, with the most channels. */
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

/** The tensors, one line each. */
function listFeatures(tensors: readonly FeatureTensor[]): string {
  return tensors.map(({ name, operator, shape }) => `  ${name} ${operator} [${shape.join(", ")}]`).join("\n");
}
