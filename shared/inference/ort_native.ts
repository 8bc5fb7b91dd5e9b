/**
 * ONNX Runtime as a native library, `onnxruntime-node`, for servers on Deno: faster than WebAssembly, but
 * 288 MB with its GPU providers, so it is not among the project's dependencies. Deno installs it at the first
 * use, if it may; the program needs `--allow-ffi`.
 *
 * @module
 */
import type { InferenceSession, Tensor } from "onnxruntime-web/wasm";
import { adapt, type Session } from "./session.ts";

/** The same version as onnxruntime-web in deno.json, so that both have the same operators. */
export const NATIVE_PACKAGE = "npm:onnxruntime-node@1.30.0";

interface Library {
  InferenceSession: { create(model: Uint8Array, options: object): Promise<InferenceSession> };
  Tensor: typeof Tensor;
}

/**
 * Creates a session that runs beside the event loop.
 *
 * @param model bytes of an ONNX file
 * @param threads threads of one run; a server that answers HTTP too needs a core for that
 * @throws {Error} if the package is missing, or of ONNX Runtime if it refuses the model
 */
export async function createNativeSession(model: Uint8Array, threads = 1): Promise<Session> {
  const { InferenceSession, Tensor } = await load();
  const session = await InferenceSession.create(model, {
    executionProviders: ["cpu"],
    graphOptimizationLevel: "all",
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  return adapt(session, Tensor);
}

async function load(): Promise<Library> {
  // In a variable, as Deno would install what it finds in a literal, for everyone.
  const name = NATIVE_PACKAGE;
  try {
    return await import(name);
  } catch (cause) {
    throw new Error(
      `Cannot run the model natively as ${name} cannot be loaded, which needs the package, installed by ` +
        `\`deno task serve:native\`, and --allow-ffi: ${(cause as Error).message}`,
      { cause },
    );
  }
}
