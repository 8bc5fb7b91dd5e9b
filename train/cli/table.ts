/**
 * Tables that fit the terminal. Where stdout is a pipe or a file, lines have their full length and no colour.
 *
 * @module
 */

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

const COMBINING = /[\p{M}\u200d\ufe0f]/u;
const WIDE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303f\uff01-\uff60]/u;

/** Columns that a text takes: East Asian characters and emoji take two (https://unicode.org/reports/tr11/). */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += COMBINING.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return width;
}

/** At most `width` columns of a text: its start, then `…`. */
export function truncate(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let start = "", used = 1;
  for (const character of text) {
    used += displayWidth(character);
    if (used > width) break;
    start += character;
  }
  return `${start}…`;
}

/** At most `width` columns of a path: `…`, then its end, which has the file's name. */
export function truncatePath(path: string, width: number): string {
  if (displayWidth(path) <= width) return path;
  return [...truncate([...path].toReversed().join(""), width)].toReversed().join("");
}

/** A cell of a table: padded, and without control characters, which could move the cursor. */
export function cell(text: string, width = 0, align: "left" | "right" = "left"): string {
  const shown = text.replaceAll(/\p{Cc}/gu, "\ufffd");
  const space = " ".repeat(Math.max(0, width - displayWidth(shown)));
  return align === "left" ? shown + space : space + shown;
}

/**
 * Aligns rows of cells in columns.
 *
 * @param left how many columns are aligned to the left; the others are aligned to the right
 */
export function formatTable(rows: readonly (readonly string[])[], left = 1): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => displayWidth(row[column]!)))) ??
    [];
  return rows.map((row) =>
    row.map((text, i) => cell(text, widths[i], i < left ? "left" : "right")).join("  ").trimEnd()
  ).join("\n");
}

/** No column of names gets narrower than this. */
const MIN_NAME = 8;

/**
 * Like {@linkcode formatTable} with one column on the left, whose cells are shortened until the table has at most
 * `width` columns; undefined for any width.
 */
export function fitTable(rows: readonly (readonly string[])[], width: number | undefined): string {
  const [head] = rows;
  if (width === undefined || head === undefined) return formatTable(rows);
  const others = head.slice(1).map((_, i) => Math.max(...rows.map((row) => displayWidth(row[i + 1]!))));
  const left = Math.max(MIN_NAME, width - others.reduce((sum, n) => sum + n + 2, 0));
  return formatTable(rows.map(([name, ...rest]) => [truncate(name!, left), ...rest]));
}
