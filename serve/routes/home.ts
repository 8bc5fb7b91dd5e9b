/**
 * `GET /`: one page that says what is served and how to call it. It is made from the model's own description
 * and holds all it needs: no script, no request to anywhere.
 *
 * @module
 */
import type { Handler } from "hono";
import { html, raw } from "hono/html";
import type { ModelDescription } from "../../shared/contract.ts";
import type { Classifier } from "../../shared/inference/classifier.ts";
import { type Config, DEFAULT_TOP_K } from "../config.ts";
import { Problem } from "../middleware/problem.ts";
import { policyFor } from "./policy.ts";

const STYLE = `
:root { color-scheme: light dark; --ink: light-dark(#1c1b19, #eceae5); --soft: light-dark(#6b6861, #a19d94);
  --paper: light-dark(#fbfaf7, #191816); --card: light-dark(#f2f0ea, #232220);
  --line: light-dark(#dedad1, #3a3834); --thread: light-dark(#b3402a, #f0876f); }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 46rem; padding: 3rem 1.25rem 4rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.6 ui-sans-serif, system-ui, sans-serif; }
h1 { margin: 0; font-size: 2.25rem; line-height: 1.1; letter-spacing: -.02em; }
h1::after { content: ""; display: block; margin-top: .9rem; border-top: 2px dashed var(--thread); }
h2 { margin: 2.5rem 0 .75rem; font-size: 1.1rem; }
p { margin: .75rem 0; }
a { color: var(--thread); }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 1rem; margin: 1.5rem 0; }
dt { color: var(--soft); font-size: .85rem; }
dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
ol { display: flex; flex-wrap: wrap; gap: .5rem; margin: 0; padding: 0; list-style: none; }
ol li { padding: .15rem .7rem; border: 1px solid var(--line); border-radius: 1rem; }
ol li span { color: var(--soft); margin-right: .4rem; font-variant-numeric: tabular-nums; }
code, pre { font: .875rem/1.55 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { margin: .5rem 0 1.25rem; padding: .9rem 1rem; overflow-x: auto; background: var(--card);
  border: 1px solid var(--line); border-radius: .5rem; }
ul { padding-left: 1.2rem; }
`;

export function home(classifier: () => Promise<Classifier>, config: Config): Handler {
  const policy = policyFor(STYLE);
  return async (c): Promise<Response> => {
    // The host comes from the client, who may send anything.
    const url = URL.parse(c.req.url);
    if (!url) throw new Problem(400, "Cannot show the page as the Host header is no host");
    const { description } = await classifier();
    return new Response(String(page(description, config, url.origin)), {
      headers: {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": await policy(),
      },
    });
  };
}

function page(
  { name, version, labels, input, metrics }: ModelDescription,
  { maxBatch, maxTopK }: Config,
  origin: string,
): unknown {
  const { channels, height, width } = input;
  const size = channels * height * width;
  const url = `${origin}/v1/classify`;
  const colours = channels === 1 ? "grey" : `${channels} channels`;
  const accuracy = metrics && html`
    <div>
      <dt>Accuracy on ${metrics.test.images} test images</dt>
      <dd>${(100 * metrics.test.accuracy).toFixed(2)} %</dd>
    </div>
  `;
  // deno-fmt-ignore -- it would indent the examples, which are shown as they stand
  return html`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${name} · Selvedge</title>
<style>${raw(STYLE)}</style>
</head>
<body>
<h1>Selvedge</h1>
<p>A small image classifier, answering over HTTP.</p>
<dl>
<div><dt>Model</dt><dd>${name}</dd></div>
<div><dt>Version</dt><dd><code>${version}</code></dd></div>
<div><dt>Input</dt><dd>${width} × ${height}, ${colours}</dd></div>
${accuracy}
</dl>
<h2>Labels</h2>
<ol>${labels.map((label, i) => html`<li><span>${i}</span>${label}</li>`)}</ol>
<h2>Classify</h2>
<p>A picture as PNG, JPEG or WebP, of any size, on a background of one colour:</p>
<pre><code>curl ${url} -H 'content-type: image/png' --data-binary @shoe.png</code></pre>
<p>Raw bytes, row by row, ${size} an image, up to ${maxBatch} images:</p>
<pre><code>head -c ${size} /dev/urandom |
  curl ${url} -H 'content-type: application/octet-stream' --data-binary @-</code></pre>
<p>Several pictures as a form:</p>
<pre><code>curl ${url} -F image=@shoe.png -F image=@bag.jpg</code></pre>
<p>JSON, numbers in 0..255, or <code>{"image": "&lt;base64&gt;"}</code>, or <code>{"images": […, …]}</code>:</p>
<pre><code>curl ${url} -H 'content-type: application/json' -d '{"pixels": [0, 0, 13, …]}'</code></pre>
<p>The answer names the model and gives, for each image, the best label, its probability and the
${Math.min(DEFAULT_TOP_K, labels.length)} best classes; <code>?top_k=</code> asks for 1 to
${Math.min(labels.length, maxTopK)}
of them. Errors are <a href="https://www.rfc-editor.org/rfc/rfc9457">problem documents</a>.</p>
<h2>Also here</h2>
<ul>
<li><a href="/docs"><code>GET /docs</code></a>: all of the API, with the Open Inference Protocol and Hugging
Face's; <a href="/openapi.json"><code>/openapi.json</code></a> for machines</li>
<li><a href="/v1/model"><code>GET /v1/model</code></a>: labels, accuracy and how the model was made</li>
<li><a href="/healthz"><code>GET /healthz</code></a>: whether it can answer</li>
</ul>
</body>
</html>
`;
}
