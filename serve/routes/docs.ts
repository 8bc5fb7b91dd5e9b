/**
 * `GET /openapi.json`: the API for programs; and `GET /docs`: the same document as one page for people, who can try
 * each request on it. It loads nothing from other servers.
 *
 * @module
 */
import type { Handler } from "hono";
import { html, raw } from "hono/html";
import type { ModelDescription } from "../../shared/contract.ts";
import type { AppEnv } from "../context.ts";
import { tagOf } from "../entity_tag.ts";
import { describeApi, type Document } from "../openapi/document.ts";
import type { Json, Operation } from "../openapi/operation.ts";
import type { DescribedRoute, Service } from "../protocols/protocol.ts";
import { renderForm } from "./docs_form.ts";
import { policyFor } from "./policy.ts";

const STYLE = `
:root { color-scheme: light dark; --ink: light-dark(#1c1b19, #eceae5); --soft: light-dark(#6b6861, #a19d94);
  --paper: light-dark(#fbfaf7, #191816); --card: light-dark(#f2f0ea, #232220);
  --line: light-dark(#dedad1, #3a3834); --thread: light-dark(#b3402a, #f0876f); }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 54rem; padding: 3rem 1.25rem 4rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.6 ui-sans-serif, system-ui, sans-serif; }
h1 { margin: 0; font-size: 2.25rem; line-height: 1.1; letter-spacing: -.02em; }
h1::after { content: ""; display: block; margin-top: .9rem; border-top: 2px dashed var(--thread); }
h2 { margin: 2.5rem 0 .25rem; font-size: 1.1rem; }
h4 { margin: 1rem 0 .25rem; font-size: .85rem; color: var(--soft); font-weight: 600; }
p { margin: .5rem 0; }
a { color: var(--thread); }
code, pre { font: .85rem/1.55 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { margin: .5rem 0; padding: .9rem 1rem; overflow-x: auto; background: var(--card); border-radius: .5rem; }
details { margin: .5rem 0; padding: .5rem .9rem; border: 1px solid var(--line); border-radius: .5rem; }
summary { cursor: pointer; overflow-wrap: anywhere; }
summary b { display: inline-block; min-width: 3.5rem; color: var(--thread); font-size: .85rem; }
summary span { color: var(--soft); }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
label { display: block; margin: .4rem 0; font-size: .85rem; color: var(--soft); }
input, textarea, button { font: inherit; color: var(--ink); background: var(--paper);
  border: 1px solid var(--line); border-radius: .3rem; padding: .25rem .5rem; }
textarea { display: block; width: 100%; font: .8rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
button { cursor: pointer; border-color: var(--thread); }
output { display: block; white-space: pre-wrap; overflow-wrap: anywhere; max-height: 30rem; overflow-y: auto;
  font: .8rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; margin-top: .5rem; }
td { padding: .2rem .8rem .2rem 0; vertical-align: top; border-top: 1px solid var(--line); }
`;

/** @param routes is called when all routes exist */
export function openapi(service: Service, routes: () => readonly DescribedRoute[]): Handler<AppEnv> {
  const text = textOf(service, routes, JSON.stringify);
  return async (c): Promise<Response> => {
    const { content, etag } = await text();
    return c.body(content, 200, { "content-type": "application/json", etag });
  };
}

/** @param routes is called when all routes exist */
export function docs(service: Service, routes: () => readonly DescribedRoute[]): Handler<AppEnv> {
  const policy = policyFor(STYLE, { "script-src": "'self'", "connect-src": "'self'" });
  const text = textOf(service, routes, (document) => String(render(document)));
  return async (c): Promise<Response> => {
    const { content, etag } = await text();
    return c.body(content, 200, {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": await policy(),
      etag,
    });
  };
}

interface Text {
  content: string;
  etag: string;
}

/** Renders the document once for each model. It is there without a model, too. */
function textOf(
  { models, config }: Service,
  routes: () => readonly DescribedRoute[],
  render: (document: Document) => string,
): () => Promise<Text> {
  let made: { description: ModelDescription | undefined; text: Promise<Text> } | undefined;
  const make = async (description: ModelDescription | undefined): Promise<Text> => {
    const content = render(describeApi(routes(), description && { description, config }));
    return { content, etag: await tagOf(content) };
  };
  return async () => {
    await models.ready();
    // Schemas are the same for all models, so they can only state the sizes of a single one.
    const isSingle = new Set(models.list().map(({ name }) => name)).size === 1;
    const description = isSingle ? models.loaded()[0]?.description : undefined;
    if (!made || made.description !== description) made = { description, text: make(description) };
    return await made.text;
  };
}

function render(document: Document): unknown {
  const { info, tags, paths, components } = document;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation }))
  );
  // deno-fmt-ignore -- it would indent the schemas, which are shown unchanged
  return html`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${info.title} · API</title>
<style>${raw(STYLE)}</style>
<script type="module" src="/playground/docs.js"></script>
</head>
<body>
<p><a href="/">Home</a></p>
<h1>${info.title}</h1>
<p>${info.description} Version ${info.version}; for programs: <a href="/openapi.json">openapi.json</a>.</p>
<form id="key" hidden><label>API key, if the server asks for one <input type="password" autocomplete="off"></label></form>
${tags.map(({ name, description }) => html`<h2>${name}</h2>
<p>${description}</p>
${operations.filter(({ operation }) => operation.tags[0] === name).map(({ path, method, operation }) => html`
<details>
<summary><b>${method.toUpperCase()}</b><code>${path}</code> <span>${operation.summary}</span></summary>
${operation.description && html`<p>${prose(operation.description)}</p>`}
${renderParameters(operation)}
${operation.requestBody && html`<h4>Request</h4>${renderContent(operation.requestBody.content)}`}
<h4>Responses</h4>
<table>${Object.entries(operation.responses).map(([status, { description, content = {} }]) => html`
<tr><td><code>${status}</code></td><td>${prose(description)}</td><td>${Object.entries(content).map(nameContent)}</td></tr>`)}
</table>
${renderForm(method, path, operation)}
</details>`)}`)}
<h2>Schemas</h2>
<p>JSON Schema, 2020-12.</p>
${Object.entries(components.schemas).map(([name, schema]) => html`
<details id="${name}"><summary><code>${name}</code></summary><pre>${JSON.stringify(schema, null, 2)}</pre></details>`)}
</body>
</html>
`;
}

function renderParameters({ parameters = [] }: Operation): unknown {
  if (parameters.length === 0) return "";
  return html`
    <h4>Parameters</h4>
    <table>
      ${parameters.map(({ name, in: place, description }) =>
        html`
          <tr>
            <td><code>${name}</code></td>
            <td>${place}</td>
            <td>${prose(String(description))}</td>
          </tr>
        `
      )}
    </table>
  `;
}

function renderContent(content: Record<string, Json>): unknown {
  return html`
    <table>
      ${Object.entries(content).map((entry) =>
        html`
          <tr>
            <td>${nameContent(entry)}</td>
          </tr>
        `
      )}
    </table>
  `;
}

/** A media type, with a link to its schema. */
function nameContent([mediaType, { schema }]: [string, Json]): unknown {
  const name = String((schema as Json | undefined)?.$ref ?? "").split("/").at(-1);
  const link = name && html`<a href="#${name}">${name}</a>`;
  return html`
    <code>${mediaType}</code> ${link}
  `;
}

/** Text with `code` in it. */
function prose(text: string): unknown {
  return text.split("`").map((part, i) => i % 2 === 1 ? html`<code>${part}</code>` : part);
}
