/**
 * `POST /v2/models/{model}[/versions/{version}]/infer`: the Open Inference Protocol
 * (https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md) with
 * Triton's extensions for classification and for tensors as bytes
 * (https://github.com/triton-inference-server/server/tree/main/docs/protocol).
 *
 * @module
 */
import type { Handler } from "hono";
import { FAMILIARITY } from "../../shared/contract.ts";
import type { Classifier, Scores } from "../../shared/inference/classifier.ts";
import type { AppEnv } from "../context.ts";
import type { InferRequest } from "../decode/infer.ts";
import { writeFloats, writeStrings } from "../decode/tensor.ts";
import type { Service } from "../protocols/protocol.ts";
import { answer } from "./answer.ts";

/** The header with the length of the JSON; bytes follow it. */
const JSON_LENGTH = "inference-header-content-length";

/** An output in the response; binary outputs have no `data`. */
interface Output {
  name: string;
  datatype: "FP32" | "BYTES";
  shape: number[];
  data?: number[] | string[];
  parameters?: { binary_data_size: number };
}

export function infer(service: Service): Handler<AppEnv> {
  return async (c): Promise<Response> => {
    const jsonLength = c.req.header(JSON_LENGTH);
    return await answer(c, service, {
      form: "infer",
      ...(jsonLength !== undefined && { jsonLength }),
      write: writeResponse,
    });
  };
}

function writeResponse(scores: Scores, { id, outputs }: InferRequest, classifier: Classifier): Response {
  const { name, version, labels } = classifier.description;
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const written = outputs.map(({ name, binary, classes }): Output => {
    const values = scores[name]!;
    const sides = name === FAMILIARITY ? [] : [labels.length];
    const count = values.length / (sides[0] ?? 1);
    const texts = classes > 0 ? writeClasses(values, classes, classifier) : undefined;
    const head = texts
      ? { name, datatype: "BYTES" as const, shape: [count, classes] }
      : { name, datatype: "FP32" as const, shape: [count, ...sides] };
    if (!binary) return { ...head, data: texts ?? Array.from(values) };
    const bytes = texts ? writeStrings(texts) : writeFloats(values);
    parts.push(bytes);
    return { ...head, parameters: { binary_data_size: bytes.length } };
  });
  const json = {
    model_name: name,
    model_version: version,
    ...(id !== undefined && { id }),
    outputs: written,
  };
  if (parts.length === 0) return Response.json(json);
  const head = new TextEncoder().encode(JSON.stringify(json));
  return new Response(new Blob([head, ...parts]), {
    headers: { "content-type": "application/octet-stream", [JSON_LENGTH]: String(head.length) },
  });
}

/** `"score:index:label"`, the score with six decimals as Triton prints it. */
function writeClasses(values: Float32Array, classes: number, classifier: Classifier): string[] {
  return classifier.top(values, classes).flat().map(({ score, classIndex, label }) =>
    `${score.toFixed(6)}:${classIndex}:${label}`
  );
}
