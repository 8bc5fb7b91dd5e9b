/**
 * Markdown to HTML, for model cards and the pages of `docs/`, by markdown-it. HTML in a text is shown as text, and
 * addresses are those that the caller allows.
 *
 * @module
 */
// The entry is one file, half as large in a worker as the other, and needs no browser.
import MarkdownIt, { type StateCore, type Token } from "markdown-it/browser";
import { MAX_MARKDOWN_LENGTH } from "../model_files.ts";

/** How addresses in the text become addresses of the server. */
export interface MarkdownOptions {
  /** The address for a link, or undefined if the link becomes plain text. */
  link: (address: string) => string | undefined;
  /** The address for an image, or undefined if the image is left out. */
  image: (address: string) => string | undefined;
}

/** Characters of a paragraph or table cell that may contain links, emphasis and code, for the same reason. */
const MAX_INLINE_LENGTH = 8 * 1024;

/** Renders a text; one that is too long is shown as it is. */
export function renderMarkdown(text: string, options: MarkdownOptions): string {
  if (text.length <= MAX_MARKDOWN_LENGTH) return markdown.render(text, { options });
  const limit = `${MAX_MARKDOWN_LENGTH / 1024} Ki characters`;
  return `<p>This text has more than ${limit}, so it is shown without formatting.</p>\n${code(text)}`;
}

const markdown = new MarkdownIt({ html: false, linkify: false, typographer: false, maxNesting: 20 });
const { escapeHtml } = markdown.utils;

// `addresses` decides, so that a link that is not allowed is left with its text.
markdown.validateLink = (): boolean => true;
markdown.core.ruler.before("inline", "long", ({ tokens, Token }) => {
  for (const token of tokens) {
    if (token.type !== "inline" || token.content.length <= MAX_INLINE_LENGTH) continue;
    const text = new Token("text", "", 0);
    text.content = token.content;
    token.children = [text];
    // What is parsed next.
    token.content = "";
  }
});
markdown.core.ruler.push("addresses", ({ tokens, env }: StateCore) => {
  for (const token of tokens) token.children &&= addresses(token.children, env["options"] as MarkdownOptions);
});
markdown.core.ruler.push("headings", ({ tokens }) => {
  tokens.forEach((token, i) => {
    if (token.type === "heading_open") token.attrSet("id", slug(textOf(tokens[i + 1]!)));
  });
});
markdown.core.ruler.push("tables", (state) => {
  state.tokens = withoutEmptyHeads(state.tokens);
  for (const token of state.tokens) {
    if (token.type !== "th_open" && token.type !== "td_open") continue;
    // The policy of the page allows no `style` attributes.
    const isRight = token.attrGet("style") === "text-align:right";
    token.attrs = isRight ? [["class", "number"]] : null;
  }
});

Object.assign(markdown.renderer.rules, {
  table_open: () => '<div class="table" tabindex="0"><table>\n',
  table_close: () => "</table></div>\n",
  fence: (tokens: Token[], i: number) => code(tokens[i]!.content),
  code_block: (tokens: Token[], i: number) => code(tokens[i]!.content),
});

function code(text: string): string {
  return `<pre tabindex="0"><code>${escapeHtml(text.trimEnd())}</code></pre>\n`;
}

/** Replaces the addresses of links and images, and removes those that have none. */
function addresses(tokens: readonly Token[], options: MarkdownOptions): Token[] {
  let isOpen = false;
  return tokens.filter((token) => {
    // Links are not nested.
    if (token.type === "link_close") return isOpen;
    if (token.type === "link_open") {
      const address = options.link(String(token.attrGet("href")));
      isOpen = address !== undefined && /^(https?:\/\/|\/|#)/.test(address);
      if (isOpen) token.attrSet("href", address!);
      return isOpen;
    }
    if (token.type !== "image") return true;
    const address = options.image(String(token.attrGet("src")));
    if (address === undefined) return false;
    token.attrSet("src", address);
    token.attrSet("loading", "lazy");
    return true;
  });
}

/** Tables of facts have none, but Markdown wants one. */
function withoutEmptyHeads(tokens: readonly Token[]): Token[] {
  const kept: Token[] = [];
  for (const token of tokens) {
    kept.push(token);
    if (token.type !== "thead_close") continue;
    const start = kept.findLastIndex(({ type }) => type === "thead_open");
    if (kept.slice(start).every((token) => textOf(token) === "")) kept.length = start;
  }
  return kept;
}

function textOf({ children, content }: Token): string {
  return children?.map(({ content }) => content).join("") ?? content;
}

/** As GitHub makes the anchor of a heading. */
function slug(heading: string): string {
  return heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-");
}
