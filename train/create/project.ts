/**
 * A new project that trains and serves a classifier with this library: a training script, a worker, a test and the
 * settings of Deno and wrangler. It depends on the library and contains none of it.
 *
 * @module
 */
import { join, relative } from "node:path";
import config from "../../deno.json" with { type: "json" };
import { InputError } from "../../shared/errors.ts";
import { isSystemError, replaceFile } from "../files/replace_file.ts";

/** Copied as they are, except for the project's name. */
const TEMPLATE = ["README.md", "main.ts", "train.ts", "worker.ts", "worker_test.ts"];

/** The name in the template. */
const PLACEHOLDER = "my-classifier";

/** The packages of the library on JSR; both have the same version. */
const PACKAGES = [config.name, "@selvedge/server"];

/** Describes a new project. */
export interface ProjectOptions {
  /** Of the model and of the worker on Cloudflare. */
  name: string;
  /** The folder of a checkout of the library; absent to depend on its packages on JSR. */
  library?: string;
}

/**
 * Writes a project into a folder, which is created if necessary.
 *
 * @returns the paths of the files
 * @throws {InputError} `conflict` if the folder contains files, `not-found` if the library is not there,
 * `invalid-value` for a name that is not accepted as that of a worker
 */
export async function createProject(
  folder: string,
  { name, library }: ProjectOptions,
): Promise<string[]> {
  if (!/^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)) {
    throw new InputError(
      "invalid-value",
      `Cannot create a project as its name must be 1 to 63 lower-case letters, digits and "-", beginning with a letter: ` +
        `current value is "${name}"`,
      { hint: "Choose one with --name" },
    );
  }
  if (library !== undefined) await checkLibrary(library);
  await checkEmpty(folder);
  const link = library === undefined ? undefined : await linkBetween(folder, library);
  const files: [name: string, content: string | Uint8Array][] = [
    ["deno.json", `${JSON.stringify(denoConfig(link), null, 2)}\n`],
    ["wrangler.toml", wranglerConfig(await readText("../../wrangler.toml"), name, link)],
    [".gitignore", "node_modules/\n.wrangler/\n.dev.vars\n*.partial\n"],
    ["example.png", await readBytes("./template/example.png")],
  ];
  for (const file of TEMPLATE) {
    files.push([file, (await readText(`./template/${file}`)).replaceAll(PLACEHOLDER, name)]);
  }
  const paths: string[] = [];
  for (const [file, content] of files) {
    const path = join(folder, file);
    await replaceFile(path, content);
    paths.push(path);
  }
  return paths.sort();
}

async function checkLibrary(library: string): Promise<void> {
  const file = join(library, "deno.json");
  const found = await Deno.readTextFile(file).then((text) => JSON.parse(text).name, () => undefined);
  if (found === config.name) return;
  throw new InputError(
    "not-found",
    `Cannot use the library in "${library}" as its deno.json must be that of ${config.name}`,
    { hint: "Give the folder of a checkout with --library" },
  );
}

async function checkEmpty(folder: string): Promise<void> {
  try {
    for await (const { name } of Deno.readDir(folder)) {
      // A new repository has this folder.
      if (name === ".git") continue;
      throw new InputError(
        "conflict",
        `Cannot create a project in "${folder}" as it must be empty: there is "${name}"`,
      );
    }
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    if (cause instanceof Deno.errors.NotFound) return;
    if (!isSystemError(cause)) throw cause;
    throw new InputError("unavailable", `Cannot create a project in "${folder}": ${cause.message}`, {
      cause,
    });
  }
}

/** A relative path with slashes, so that both folders can be moved together. */
async function linkBetween(folder: string, library: string): Promise<string> {
  await Deno.mkdir(folder, { recursive: true });
  const path = relative(await Deno.realPath(folder), await Deno.realPath(library));
  return path.replaceAll("\\", "/");
}

/** @param link the path from the project to the library's folder; undefined to use JSR */
function denoConfig(link: string | undefined): unknown {
  const wrangler = config.tasks.dev.command.match(/npm:wrangler@\S+/)![0];
  // With the settings of memory.
  const denoRun = config.tasks.serve.command.match(/^GLIBC_TUNABLES=\S+ deno run --v8-flags=\S+/)![0];
  // wrangler bundles the worker with the packages that the library has installed.
  const run = (command: string): string =>
    link === undefined
      ? `deno run -A ${wrangler} ${command}`
      : `(cd "${link}" && deno install --quiet --frozen --node-modules-dir=auto --entrypoint serve/worker.ts ${wrangler}) && ` +
        `CLOUDFLARE_CF_FETCH_ENABLED=false deno run -A --config "${link}/deno.json" ${wrangler} ${command}`;
  return {
    tasks: {
      train: {
        description: "Train a model on a folder of pictures and write it to model/",
        command: "deno run --allow-read --allow-write --allow-env --allow-net --allow-ffi train.ts",
      },
      test: {
        description: "Test the worker with the model",
        command: "LOG_LEVEL=error deno test --allow-read --allow-env",
      },
      serve: {
        description: "Serve the model on Deno at http://127.0.0.1:8000/; PORT and --port name another port",
        // The threads that decode pictures are started from files.
        command: `${denoRun} --allow-net --allow-env --allow-read main.ts`,
      },
      dev: {
        description: "Serve the model on workerd, as Cloudflare does, at http://127.0.0.1:8787/",
        command: run("dev"),
      },
      deploy: { description: "Deploy the worker to Cloudflare", command: run("deploy") },
    },
    imports: Object.fromEntries(PACKAGES.map((name) => [name, `jsr:${name}@^${config.version}`])),
    // Instead of what JSR has: remove this to use the published packages.
    ...(link !== undefined && { links: [link] }),
    unstable: ["raw-imports"],
    allowScripts: config.allowScripts,
    fmt: { exclude: ["model"] },
  };
}

/** The library's own settings for Cloudflare, with the project's worker and the library's files. */
function wranglerConfig(text: string, name: string, link: string | undefined): string {
  const own = text
    .replace('name = "selvedge"', `name = "${name}"`)
    .replace('main = "serve/worker.ts"', 'main = "worker.ts"');
  if (link === undefined) return own;
  const alias =
    `# Where wrangler finds the server's package.\n[alias]\n"@selvedge/server" = "${link}/serve/create_worker.ts"\n\n`;
  return own
    .replace('directory = "serve/playground/cloudflare"', `directory = "${link}/serve/playground/cloudflare"`)
    .replaceAll("docs/", `${link}/docs/`)
    .replace(/^# `import model/m, `${alias}$&`);
}

async function readText(path: string): Promise<string> {
  return new TextDecoder().decode(await readBytes(path));
}

/** A file of this package, on the disk or from a registry. */
async function readBytes(path: string): Promise<Uint8Array> {
  const response = await fetch(new URL(path, import.meta.url));
  return new Uint8Array(await response.arrayBuffer());
}
