import { assert, assertEquals, assertGreater } from "@std/assert";
import { createApp } from "../../serve/app.ts";
import { shippedModel } from "../../serve/shipped_model.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { encodeJpeg, encodeWebp } from "../helpers/picture_encoders.js";
import { encodePng } from "../helpers/png_encoder.ts";

const TEXT = await Deno.readTextFile(new URL("../../docs/api.md", import.meta.url));

/** The examples: a command, and its answer where one is shown. */
const EXAMPLES = [...TEXT.matchAll(/```sh\n([^`]*?)```(?:\n\n```json\n([^`]*?)```)?/g)]
  .map(([, command, answer]) => ({ command: command!, answer }))
  .filter(({ command }) => command.includes("curl"));

/** The pictures that the examples name. */
async function writePictures(folder: string): Promise<void> {
  const [width, height] = [60, 50];
  const lightness = (x: number, y: number): number => x > 12 && x < 44 && y > 20 ? 60 : 255;
  const sample = (x: number, y: number, channel: number): number => channel === 3 ? 255 : lightness(x, y);
  const data = Uint8Array.from(
    { length: 4 * width * height },
    (_, i) => sample((i >> 2) % width, Math.floor((i >> 2) / width), i & 3),
  );
  const png = encodePng({ width, height, depth: 8, colour: 6, interlaced: false, filters: [0], sample });
  await Deno.writeFile(`${folder}/shoe.png`, png);
  await Deno.writeFile(`${folder}/bag.jpg`, await encodeJpeg({ width, height, data }));
  await Deno.writeFile(`${folder}/shirt.webp`, await encodeWebp({ width, height, data }));
  await Deno.writeTextFile(`${folder}/notes.txt`, "Remember the milk");
}

/**
 * What kind of JSON it is: keys, lengths and types, but not what depends on the model, which is numbers, names, and
 * whether it has the output `familiarity`.
 */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((item) => item?.name !== "familiarity").map(shapeOf);
  if (typeof value !== "object" || value === null) return typeof value;
  return Object.fromEntries(
    Object.entries(value).filter(([key]) => !/^(un)?familiar(ity)?$/.test(key))
      .map(([key, inner]) => [key, shapeOf(inner)]),
  );
}

/** A problem is the same for every model. */
function sameProblem(found: unknown, wanted: Record<string, unknown>): void {
  if ("error" in wanted || "detail" in wanted) assertEquals(found, wanted);
}

async function hasCurl(): Promise<boolean> {
  try {
    return (await new Deno.Command("curl", { args: ["--version"], stdout: "null" }).output()).success;
  } catch {
    return false;
  }
}

Deno.test("docs/api.md shows what the server does (needs curl)", { ignore: !await hasCurl() }, async (t) => {
  const folder = await Deno.makeTempDir();
  await writePictures(folder);
  const app = createApp({
    load: () => Classifier.load(shippedModel),
    report: (error) => {
      throw error;
    },
  });
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) => app.fetch(request),
  );
  try {
    for (const { command, answer } of EXAMPLES) {
      await t.step(command.split("\n", 1)[0]!, async () => {
        const { code, stdout } = await new Deno.Command("sh", {
          args: ["-c", command.replaceAll("curl ", "curl -s ")],
          cwd: folder,
          env: { URL: `http://127.0.0.1:${server.addr.port}` },
        }).output();
        assertEquals(code, 0);
        const found = JSON.parse(new TextDecoder().decode(stdout));
        if (answer === undefined) return;
        const wanted = JSON.parse(answer);
        assertEquals(shapeOf(found), shapeOf(wanted), JSON.stringify(found));
        sameProblem(found, wanted);
      });
    }
  } finally {
    await server.shutdown();
    await Deno.remove(folder, { recursive: true });
  }
  assertGreater(EXAMPLES.length, 9);
});

Deno.test("docs/api.md names every endpoint", () => {
  const app = createApp({ load: () => Promise.reject(new Error("not needed")), report: () => {} });
  for (const { method, path } of app.routes) {
    if (method === "ALL" || (path.endsWith("/") && path !== "/")) continue;
    const written = path.replace(/:(\w+)/g, "{$1}").replace("/versions/{version}", "");
    assert(TEXT.includes(`\`${method} ${written}\``), `${method} ${written} is missing`);
  }
});
