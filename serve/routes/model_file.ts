/**
 * `GET /v1/model/file`: the ONNX file, for pages and programs that run the model themselves.
 *
 * @module
 */
import type { Handler } from "hono";
import type { AppEnv } from "../context.ts";
import { modelOf, type Service } from "../protocols/protocol.ts";
import { requestedRange } from "./range.ts";

export function modelFile(service: Service): Handler<AppEnv> {
  return async (c): Promise<Response> => {
    const { file, description } = await modelOf(c, service);
    const { name, version } = description;
    // A URL with the version always returns the same file.
    const isFixed = c.req.query("version") === version;
    const tag = `"${version}"`;
    const range = requestedRange(c, file.length, tag);
    return new Response(range ? file.subarray(range.start, range.end) : file, {
      status: range ? 206 : 200,
      headers: {
        "accept-ranges": "bytes",
        "content-type": "application/octet-stream",
        "content-disposition": `attachment; filename="${name.replace(/[^\w.-]/g, "_")}.onnx"`,
        "cache-control": isFixed ? "private, max-age=31536000, immutable" : "no-cache",
        etag: tag,
        ...(range && { "content-range": `bytes ${range.start}-${range.end - 1}/${file.length}` }),
      },
    });
  };
}
