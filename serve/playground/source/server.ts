/**
 * The model on the server, over the Open Inference Protocol with Triton's binary tensors: bytes up, float32
 * down, all classes, any number of images.
 *
 * @module
 */
import { FAMILIARITY, INPUT, LOGITS, PROBABILITIES } from "../../../shared/contract.ts";
import { withKey } from "./key.ts";
import type { PageModel } from "./page_model.ts";
import { type Answer, KeyTrouble, type Runner, Trouble } from "./runner.ts";

const LENGTH = "inference-header-content-length";
/** Room for the JSON before the pixels. */
const HEAD_BYTES = 1024;

export class ServerRunner implements Runner {
  /** A quarter of the time that the server lets other requests wait by default. */
  readonly batchMs = 250;
  readonly #model: PageModel;
  readonly #imageSize: number;

  constructor(model: PageModel) {
    const { channels, height, width } = model.input;
    this.#model = model;
    this.#imageSize = channels * height * width;
  }

  async run(pixels: Uint8Array<ArrayBuffer>): Promise<Answer> {
    const { maxImages, maxBytes, labels } = this.#model;
    const most = Math.max(1, Math.min(maxImages, Math.floor((maxBytes - HEAD_BYTES) / this.#imageSize)));
    const start = performance.now();
    const count = pixels.length / this.#imageSize;
    const logits = new Float32Array(count * labels.length);
    const probabilities = new Float32Array(logits.length);
    let familiarity: Float32Array | undefined;
    for (let n = 0; n < count; n += most) {
      const part = pixels.subarray(n * this.#imageSize, (n + most) * this.#imageSize);
      const outputs = await this.#infer(part);
      logits.set(outputs.get(LOGITS)!, n * labels.length);
      probabilities.set(outputs.get(PROBABILITIES)!, n * labels.length);
      const familiarities = outputs.get(FAMILIARITY);
      if (familiarities) (familiarity ??= new Float32Array(count)).set(familiarities, n);
    }
    return {
      logits,
      probabilities,
      ...(familiarity && { familiarity }),
      ms: performance.now() - start,
    };
  }

  async #infer(pixels: Uint8Array<ArrayBuffer>): Promise<Map<string, Float32Array>> {
    const { channels, height, width } = this.#model.input;
    const shape = [pixels.length / this.#imageSize, channels, height, width];
    const head = new TextEncoder().encode(JSON.stringify({
      inputs: [{ name: INPUT, datatype: "UINT8", shape, parameters: { binary_data_size: pixels.length } }],
      parameters: { binary_data_output: true },
    }));
    const response = await send(`/v2/models/${encodeURIComponent(this.#model.name)}/infer`, {
      method: "POST",
      headers: withKey({ "content-type": "application/octet-stream", [LENGTH]: String(head.length) }),
      body: new Blob([head, pixels]),
    });
    const bytes = await response.arrayBuffer();
    const length = Number(response.headers.get(LENGTH));
    const { outputs } = JSON.parse(new TextDecoder().decode(bytes.slice(0, length)));
    const arrays = new Map<string, Float32Array>();
    let at = length;
    for (const { name, parameters: { binary_data_size: size } } of outputs) {
      // A copy, as it need not start at a multiple of four.
      arrays.set(name, new Float32Array(bytes.slice(at, at + size)));
      at += size;
    }
    return arrays;
  }
}

/**
 * Asks the server.
 *
 * @throws {KeyTrouble} if the server wants an API key, or another one
 * @throws {Trouble} if it cannot be reached or refuses
 */
export async function send(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch {
    throw new Trouble("The server is unreachable.");
  }
  if (response.ok) return response;
  if (response.status === 401) throw new KeyTrouble("The API key is missing or invalid.");
  const seconds = response.headers.get("retry-after");
  if (seconds !== null) throw new Trouble(`The server is busy: try again in ${seconds} s.`);
  const { detail, error } = await response.json().catch(() => ({}));
  throw new Trouble(`Error from the server: ${detail ?? error ?? response.status}.`);
}
