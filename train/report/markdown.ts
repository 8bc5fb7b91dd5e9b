/** Parts of a Markdown document. */

/** An image, or nothing. */
export function image(title: string, file: string | undefined): string {
  return file === undefined ? "" : `![${title}](${file})`;
}

/** A table; columns of numbers are aligned to the right. */
export function table(head: string[], rows: string[][]): string {
  // A bar would start another cell.
  const line = (cells: string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const rule = head.map((_, i) =>
    i === 0 || head.join("") === "" || rows.some((row) => !/^[\d.,]+( %)?$/.test(row[i]!)) ? "---" : "--:"
  );
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}

/** Text that may contain Markdown, as class and model names, which are user input. */
export function escape(text: string): string {
  return text.replace(/[\\`*_[\]<>#~&]/g, "\\$&").replace(/\s+/g, " ");
}
