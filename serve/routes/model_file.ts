/**
 * `GET /v1/model/file`: the ONNX file, for pages and programs that run the model themselves.
 *
 * @module
 */
import type { Handler } from "hono";
import type { AppEnv } from "../context.ts";
import { modelOf, type Service } from "../protocols/protocol.ts";

export function modelFile(service: Service): Handler<AppEnv> {
  return async (c): Promise<Response> => {
    const { file, description } = await modelOf(service);
    const { name, version } = description;
    // A URL with the version always returns the same file.
    const isFixed = c.req.query("version") === version;
    return new Response(file, {
      headers: {
        "content-type": "application/octet-stream",
        "content-disposition": `attachment; filename="${name.replace(/[^\w.-]/g, "_")}.onnx"`,
        "cache-control": isFixed ? "private, max-age=31536000, immutable" : "no-cache",
        etag: `"${version}"`,
      },
    });
  };
}
