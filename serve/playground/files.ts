/**
 * The page's files, as parts of the program: no runtime has to find them on a disk.
 *
 * @module
 */
import docs from "./assets/docs.js" with { type: "text" };
import feedback from "./assets/feedback.js" with { type: "text" };
import inference from "./assets/inference.js" with { type: "text" };
import main from "./assets/main.js" with { type: "text" };
import serviceWorker from "./assets/service_worker.js" with { type: "text" };
import { ORT_WASM } from "./names.ts";

export { default as STYLE } from "./assets/style.css" with { type: "text" };

/** A file of the page. */
export interface PageFile {
  body: string | Uint8Array<ArrayBuffer>;
  mediaType: string;
  /** Whether it is never another under this name. */
  immutable?: true;
}

const SCRIPT = "text/javascript; charset=utf-8";

// Two crossing threads, as in woven cloth.
const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
<rect width="32" height="32" rx="7" fill="#fbfaf7"/>
<g fill="none" stroke="#1c1b19" stroke-width="4"><path d="M10 4v24M22 4v24"/></g>
<g fill="none" stroke="#b3402a" stroke-width="4"><path d="M4 10h12M26 10h2M4 22h2M14 22h14"/></g>
</svg>
`;

const FILES = new Map<string, PageFile>([
  ["main.js", { body: main, mediaType: SCRIPT }],
  ["docs.js", { body: docs, mediaType: SCRIPT }],
  ["inference.js", { body: inference, mediaType: SCRIPT }],
  ["feedback.js", { body: feedback, mediaType: SCRIPT }],
  ["service_worker.js", { body: serviceWorker, mediaType: SCRIPT }],
  ["icon.svg", { body: ICON, mediaType: "image/svg+xml" }],
]);

/** The file of a name, or undefined. */
export async function pageFile(name: string): Promise<PageFile | undefined> {
  if (name !== ORT_WASM) return FILES.get(name);
  // 14 MB, which only pages that run the model themselves request.
  const { default: wasm } = await import("onnxruntime-web/ort-wasm-simd-threaded.wasm", {
    with: { type: "bytes" },
  });
  // On Cloudflare it is a module, compiled; but there the static assets have answered already.
  if (!(wasm as unknown instanceof Uint8Array)) return undefined;
  return { body: wasm as Uint8Array<ArrayBuffer>, mediaType: "application/wasm", immutable: true };
}
