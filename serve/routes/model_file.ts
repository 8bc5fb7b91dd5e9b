/**
 * `GET /v1/model/file`: the ONNX file, for pages and programs that run the model themselves.
 *
 * @module
 */
import type { Handler } from "hono";
import type { Classifier } from "../../shared/inference/classifier.ts";

export function modelFile(classifier: () => Promise<Classifier>): Handler {
  return async (c): Promise<Response> => {
    const { file, description } = await classifier();
    const { name, version } = description;
    // Asked for by its version, it is never another.
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
