/**
 * `GET /`: the playground, a page on which the model can be tried. It is made from the model's own description, so that
 * any model that follows the contract gets one, and it loads nothing from elsewhere.
 *
 * @module
 */
import type { Handler } from "hono";
import type { AppEnv } from "../context.ts";
import { Problem } from "../problem.ts";
import { STYLE } from "../playground/files.ts";
import { renderPage } from "../playground/page.ts";
import { modelOf, type Service } from "../protocols/protocol.ts";
import { publicFiles } from "./pages.ts";
import { policyFor } from "./policy.ts";

export function home(service: Service): Handler<AppEnv> {
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
    if (!url) throw new Problem(400, "Cannot show the page as the Host header is malformed");
    const classifier = await modelOf(c, service);
    const { examples } = await publicFiles(c, service);
    return new Response(
      String(
        renderPage(classifier, examples, service.config, {
          origin: url.origin,
          takesFeedback: service.feedback !== undefined,
        }),
      ),
      {
        headers: {
          "content-type": "text/html; charset=utf-8",
          "cache-control": "no-cache",
          "content-security-policy": await policy(),
        },
      },
    );
  };
}
