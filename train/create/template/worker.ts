/** The server, on Deno (`deno task serve`) and on Cloudflare Workers (`deno task dev`, `deno task deploy`). */
import { createWorker } from "@selvedge/server";
import model from "./model/model.onnx" with { type: "bytes" };

// On Cloudflare, the import is an ArrayBuffer.
export default createWorker(new Uint8Array(model));
