/** Computes features beside the main thread: first the model, then pixels in and features out. */
// Before all else: see there.
import "../../shared/inference/worker.ts";
import { INPUT } from "../../shared/contract.ts";
import { scale } from "../../shared/inference/classifier.ts";
import { createSession } from "../../shared/inference/ort.ts";
import type { Session } from "../../shared/inference/session.ts";

/** What a worker is sent: the model once, then batches. */
export type FeatureRequest =
  | { model: Uint8Array; output: string }
  | { pixels: Uint8Array<ArrayBuffer>; dims: number[] };

/** A worker's own side of the channel, which the types of a main thread do not have. */
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
