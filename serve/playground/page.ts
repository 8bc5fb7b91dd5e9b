/**
 * The page's HTML. All its boxes are there from the start, so that nothing moves when the script fills them.
 *
 * @module
 */
import { html, raw } from "hono/html";
import { percent } from "../../shared/format.ts";
import type { ModelDescription } from "../../shared/contract.ts";
import type { Config } from "../config.ts";
import { STYLE } from "./files.ts";
import { ROOM } from "./names.ts";
import { preprocessingFor } from "../../shared/image.ts";
import type { PageModel } from "./source/page_model.ts";
import { fits } from "./source/sample_labels.ts";

/**
 * Renders the page.
 *
 * @param origin of the server, for the examples
 */
export function renderPage(description: ModelDescription, config: Config, origin: string): unknown {
  const { name, version, labels, input, preprocessing, metrics } = description;
  const { channels, height, width } = input;
  const model: PageModel = {
    name,
    version,
    labels,
    input,
    ...(preprocessing && { preprocessing }),
    maxImages: config.maxBatchSize,
    maxBytes: config.maxBodyBytes,
    needsKey: config.apiKeys.length > 0,
  };
  const colours = channels === 1 ? "grey" : channels === 3 ? "colour" : `${channels} channels`;
  // Photographs are fitted as they are: there is no margin to trim.
  const fitsAll = preprocessing !== preprocessingFor(channels);
  const url = `${origin}/v1/classify`;
  const key = model.needsKey ? ` -H "authorization: Bearer $KEY"` : "";
  const accuracy = metrics &&
    html`<li>${percent(metrics.test.accuracy, 2)} accuracy on ${metrics.test.images} test images</li>`;
  // deno-fmt-ignore -- it would indent the examples, which are shown as they stand
  return html`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="Try ${name}, a small image classifier: draw, drop an image, or use the camera.">
<meta name="theme-color" content="#fbfaf7" media="(prefers-color-scheme: light)">
<meta name="theme-color" content="#191816" media="(prefers-color-scheme: dark)">
<title>${name} · Selvedge</title>
<link rel="icon" href="${ROOM}icon.svg" type="image/svg+xml">
<style>${raw(STYLE)}</style>
<script type="module" src="${ROOM}main.js"></script>
</head>
<body>
<header>
<h1>Selvedge</h1>
<nav aria-label="API"><a href="/docs">API</a> <a href="/openapi.json">OpenAPI</a> <a href="/v1/model">Model</a></nav>
<ul class="facts">
<li><strong>${name}</strong></li>
<li>version <code>${version}</code></li>
<li>${width} × ${height}, ${colours}</li>
<li>${labels.length} labels</li>
${accuracy}
</ul>
</header>
<noscript><p class="note">The playground needs JavaScript. To use the server without it, see <a href="/docs">the API</a>.</p></noscript>
<main id="playground" data-model="${JSON.stringify(model)}">
${model.needsKey ? html`
<form id="key" class="note">
<label for="key-text">This server requires an API key.</label>
<input id="key-text" type="password" autocomplete="off" spellcheck="false" maxlength="200" required>
<button type="submit">Use the key</button>
<span>It is stored until you close this tab, and sent to this server only.</span>
</form>` : ""}
<section id="source" aria-labelledby="source-title">
<h2 id="source-title">Input <span class="soft">draw, drop or paste</span></h2>
<div id="stage">
<canvas id="drawing" width="384" height="384" role="img" aria-label="Area to draw on with a mouse, a finger or a pen. With the keyboard, choose an image or a sample below."></canvas>
<p id="hint" hidden>Draw here, or drop an image</p>
<video id="video" muted playsinline hidden aria-label="Camera preview"></video>
<button type="button" id="shoot" hidden>Take a photo</button>
<p id="message" role="alert" hidden></p>
</div>
<div class="row">
<fieldset class="choice"><legend class="hidden">Tool</legend>
<label><input type="radio" name="tool" value="fill" checked><span>Shape</span></label>
<label><input type="radio" name="tool" value="brush"><span>Brush</span></label>
<label><input type="radio" name="tool" value="eraser"><span>Eraser</span></label>
</fieldset>
<button type="button" id="undo" disabled>Undo</button>
<button type="button" id="clear">Clear</button>
</div>
<div class="row">
<button type="button" id="open">Choose an image</button>
<input id="file" type="file" accept="image/*" hidden tabindex="-1" aria-label="Image">
<button type="button" id="camera">Camera</button>
<label class="size">Width <input id="size" type="range" min="4" max="60" value="20"></label>
</div>
</section>
<section id="sees" aria-labelledby="sees-title">
<h2 id="sees-title">What the model sees</h2>
<canvas id="input" class="pixels" width="${width}" height="${height}" role="img" aria-label="The ${width} × ${height} pixels that the model receives"></canvas>
<div class="row">
<label class="check" ${fitsAll ? raw("hidden") : ""}><input type="checkbox" id="crop" checked>Crop</label>
<label class="check"><input type="checkbox" id="invert">Invert</label>
<span class="soft">${width} × ${height} pixels</span>
</div>
<h3>Which pixels matter</h3>
<canvas id="heat" class="pixels" width="${width}" height="${height}" role="img" aria-label="Heat map of the pixels that matter"></canvas>
<p id="heat-text" class="soft">Red: hiding this area makes the model less certain of its label. Blue: hiding it makes the model more
certain.</p>
</section>
<section id="answer" aria-labelledby="answer-title">
<h2 id="answer-title">Prediction</h2>
<p id="top"><strong id="label">–</strong> <span id="score"></span></p>
<p id="said" role="status" class="hidden"></p>
<ol id="bars" ${labels.length > 12 ? raw('tabindex="0" aria-label="Probabilities"') : ""}>${labels.map((label) => html`
<li><span>${label}</span><i><b></b></i><span>0 %</span></li>`)}
</ol>
<h3 id="where-title">Where it runs</h3>
<fieldset class="choice wide"><legend class="hidden">Where it runs</legend>
<label><input type="radio" name="where" value="server" checked><span>On the server</span></label>
<label><input type="radio" name="where" value="browser"><span>In this browser</span></label>
<label><input type="radio" name="where" value="both"><span>Both</span></label>
</fieldset>
<table>
<thead><tr><th scope="col"><span class="hidden">Where</span></th><th scope="col">Label</th><th scope="col">Probability</th><th scope="col">Time</th></tr></thead>
<tbody>
<tr id="server"><th scope="row">Server</th><td>–</td><td>–</td><td>–</td></tr>
<tr id="browser"><th scope="row">Browser</th><td>–</td><td>–</td><td>–</td></tr>
</tbody>
</table>
<p id="where-text" class="soft">The image is sent to the server, which does not store it.</p>
</section>
${fits(labels) ? html`
<section id="samples" aria-labelledby="samples-title">
<h3 id="samples-title">Samples, drawn by code</h3>
<ul aria-labelledby="samples-title">${labels.map(() => html`<li></li>`)}</ul>
<p class="soft"><button type="button" id="others">Draw others</button> <span>The first ten are classified correctly; the model was
trained on photographs and misclassifies many drawings.</span></p>
</section>` : ""}
<section id="terminal" aria-labelledby="terminal-title">
<h2 id="terminal-title">From a terminal</h2>
<p>The image above, as the model sees it:</p>
<div class="code"><pre tabindex="0"><code id="curl">…</code></pre><button type="button" id="copy">Copy</button></div>
<p>Any PNG, JPEG or WebP file with a plain background:</p>
<div class="code"><pre tabindex="0"><code>curl ${url}${key} -H 'content-type: image/png' --data-binary @shoe.png</code></pre></div>
<p>Forms, batches, the Open Inference Protocol and the Hugging Face protocol are described in <a href="/docs">the API</a>.</p>
</section>
</main>
</body>
</html>
`;
}
