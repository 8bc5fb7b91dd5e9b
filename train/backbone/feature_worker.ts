/** A worker that computes features: it receives the model, then pixels, and returns features. */
// Must be the first import; ort.ts gives the reason.
import "../../shared/inference/worker.ts";
import { INPUT } from "../../shared/contract.ts";
import { scale } from "../../shared/inference/classifier.ts";
import { createSession } from "../../shared/inference/ort.ts";
import type { Session } from "../../shared/inference/session.ts";

/** Messages to the worker: the model once, then batches. */
export type FeatureRequest =
  | { model: Uint8Array; output: string }
  | { pixels: Uint8Array<ArrayBuffer>; dims: number[] };

/** The worker's global scope, which the types of a main thread do not include. */
const channel = self as unknown as {
  onmessage: (event: MessageEvent<FeatureRequest>) => void;
  postMessage(features: Float32Array | { error: string }): void;
};

let session: Promise<Session> | undefined, output = "";

channel.onmessage = async ({ data }) => {
  try {
    if ("model" in data) {
      output = data.output;
      session = createSession(data.model);
      await session;
    } else {
      const outputs = await (await session!).run(INPUT, scale(data.pixels), data.dims);
      channel.postMessage(outputs[output]!);
    }
  } catch (error) {
    channel.postMessage({ error: (error as Error).message });
  }
};
