import { assertLess } from "@std/assert";
import { WORKER_LIMIT_BYTES } from "../../serve/deploy/entry.ts";
import { bundle } from "../bench/workerd.ts";

Deno.test("the bundle fits into a Cloudflare Worker", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const files = await bundle(folder);
    const size = files.reduce((sum, { bytes }) => sum + bytes, 0);
    assertLess(size, WORKER_LIMIT_BYTES, files.map(({ name, bytes }) => `${name}: ${bytes}`).join(", "));
    // The model and ONNX Runtime are nearly all of it; more code than this is a library that was added by mistake. The
    // model's card and plots, 0.2 MB, count as code, as they are part of a module.
    const code = files.filter(({ name }) => name.endsWith(".js")).reduce((sum, { bytes }) => sum + bytes, 0);
    assertLess(code, 1.25 * 1024 * 1024);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
