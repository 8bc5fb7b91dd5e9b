/**
 * Commands to be printed, as others can type them.
 *
 * @module
 */
import type { Backend } from "../backend/mod.ts";
import { type Options, tokenize } from "./options.ts";

/** Options that name files of this machine, or that do not affect the result. */
const OMITTED = new Set([
  ...["data", "out", "replace-shipped", "tensorboard", "resume", "restart", "threads"],
  ...["quiet", "json", "dry-run", "seed", "backend", "gemm"],
]);

/**
 * The command that made a model, with each path shortened to `./NAME`, and with the seed and the backend that were
 * used.
 *
 * @param args as in `Deno.args`
 */
export function reproducibleCommand(
  options: Options,
  args: readonly string[],
  { seed, backend: { name, gemm, threads } }: {
    seed: number;
    backend: Pick<Backend, "name" | "gemm" | "threads">;
  },
): string {
  const given = new Map(tokenize(options, args).given.map(({ name, value }) => [name, value]));
  const kept = Array.from(given).filter(([key]) => !OMITTED.has(key)).map(([key, value]) =>
    `--${key}${value === undefined ? "" : ` ${shellQuote(baseName(value))}`}`
  );
  const chosen = Object.entries({ seed, backend: name, gemm, threads })
    .flatMap(([key, value]) => value === undefined ? [] : [`--${key} ${value}`]);
  return ["deno task train", ...kept, ...chosen].join(" ");
}

/** Quotes a word for a POSIX shell if it needs that. */
export function shellQuote(word: string): string {
  return /^[\w.,:@%+/-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** The name of a folder or file identifies it; its location is private. The result is still a path. */
function baseName(value: string): string {
  return value.includes("/") ? `./${value.replace(/\/+$/, "").split("/").at(-1)}` : value;
}
