/**
 * Command-line options with checked values, and the text of `--help`.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { InputError } from "../../shared/errors.ts";
import { nearest } from "../../shared/nearest.ts";

/** One `--option`. */
export interface Option<T> {
  /** Placeholder of the value in the help, as `N`; absent for a flag. */
  value?: string;
  help: string;
  /** Shown in the help. */
  fallback?: string;
  /** Heading in the help. */
  group?: string;
  /** Converts the text to a value; undefined if it is not acceptable. */
  parse(text: string): T | undefined;
  /** What is accepted, to complete "must be …". */
  accepts: string;
}

/** Options by name, without the dashes. */
export type Options = Record<string, Option<unknown>>;

/** The values of options that were given. */
export type Values<O extends Options> = { [K in keyof O]?: O[K] extends Option<infer T> ? T : never };

/** A command as its `--help` shows it. */
export interface Command<O extends Options = Options> {
  /** As `deno task train`. */
  name: string;
  summary: string;
  options: O;
  /** What follows the options, as `FILE…`; absent if nothing may. */
  operands?: string;
  /** Lines for the end of the help. */
  notes?: string;
}

/** Puts options under a heading in the help. */
export function group<O extends Options>(title: string, options: O): O {
  return Object.fromEntries(
    Object.entries(options).map(([key, option]) => [key, { ...option, group: title }]),
  ) as O;
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
    accepts: "a non-empty text",
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

/** A seed of a random generator. */
export function seed(help: string): Option<number> {
  return number(help, { min: 0, max: Number.MAX_SAFE_INTEGER, whole: true, fallback: "0" });
}

/** Splits a command line into options and operands, without validating them. */
export function tokenize(
  options: Options,
  args: readonly string[],
): { given: { name: string; raw: string; value: string | undefined }[]; operands: string[] } {
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(
      Object.entries(options).map((
        [key, { value }],
      ) => [key, { type: value === undefined ? "boolean" : "string" }]),
    ),
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  return {
    given: tokens.flatMap((token) =>
      token.kind === "option" ? [{ name: token.name, raw: token.rawName, value: token.value }] : []
    ),
    operands: tokens.flatMap((token) => token.kind === "positional" ? [token.value] : []),
  };
}

/**
 * Reads a command line: `--name value`, `--name=value`, and operands. The last of several values counts.
 *
 * @throws {InputError} `usage`, which names the option, the value and what is accepted
 */
export function parseArguments<O extends Options>(
  { name: command, options, operands: operandName }: Command<O>,
  args: readonly string[],
): { values: Values<O>; operands: string[] } {
  const values: Record<string, unknown> = {};
  const { given, operands } = tokenize(options, args);
  const fail = (message: string, hint = `Try "${command} --help"`): InputError =>
    new InputError("usage", message, { hint });
  for (const { name, raw, value: text } of given) {
    const option = raw.startsWith("--") && Object.hasOwn(options, name) ? options[name] : undefined;
    if (!option) {
      const meant = nearest(name, Object.keys(options));
      throw fail(`Unknown option "${raw}"`, meant && `Did you mean "--${meant}"?`);
    }
    if (option.value !== undefined && text === undefined) {
      throw fail(`Option --${name} needs a value: it must be ${option.accepts}`);
    }
    const value = option.value === undefined && text !== undefined ? undefined : option.parse(text ?? "");
    if (value === undefined) {
      throw fail(`Option --${name} must be ${option.accepts}: current value is "${text}"`);
    }
    values[name] = value;
  }
  if (operandName === undefined && operands.length > 0) {
    throw fail(`Unexpected "${operands[0]}": only options are accepted`);
  }
  return { values: values as Values<O>, operands };
}

/** The text of `--help`, with the options under the headings of their groups. */
export function helpText({ name, summary, options, operands, notes }: Command): string {
  const groups = new Map<string, [left: string, right: string][]>();
  for (const [key, option] of Object.entries({ ...options, help: flag("Show this help") })) {
    const title = option.group ?? "Options";
    const left = `  --${key}${option.value === undefined ? "" : ` ${option.value}`}`;
    const right = `${option.help}${option.fallback ? ` (default ${option.fallback})` : ""}`;
    groups.set(title, [...groups.get(title) ?? [], [left, right]]);
  }
  const all = [...groups.values()].flat();
  const width = Math.min(32, Math.max(...all.map(([left]) => left.length)) + 2);
  const line = ([left, right]: [string, string]): string =>
    left.length < width ? left.padEnd(width) + right : `${left}\n${" ".repeat(width)}${right}`;
  // Ungrouped options, --help among them, come last.
  const titles = [...groups.keys()].sort((a, b) => Number(a === "Options") - Number(b === "Options"));
  return [
    summary,
    "",
    `Usage: ${name} [options]${operands ? ` ${operands}` : ""}`,
    ...titles.flatMap((title) => [
      "",
      `${title === "Options" && titles.length > 1 ? "Other" : title}:`,
      ...groups.get(title)!.map(line),
    ]),
    ...(notes ? ["", notes] : []),
  ].join("\n");
}
