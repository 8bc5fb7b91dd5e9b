/**
 * Pages to read: the model card and the guides. They have no script and load nothing but the plots of the card.
 *
 * @module
 */
import { html, raw } from "hono/html";
import { policyFor } from "../routes/policy.ts";

const STYLE = `
:root { color-scheme: light dark; --ink: light-dark(#1c1b19, #eceae5); --soft: light-dark(#625f58, #a9a59c);
  --paper: light-dark(#fbfaf7, #191816); --card: light-dark(#f2f0ea, #232220);
  --line: light-dark(#dedad1, #3a3834); --thread: light-dark(#b3402a, #f0876f); }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 50rem; padding: 1.5rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.6 ui-sans-serif, system-ui, sans-serif; overflow-wrap: anywhere; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding-bottom: .75rem;
  border-bottom: 2px dashed var(--thread); }
h1 { margin: 2rem 0 1rem; font-size: 2rem; line-height: 1.15; letter-spacing: -.02em; }
h2 { margin: 2.5rem 0 .5rem; font-size: 1.3rem; line-height: 1.3; }
h3 { margin: 1.75rem 0 .25rem; font-size: 1.05rem; }
p, ul, ol { margin: .75rem 0; }
a { color: var(--thread); }
:focus-visible { outline: 2px solid var(--thread); outline-offset: 2px; }
code, pre { font: .85em/1.55 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { margin: .75rem 0; padding: .8rem 1rem; overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem;
  background: var(--card); font-size: .85rem; overflow-wrap: normal; }
.table { margin: 1rem 0; overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; overflow-wrap: normal; }
th, td { padding: .3rem 1.25rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { color: var(--soft); font-weight: 600; }
td code { overflow-wrap: anywhere; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
img { display: block; max-width: 100%; height: auto; margin: 1rem 0; border-radius: .5rem; background: #fff; }
`;

const policy = policyFor(STYLE, { "img-src": "'self'" });

/** The pages that every page links to. */
export const PAGES: readonly (readonly [path: string, name: string])[] = [
  ["/model", "Model"],
  ["/docs", "API"],
  ["/guide/front-end", "Use it in your page"],
  ["/guide/own-images", "Train your own"],
  ["/guide/deploy", "Deploy"],
  ["/guide/readme", "Source"],
];

/**
 * Makes the response.
 *
 * @param content HTML, escaped
 * @param path of this page
 */
export async function readingPage(title: string, content: string, path: string): Promise<Response> {
  const page = html`
    <!DOCTYPE html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>${title} · Selvedge</title>
        <link rel="icon" href="/playground/icon.svg" type="image/svg+xml">
        <style>${raw(STYLE)}</style>
      </head>
      <body>
        <nav aria-label="Pages"><a href="/">Try the model</a>${PAGES.map(([href, name]) =>
          html`
            <a href="${href}" ${href === path ? raw(' aria-current="page"') : ""}>${name}</a>
          `
        )}</nav>
        <main>
    ${raw(content)}
        </main>
      </body>
    </html>
  `;
  return new Response(String(page), {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-cache",
      "content-security-policy": await policy(),
    },
  });
}
