/**
 * Markdown to HTML, for the texts of this project: model cards and the pages of `docs/`. It knows what those use:
 * headings, paragraphs, lists, tables, code, emphasis, links and images. All text is escaped, so a card that contains
 * HTML shows it as text.
 *
 * @module
 */

/** How addresses in the text become addresses of the server. */
export interface MarkdownOptions {
  /** The address for a link, or undefined if the link becomes plain text. */
  link: (address: string) => string | undefined;
  /** The address for an image, or undefined if the image is left out. */
  image: (address: string) => string | undefined;
}

/** Renders a text. */
export function renderMarkdown(text: string, options: MarkdownOptions): string {
  const references = new Map<string, string>();
  const lines = text.replaceAll("\r", "").split("\n").filter((line) => {
    const found = /^\[([^\]]+)\]:\s*(\S+)$/.exec(line);
    if (found) references.set(found[1]!, found[2]!);
    return !found;
  });
  const link = (address: string): string | undefined => options.link(references.get(address) ?? address);
  return blocks(lines, { ...options, link });
}

function blocks(lines: readonly string[], options: MarkdownOptions): string {
  const html: string[] = [];
  for (let i = 0; i < lines.length;) {
    const line = lines[i]!;
    const from = i;
    /** Goes on while lines match. */
    const take = (matches: (line: string) => boolean): string[] => {
      while (i < lines.length && matches(lines[i]!)) i++;
      return lines.slice(from, i);
    };
    const heading = /^(#{1,6}) (.+)$/.exec(line);
    const item = /^(?:([-*])|\d+\.) /.exec(line);
    if (line.trim() === "") i++;
    else if (heading) {
      i++;
      const level = heading[1]!.length;
      html.push(`<h${level} id="${slug(heading[2]!)}">${inline(heading[2]!, options)}</h${level}>`);
    } else if (line.startsWith("```")) {
      i++;
      const code = take((line) => !line.startsWith("```")).slice(1);
      i++;
      html.push(`<pre tabindex="0"><code>${escape(code.join("\n"))}</code></pre>`);
    } else if (line.startsWith("|")) {
      html.push(table(take((line) => line.startsWith("|")), options));
    } else if (item) {
      const list = item[1] ? "ul" : "ol";
      html.push(`<${list}>${items(take((line) => isItem(line) || /^ +\S/.test(line)), options)}</${list}>`);
    } else if (/^ {4}/.test(line)) {
      const code = take((line) => /^ {4}|^$/.test(line)).map((line) => line.slice(4)).join("\n");
      html.push(`<pre tabindex="0"><code>${escape(code.trimEnd())}</code></pre>`);
    } else {
      i++;
      const text = take((line) => line.trim() !== "" && !/^(#{1,6} |```|\|)/.test(line) && !isItem(line));
      html.push(`<p>${inline(text.join("\n"), options)}</p>`);
    }
  }
  return html.join("\n");
}

function isItem(line: string): boolean {
  return /^([-*]|\d+\.) /.test(line);
}

function items(lines: readonly string[], options: MarkdownOptions): string {
  const items: string[][] = [];
  for (const line of lines) {
    if (isItem(line)) items.push([line.replace(/^\S+ +/, "")]);
    else items.at(-1)!.push(line.replace(/^ {1,3}/, ""));
  }
  return items.map((lines) => {
    const first = lines.findIndex((line) => isItem(line) || line.startsWith("```"));
    const [text, rest] = first < 0 ? [lines, []] : [lines.slice(0, first), lines.slice(first)];
    return `<li>${inline(text.join("\n"), options)}${blocks(rest, options)}</li>`;
  }).join("");
}

function table(lines: readonly string[], options: MarkdownOptions): string {
  const rows = lines.map((line) =>
    line.replace(/^\||\|\s*$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"))
  );
  const [head, rule, ...body] = rows;
  const right = rule!.map((cell) => cell.endsWith(":"));
  const row = (cells: string[], tag: string): string =>
    `<tr>${
      cells.map((cell, i) => `<${tag}${right[i] ? ' class="number"' : ""}>${inline(cell, options)}</${tag}>`)
        .join("")
    }</tr>`;
  const header = head!.some((cell) => cell !== "") ? `<thead>${row(head!, "th")}</thead>` : "";
  return `<div class="table" tabindex="0"><table>${header}<tbody>${
    body.map((cells) => row(cells, "td")).join("")
  }</tbody></table></div>`;
}

const INLINE = new RegExp(
  [
    /\\([\\`*_[\]<>#|])/, // 1: an escaped character
    /(`+)(.+?)\2(?!`)/, // 2, 3: code
    /!\[([^\]]*)\]\(([^)\s]+)\)/, // 4, 5: an image
    /\[((?:[^\[\]]|\\.)+)\]\(([^)\s]+)\)/, // 6, 7: a link
    /\[([^\[\]]+)\]\[([^\]]+)\]/, // 8, 9: a link by reference
    /<(https?:[^>\s]+)>/, // 10: an address
    /\*\*(.+?)\*\*/, // 11: strong
    /(?<!\w)[*_]([^*_\s](?:[^*_]*[^*_\s])?)[*_](?!\w)/, // 12: emphasis
  ].map(({ source }) => source).join("|"),
  "gs",
);

function inline(text: string, options: MarkdownOptions): string {
  let html = "", end = 0;
  for (const found of text.matchAll(INLINE)) {
    html += escape(text.slice(end, found.index));
    end = found.index + found[0].length;
    const [, escaped, , code, alt, picture, name, address, name2, reference, url, strong, emphasis] = found;
    if (escaped !== undefined) html += escape(escaped);
    else if (code !== undefined) html += `<code>${escape(code)}</code>`;
    else if (picture !== undefined) html += image(alt!, options.image(picture));
    else if (address !== undefined) html += anchor(inline(name!, options), options.link(address));
    else if (reference !== undefined) html += anchor(inline(name2!, options), options.link(reference));
    else if (url !== undefined) html += anchor(escape(url), options.link(url));
    else if (strong !== undefined) html += `<strong>${inline(strong, options)}</strong>`;
    else html += `<em>${inline(emphasis!, options)}</em>`;
  }
  return html + escape(text.slice(end));
}

function anchor(text: string, address: string | undefined): string {
  return address !== undefined && /^(https?:\/\/|\/|#)/.test(address)
    ? `<a href="${escape(address)}">${text}</a>`
    : text;
}

function image(alt: string, address: string | undefined): string {
  return address === undefined ? "" : `<img src="${escape(address)}" alt="${escape(alt)}" loading="lazy">`;
}

/** As GitHub makes the anchor of a heading. */
function slug(heading: string): string {
  return heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-");
}

const ENTITIES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}
