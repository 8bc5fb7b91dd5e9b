/**
 * What the four commands share: options with checked values, `--help`, exit codes, and a progress bar.
 *
 * @module
 */
import { type DatasetProgress, DatasetUnavailableError } from "../dataset/mod.ts";

/** A mistake in the command line; the exit code is 2. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** One `--option`. */
export interface Option<T> {
  /** What the value is called in the help, as `N`; absent for a flag. */
  value?: string;
  help: string;
  /** Shown in the help. */
  fallback?: string;
  /** Turns the text into a value, or answers undefined if it is none. */
  parse(text: string): T | undefined;
  /** Says what is accepted, to go on "must be …". */
  accepts: string;
}

/** An option without a value. */
export function flag(help: string): Option<boolean> {
  return { help, parse: () => true, accepts: "given without a value" };
}

/** One of a few words. */
export function choice<const T extends string>(words: readonly T[], help: string, fallback?: T): Option<T> {
  return {
    value: words.join("|"),
    help,
    ...(fallback && { fallback }),
    parse: (text) => words.find((word) => word === text),
    accepts: `one of ${words.join(", ")}`,
  };
}

/** A path or a name. */
export function text(value: string, help: string, fallback?: string): Option<string> {
  return {
    value,
    help,
    ...(fallback && { fallback }),
    parse: (text) => text || undefined,
    accepts: "some text",
  };
}

/** A number in `[min, max]`, `whole` or not. */
export function number(
  help: string,
  { min, max, whole = false, fallback }: { min: number; max: number; whole?: boolean; fallback?: string },
): Option<number> {
  return {
    value: whole ? "N" : "X",
    help,
    ...(fallback && { fallback }),
    parse(text): number | undefined {
      const value = text.trim() === "" ? NaN : Number(text);
      return value >= min && value <= max && (!whole || Number.isInteger(value)) ? value : undefined;
    },
    accepts: `a ${whole ? "whole " : ""}number from ${min} to ${max}`,
  };
}

type Options = Record<string, Option<unknown>>;
type Values<O extends Options> = { [K in keyof O]?: O[K] extends Option<infer T> ? T : never };

/** A command as its `--help` shows it. */
export interface Command<O extends Options> {
  /** As `deno task train`. */
  name: string;
  summary: string;
  options: O;
  /** What follows the options, as `FILE…`; absent if nothing may. */
  operands?: string;
  /** More lines for the end of the help. */
  notes?: string;
}

/**
 * Reads a command line: `--name value`, `--name=value`, and operands.
 *
 * @throws {UsageError} that names the option, the value and what is accepted
 */
export function parseArguments<O extends Options>(
  { name, options, operands: operandName }: Command<O>,
  args: readonly string[],
): { values: Values<O>; operands: string[] } {
  const values: Record<string, unknown> = {};
  const operands: string[] = [];
  const hint = `Try "${name} --help"`;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (!arg.startsWith("-") || arg === "-") {
      operands.push(arg);
      continue;
    }
    if (arg === "--") {
      operands.push(...args.slice(i + 1));
      break;
    }
    const [, key = "", inline] = /^--([^=]*)(?:=(.*))?$/s.exec(arg) ?? [];
    const option = Object.hasOwn(options, key) ? options[key] : undefined;
    if (!option) {
      const known = Object.keys(options).map((known) => `--${known}`).join(", ");
      throw new UsageError(`Unknown option "${arg}": accepted are ${known}. ${hint}`);
    }
    const given = option.value === undefined ? inline : inline ?? args[++i];
    if (option.value !== undefined && given === undefined) {
      throw new UsageError(`Option --${key} needs a value: it must be ${option.accepts}. ${hint}`);
    }
    const value = option.value === undefined && given !== undefined ? undefined : option.parse(given ?? "");
    if (value === undefined) {
      throw new UsageError(`Option --${key} must be ${option.accepts}: current value is "${given}". ${hint}`);
    }
    values[key] = value;
  }
  if (operandName === undefined && operands.length > 0) {
    throw new UsageError(`Unexpected "${operands[0]}": only options are accepted. ${hint}`);
  }
  return { values: values as Values<O>, operands };
}

