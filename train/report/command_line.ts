/** The command that made a model, as others can type it. */
import type { Backend } from "../backend/mod.ts";

/** Options that say where files lie on this machine, or that do not touch the result. */
const LEFT_OUT = new Set([
  "data",
  "out",
  "tensorboard",
  "resume",
  "restart",
  "gemm",
  "threads",
  "quiet",
  "json",
  "dry-run",
  "seed",
  "backend",
]);

/**
 * Writes the command down without the paths of this machine, and with the seed and the backend that were
 * chosen for it.
 *
 * @param args as in `Deno.args`
 */
export function reproducibleCommand(
  args: readonly string[],
  { seed, backend: { name, gemm, threads } }: {
    seed: number;
    backend: Pick<Backend, "name" | "gemm" | "threads">;
  },
): string {
  const given = new Map<string, string | undefined>();
  for (let i = 0; i < args.length; i++) {
    const [, key, inline] = /^--([^=]+)(?:=(.*))?$/s.exec(args[i]!) ?? [];
    if (key === undefined) continue;
    const next = args[i + 1];
    const value = inline ?? (next !== undefined && !next.startsWith("--") ? args[++i] : undefined);
    if (!LEFT_OUT.has(key)) given.set(key, value);
  }
  const kept = Array.from(
    given,
    ([key, value]) => `--${key}${value === undefined ? "" : ` ${quote(value)}`}`,
  );
  const chosen = Object.entries({ seed, backend: name, gemm, threads })
    .flatMap(([key, value]) => value === undefined ? [] : [`--${key} ${value}`]);
  return ["deno task train", ...kept, ...chosen].join(" ");
}

function quote(value: string): string {
  // A folder's name says what was learnt from; where it lies is nobody's business.
  const last = value.includes("/") ? value.replace(/\/+$/, "").split("/").at(-1)! : value;
  return /^[\w.,:@%+-]+$/.test(last) ? last : `'${last.replaceAll("'", `'\\''`)}'`;
}
