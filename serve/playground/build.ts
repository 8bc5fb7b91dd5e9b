/**
 * `deno task build:playground`: bundles `source/` into the files that are kept in `assets/`, so that serving
 * and deploying need no step of their own.
 *
 * @module
 */
import { fileURLToPath } from "node:url";

const HERE = new URL("./", import.meta.url);
const ENTRIES = ["main.ts", "inference.ts", "feedback.ts", "service_worker.ts", "docs.ts", "style.css"];

/** Bundles `source/`: names in `assets/` and what belongs into them. */
export async function buildPlayground(): Promise<Map<string, string>> {
  // Imported here, so that nothing else gets the bundler along with this file.
  const { build, stop } = await import("esbuild");
  try {
    const { outputFiles } = await build({
      absWorkingDir: fileURLToPath(HERE),
      entryPoints: ENTRIES.map((name) => `source/${name}`),
      outdir: "assets",
      write: false,
      bundle: true,
      minify: true,
      format: "esm",
      // The first browsers with all that the page uses: Chromium 123, Firefox 120, Safari 17.5.
      target: ["chrome123", "firefox120", "safari17.5"],
      legalComments: "eof",
      logLevel: "silent",
    });
    return new Map(outputFiles.map(({ path, text }) => [path.split(/[\\/]/).at(-1)!, text]));
  } finally {
    await stop();
  }
}

if (import.meta.main) {
  for (const [name, text] of await buildPlayground()) {
    await Deno.writeTextFile(new URL(`assets/${name}`, HERE), text);
    // deno-lint-ignore no-console
    console.log(`${name}: ${text.length} bytes`);
  }
}
