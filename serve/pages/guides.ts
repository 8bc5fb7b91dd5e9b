/**
 * The pages of `docs/` that the page at `/` links to, as parts of the program: they are there without network, and
 * describe the version that runs.
 *
 * @module
 */
import deploy from "../../docs/deploy.md" with { type: "text" };
import frontEnd from "../../docs/front-end.md" with { type: "text" };
import ownImages from "../../docs/own-images.md" with { type: "text" };
import readme from "../../README.md" with { type: "text" };
import { renderMarkdown } from "./markdown.ts";

const GUIDES: Record<string, string> = {
  "own-images": ownImages,
  "front-end": frontEnd,
  deploy,
  readme,
};

/** A page. */
export interface Guide {
  title: string;
  /** HTML */
  content: string;
}

/** The page of a name, as `deploy`; undefined if there is none. */
export function guide(name: string): Guide | undefined {
  if (!Object.hasOwn(GUIDES, name)) return undefined;
  const text = GUIDES[name]!;
  return {
    title: /^# (.+)$/m.exec(text)?.[1] ?? name,
    content: renderMarkdown(text, { link: linkOf, image: () => undefined }),
  };
}

/** Files of the repository that are no guides are named, not linked. */
function linkOf(address: string): string | undefined {
  if (/^(https?:|#)/.test(address)) return address;
  const [, name, anchor = ""] = /([\w-]+)\.md(#.*)?$/.exec(address) ?? [];
  const guide = name?.toLowerCase();
  if (guide === "api") return `/docs`;
  return guide !== undefined && Object.hasOwn(GUIDES, guide) ? `/guide/${guide}${anchor}` : undefined;
}
