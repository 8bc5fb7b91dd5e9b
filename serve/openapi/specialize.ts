/**
 * What the OpenAPI document can say once the model is known: sizes and names.
 *
 * @module
 */
import {
  FAMILIARITY,
  type ImageShape,
  INPUT,
  LOGITS,
  type ModelDescription,
  PROBABILITIES,
} from "../../shared/contract.ts";
import type { Config } from "../config.ts";
import { shapesOf } from "../decode/infer.ts";
import type { Json, Operation } from "./operation.ts";

/** Adds to the schemas of requests what the model takes. */
export function specializeSchemas(
  schemas: Record<string, Json>,
  { input, familiarity }: ModelDescription,
  { maxBatchSize }: Config,
): void {
  const size = input.channels * input.height * input.width;
  extend(schemas, "Pixels", { minItems: size, maxItems: size });
  const variants = schemas["ClassifyRequest"]!["anyOf"] as { properties: Record<string, Json> }[];
  for (const { properties: { images } } of variants) if (images) images["maxItems"] = maxBatchSize;
  extend(schemas, "TensorShape", { anyOf: shapes(input, maxBatchSize) });
  const { inputs, outputs } = propertiesOf(schemas, "InferRequest");
  Object.assign(inputs!, { maxItems: 1 });
  const names = [LOGITS, PROBABILITIES, ...(familiarity ? [FAMILIARITY] : [])];
  Object.assign(outputs!, { maxItems: names.length, description: "Each at most once" });
  Object.assign(propertiesOf(schemas, "InferInput")["name"]!, { const: INPUT });
  Object.assign(propertiesOf(schemas, "InferOutput")["name"]!, { enum: names });
}

/** Adds to the parameters of an operation what the model has. */
export function specializeParameters(
  parameters: Operation["parameters"],
  { name, version, labels, familiarity }: ModelDescription,
  { maxTopK }: Config,
): Json[] | undefined {
  return parameters?.map((parameter) => {
    const schema = parameter["schema"] as Json;
    if (parameter["name"] === "top_k") {
      const maximum = Math.min(labels.length, maxTopK);
      const fallback = Math.min(schema["default"] as number, maximum);
      return { ...parameter, schema: { ...schema, maximum, default: fallback } };
    }
    if (parameter["name"] === "reject" && !familiarity) {
      return { ...parameter, schema: { ...schema, enum: [false] } };
    }
    if (parameter["in"] !== "path") return parameter;
    const examples = { model: [name], version: [version] }[parameter["name"] as string];
    return examples ? { ...parameter, schema: { ...schema, examples } } : parameter;
  });
}

/** An example of `InferRequest`: one image that gets lighter from top to bottom. */
export function inferExample({ input: { channels, height, width } }: ModelDescription): Json {
  const size = channels * height * width;
  const data = Array.from({ length: size }, (_, i) => Math.floor(256 * i / size));
  return { inputs: [{ name: INPUT, datatype: "UINT8", shape: [1, size], data }] };
}

function extend(schemas: Record<string, Json>, name: string, keys: Json): void {
  Object.assign(schemas[name]!, keys);
}

function propertiesOf(schemas: Record<string, Json>, name: string): Record<string, Json> {
  return schemas[name]!["properties"] as Record<string, Json>;
}

function shapes(input: ImageShape, maxBatchSize: number): Json[] {
  return shapesOf(input).map((sides) => ({
    prefixItems: [{ minimum: 1, maximum: maxBatchSize }, ...sides.map((side) => ({ const: side }))],
    minItems: 1 + sides.length,
    maxItems: 1 + sides.length,
  }));
}
