/**
 * workerd itself on the bundle that would be deployed. `wrangler dev` puts a proxy before it, which is slower
 * than the worker.
 *
 * @module
 */
import { createRequire } from "node:module";
import { type BundleFile, bundleFiles } from "../../serve/deploy/entry.ts";
import { COUNTER, WRAPPER } from "../helpers/memory_counter.ts";

const ROOT = new URL("../../", import.meta.url);

/**
 * Makes the bundle as `deno task deploy --dry-run` does.
 *
 * @param model as `--model` takes it; the shipped model by default
 */
export async function bundle(folder: string, model?: string): Promise<BundleFile[]> {
  const args = [
    "deploy",
    "--dry-run",
    "--outdir",
    folder,
    ...(model === undefined ? [] : ["--model", model]),
  ];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "serve/deploy/main.ts", ...args],
    cwd: ROOT,
    env: { MODEL: "", NO_COLOR: "1" },
  }).output();
  if (code !== 0) throw new Error(new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr));
  return await bundleFiles(folder);
}

/** How a worker is served. */
export interface Settings {
  port: number;
  variables: Record<string, string>;
  /** Whether it counts its WebAssembly memories. */
  isCounted?: boolean;
}

/** Writes a configuration for `workerd serve` beside a bundle. */
export async function configure(
  folder: string,
  files: BundleFile[],
  { port, variables, isCounted = false }: Settings,
): Promise<string> {
  const names = files.map(({ name }) => name);
  if (isCounted) {
    await Deno.writeTextFile(`${folder}/counter.js`, COUNTER);
    await Deno.writeTextFile(`${folder}/wrapper.js`, WRAPPER);
    names.push("counter.js", "wrapper.js");
  }
  const entry = isCounted ? "wrapper.js" : "worker.js";
  const kind = (name: string): string =>
    name.endsWith(".js") ? "esModule" : name.endsWith(".wasm") ? "wasm" : "data";
  // The module that is named first is the entry.
  const modules = names.toSorted((a, b) => Number(b === entry) - Number(a === entry))
    .map((name) => `(name = "${name}", ${kind(name)} = embed "${name}")`);
  const toml = await Deno.readTextFile(new URL("wrangler.toml", ROOT));
  const date = /^compatibility_date = "([0-9-]+)"/m.exec(toml)![1]!;
  const bindings = Object.entries(variables).map(([name, text]) => `(name = "${name}", text = "${text}")`);
  const path = `${folder}/workerd.capnp`;
  await Deno.writeTextFile(
    path,
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [${modules.join(", ")}],
  bindings = [${bindings.join(", ")}],
  compatibilityDate = "${date}",
  compatibilityFlags = ["enable_request_signal"],
);
`,
  );
  return path;
}

/** The program that wrangler brings along; its npm package has a wrapper, which could not be stopped. */
export function workerdPath(): string {
  const wrangler = createRequire(new URL("deno.json", ROOT)).resolve("wrangler");
  return createRequire(createRequire(wrangler).resolve("miniflare"))("workerd").default;
}
