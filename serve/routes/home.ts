/**
 * `GET /`: the playground, a page on which the model can be tried. It is made from the model's own description,
 * so that any model that keeps the contract gets one, and it loads nothing from elsewhere.
 *
 * @module
 */
import type { Handler } from "hono";
import type { Classifier } from "../../shared/inference/classifier.ts";
import type { Config } from "../config.ts";
import { Problem } from "../middleware/problem.ts";
import { STYLE } from "../playground/files.ts";
import { renderPage } from "../playground/page.ts";
import { policyFor } from "./policy.ts";

export function home(classifier: () => Promise<Classifier>, config: Config): Handler {
  const policy = policyFor(STYLE, {
    // ONNX Runtime is WebAssembly; nothing else may be compiled.
    "script-src": "'self' 'wasm-unsafe-eval'",
    "connect-src": "'self'",
    "img-src": "'self'",
    "worker-src": "'self'",
  });
  return async (c): Promise<Response> => {
    // The host comes from the client, who may send anything.
    const url = URL.parse(c.req.url);
    if (!url) throw new Problem(400, "Cannot show the page as the Host header is no host");
    const { description } = await classifier();
    return new Response(String(renderPage(description, config, url.origin)), {
      headers: {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-cache",
        "content-security-policy": await policy(),
      },
    });
  };
}
