/**
 * The page's HTML. All its boxes are there from the start, so that nothing moves when the script fills them.
 *
 * @module
 */
import { html, raw } from "hono/html";
import { percent } from "../../shared/format.ts";
import type { Classifier } from "../../shared/inference/classifier.ts";
import type { Config } from "../config.ts";
import { STYLE } from "./files.ts";
import { ROOM } from "./names.ts";
import { PHOTO_FITS, type PhotoFit } from "../../shared/image.ts";
import { inputSection } from "./input_section.ts";
import { fitsCommandLine } from "./source/curl.ts";
import type { PageModel } from "./source/page_model.ts";
import { fits } from "./source/sample_labels.ts";

/** How photographs are fitted, as the page describes it. */
const FIT_TEXTS: Record<PhotoFit, string> = { crop: "centre crop", squash: "squashed", pad: "padded" };

/** Below this many pixels a side, each is shown as a square. */
const FEW_PIXELS = 100;

/**
 * Renders the page.
 *
 * @param origin of the server, for the examples
 */
export function renderPage(
  { description, file }: Pick<Classifier, "description" | "file">,
  config: Config,
  origin: string,
): unknown {
  const { name, version, labels, input, preprocessing, metrics } = description;
  const { channels, height, width } = input;
  const model: PageModel = {
    name,
    version,
    labels,
    input,
    ...(preprocessing && { preprocessing }),
    fileBytes: file.length,
    maxImages: config.maxBatchSize,
    maxBytes: config.maxBodyBytes,
    needsKey: config.apiKeys.length > 0,
  };
  const colours = channels === 1 ? "grey" : channels === 3 ? "colour" : `${channels} channels`;
  const photoFit = (Object.keys(PHOTO_FITS) as PhotoFit[]).find((fit) => PHOTO_FITS[fit] === preprocessing);
  // Photographs have no margin to trim.
  const isPhotos = photoFit !== undefined;
  const pixelsClass = Math.max(height, width) < FEW_PIXELS ? "view pixels" : "view";
  const url = `${origin}/v1/classify`;
  const key = model.needsKey ? ` -H "authorization: Bearer $KEY"` : "";
  const accuracy = metrics &&
    html`<li>${percent(metrics.test.accuracy, 2)} accuracy on ${metrics.test.images} test images</li>`;
  // deno-fmt-ignore -- it would indent the examples, which are shown unchanged
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
${inputSection(isPhotos)}
<section id="sees" aria-labelledby="sees-title">
<h2 id="sees-title">What the model sees</h2>
<canvas id="input" class="${pixelsClass}" width="${width}" height="${height}" role="img" aria-label="The ${width} × ${height} pixels that the model receives"></canvas>
<div class="row">
<label class="check" ${isPhotos ? raw("hidden") : ""}><input type="checkbox" id="crop" checked>Crop</label>
<label class="check" ${channels === 1 ? "" : raw("hidden")}><input type="checkbox" id="invert">Invert</label>
<span class="soft">${width} × ${height} pixels${photoFit && `, ${FIT_TEXTS[photoFit]}`}</span>
</div>
<h3>Which pixels matter</h3>
<canvas id="heat" class="${pixelsClass}" width="${width}" height="${height}" role="img" aria-label="Heat map of the pixels that matter"></canvas>
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
${fitsCommandLine(input) ? html`
<p>The image above, as the model sees it:</p>
<div class="code"><pre tabindex="0"><code id="curl">…</code></pre><button type="button" id="copy">Copy</button></div>` : ""}
<p>Any PNG, JPEG or WebP file${isPhotos ? "" : " with a plain background"}:</p>
<div class="code"><pre tabindex="0"><code>curl ${url}${key} -H 'content-type: ${isPhotos ? "image/jpeg" : "image/png"}' --data-binary ${isPhotos ? "@photo.jpg" : "@shoe.png"}</code></pre></div>
<p>Forms, batches, the Open Inference Protocol and the Hugging Face protocol are described in <a href="/docs">the API</a>.</p>
</section>
</main>
</body>
</html>
`;
}
