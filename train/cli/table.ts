/**
 * Tables that fit the terminal. Where stdout is a pipe or a file, lines have their full length and no colour.
 *
 * @module
 */
import { formatTable } from "../../shared/format.ts";

/** Columns of the terminal; undefined if stdout is none. */
export function terminalWidth(): number | undefined {
  return Deno.stdout.isTerminal() ? Deno.consoleSize().columns : undefined;
}

/** SGR parameters of ECMA-48; 39 is the default colour. */
const COLORS = { red: 31, yellow: 33 } as const;

/** Text in a colour, if stdout is a terminal and `NO_COLOR` is not set (https://no-color.org/). */
export function colored(text: string, color: keyof typeof COLORS): string {
  if (text.trim() === "" || Deno.noColor || !Deno.stdout.isTerminal()) return text;
  return `\x1b[${COLORS[color]}m${text}\x1b[39m`;
}

/** At most `width` characters of a text: its start, then `…`. */
export function truncate(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

/** At most `width` characters of a path: `…`, then its end, which has the file's name. */
export function truncatePath(path: string, width: number): string {
  return path.length <= width ? path : `…${path.slice(path.length - Math.max(0, width - 1))}`;
}

/** No column of names gets narrower than this. */
const MIN_NAME = 8;

/**
 * Like `formatTable()` with one column on the left, whose cells are shortened until the table has at most `width`
 * characters a line; undefined for any length.
 */
export function fitTable(rows: readonly (readonly string[])[], width: number | undefined): string {
  const [head] = rows;
  if (width === undefined || head === undefined) return formatTable(rows);
  const others = head.slice(1).map((_, i) => Math.max(...rows.map((row) => row[i + 1]!.length)));
  const left = Math.max(MIN_NAME, width - others.reduce((sum, n) => sum + n + 2, 0));
  return formatTable(rows.map(([name, ...rest]) => [truncate(name!, left), ...rest]));
}