/** The text of `--help`. */
export function helpText({ name, summary, options, operands, notes }: Command<Options>): string {
  const rows = Object.entries({ ...options, help: flag("Shows this") }).map(([key, option]) => {
    const left = `  --${key}${option.value === undefined ? "" : ` ${option.value}`}`;
    return [left, `${option.help}${option.fallback ? ` (default ${option.fallback})` : ""}`] as const;
  });
  const width = Math.min(32, Math.max(...rows.map(([left]) => left.length)) + 2);
  const lines = rows.map(([left, right]) =>
    left.length < width ? left.padEnd(width) + right : `${left}\n${" ".repeat(width)}${right}`
  );
  return [
    summary,
    "",
    `Usage: ${name} [options]${operands ? ` ${operands}` : ""}`,
    "",
    "Options:",
    ...lines,
    ...(notes ? ["", notes] : []),
  ].join("\n");
}

/** Prints a line of results. */
export function print(line = ""): void {
  // deno-lint-ignore no-console
  console.log(line);
}

/** Prints a line that is not a result, so that `--json` and pipes stay clean. */
export function note(line = ""): void {
  // deno-lint-ignore no-console
  console.error(line);
}

/**
 * Runs a command: answers `--help`, stops it on Ctrl-C, and turns errors into a line and an exit code: 2 for
 * a wrong command line, 69 (EX_UNAVAILABLE) for a missing data set, 130 for Ctrl-C, 1 otherwise.
 */
export async function runCommand<O extends Options>(
  command: Command<O>,
  run: (values: Values<O>, operands: string[], signal: AbortSignal) => Promise<void>,
): Promise<void> {
  if (Deno.args.includes("--help") || Deno.args.includes("-h")) return print(helpText(command));
  const stop = new AbortController();
  const onInterrupt = (): void => {
    // Pressed twice: whoever insists is not kept waiting.
    if (stop.signal.aborted) Deno.exit(130);
    stop.abort();
  };
  Deno.addSignalListener("SIGINT", onInterrupt);
  try {
    const { values, operands } = parseArguments(command, Deno.args);
    await run(values, operands, stop.signal);
  } catch (error) {
    clearProgress();
    if (stop.signal.aborted) {
      note("Stopped. What was there before is as it was");
      Deno.exit(130);
    }
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    note(`error: ${message}`);
    // What is thrown on purpose begins so; anything else is a fault of ours, and its origin is wanted.
    if (!/^(Cannot|Unknown|Unexpected|Option|Fashion-MNIST)\b/.test(message)) note(stack);
    Deno.exit(error instanceof UsageError ? 2 : error instanceof DatasetUnavailableError ? 69 : 1);
  } finally {
    Deno.removeSignalListener("SIGINT", onInterrupt);
  }
}

let shown = false;

/**
 * Draws `label ━━━━╌╌╌╌ 42 %  detail` over the line before, on a terminal; elsewhere it draws nothing, so
 * that logs stay short.
 *
 * @param fraction 0..1, or undefined if the end is not known
 */
export function showProgress(label: string, fraction: number | undefined, detail = ""): void {
  if (!Deno.stderr.isTerminal()) return;
  const width = 24;
  const filled = Math.round((fraction ?? 0) * width);
  const bar = "━".repeat(filled) + "╌".repeat(width - filled);
  const percent = fraction === undefined ? "" : ` ${Math.floor(fraction * 100).toString().padStart(3)} %`;
  write(`\r\x1b[K${label} ${bar}${percent}  ${detail}`);
  shown = true;
}

/** Draws the progress of a download or of decoding, as `loadDataset()` tells it. */
export function showDownload({ label, done, total, unit = "bytes" }: DatasetProgress): void {
  showProgress(
    label,
    total && done / total,
    unit === "bytes" ? `${(done / 1e6).toFixed(1)} MB` : `${done} ${unit}`,
  );
}

/** Takes the progress bar away. */
export function clearProgress(): void {
  if (shown) write("\r\x1b[K");
  shown = false;
}

function write(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(text));
}

/** `75` as `1 min 15 s`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** `0.9012` as `90.1 %`, with the given number of digits after the point. */
export function percent(fraction: number, digits = 1): string {
  return `${(fraction * 100).toFixed(digits)} %`;
}
