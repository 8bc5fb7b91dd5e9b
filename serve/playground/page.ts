/**
 * The page's HTML. All its boxes are there from the start, so that nothing moves when the script fills them.
 *
 * @module
 */
import { html, raw } from "hono/html";
import { count, percent } from "../../shared/format.ts";
import type { Examples } from "../../shared/examples.ts";
import type { Classifier } from "../../shared/inference/classifier.ts";
import type { Config } from "../config.ts";
import { colours } from "../pages/model_page.ts";
import { PAGES } from "../pages/reading.ts";
import { about } from "./about.ts";
import { answerSection, photoFitOf, seesSection } from "./answer_section.ts";
import { codeSection } from "./code_section.ts";
import { STYLE } from "./files.ts";
import { inputSection } from "./input_section.ts";
import { ROOM } from "./names.ts";
import { nameOfExample } from "./source/example_name.ts";
import type { PageModel } from "./source/page_model.ts";

/**
 * Renders the page.
 *
 * @param options.origin of the server, for the code
 * @param options.takesFeedback whether the server stores pictures with their right label
 */
export function renderPage(
  { description, file }: Pick<Classifier, "description" | "file">,
  examples: Examples | undefined,
  config: Config,
  { origin, takesFeedback }: { origin: string; takesFeedback: boolean },
): unknown {
  const { name, version, labels, input, preprocessing, familiarity } = description;
  const model: PageModel = {
    name,
    version,
    labels,
    input,
    ...(preprocessing && { preprocessing }),
    fileBytes: file.length,
    maxImages: config.maxBatchSize,
    maxBytes: config.maxBodyBytes,
    ...(familiarity && { familiarity: familiarity.threshold }),
    needsKey: config.apiKeys.length > 0,
    takesFeedback,
    hasExamples: examples !== undefined,
  };
  const { title, labels: named, more, training, limits } = about(description);
  const photoFit = photoFitOf(preprocessing);
  const isPhotos = photoFit !== undefined;
  const first = examples?.images[0];
  const code = {
    origin,
    needsKey: model.needsKey,
    file: first
      ? nameOfExample(first, 0)
      : isPhotos
      ? { name: "photo.jpg", type: "image/jpeg" }
      : { name: "drawing.png", type: "image/png" },
  };
  // deno-fmt-ignore -- it would indent the examples, which are shown unchanged
  return html`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="Try ${title}, an image classifier: ${isPhotos ? "" : "draw, "}drop a picture, or use the camera.">
<meta name="theme-color" content="#fbfaf7" media="(prefers-color-scheme: light)">
<meta name="theme-color" content="#191816" media="(prefers-color-scheme: dark)">
<title>${title} · Selvedge</title>
<link rel="icon" href="${ROOM}icon.svg" type="image/svg+xml">
<style>${raw(STYLE)}</style>
<script type="module" src="${ROOM}main.js"></script>
</head>
<body>
<header>
<p id="brand">Selvedge</p>
<nav aria-label="Pages">${PAGES.map(([href, name]) => html`<a href="${href}">${name}</a> `)}</nav>
<h1 dir="auto">${title}</h1>
<p class="lead">An image classifier for ${count(labels.length)} ${labels.length === 1 ? "class" : "classes"}: ${list(named, more)}${training}
<strong>${isPhotos ? "Choose a photo or use the camera" : "Draw one, choose a picture or use the camera"}, and the answer appears at once.</strong></p>
<p class="soft">${limits} Input: ${input.width} × ${input.height} pixels, ${colours(input.channels)}; version <code>${version}</code>.</p>
</header>
<noscript><p class="note">Trying the model here needs JavaScript. To use the server without it, see <a href="/docs">the API</a>.</p></noscript>
<main id="playground" data-model="${JSON.stringify(model)}">
${model.needsKey ? html`
<form id="key" class="note">
<label for="key-text">This server requires an API key.</label>
<input id="key-text" type="password" autocomplete="off" spellcheck="false" maxlength="200" required>
<button type="submit">Use the key</button>
<span>It is stored until you close this tab, and sent to this server only.</span>
</form>` : ""}
${inputSection(isPhotos)}
${answerSection(model)}
${examples ? examplesSection(examples) : ""}
${seesSection(model, photoFit)}
${codeSection(code, config)}
</main>
</body>
</html>
`;
}

function list(labels: readonly string[], more: number): unknown {
  const ends = [...labels.slice(1).map((_, i) => i === labels.length - 2 && more === 0 ? " and " : ", "), ""];
  return html`${labels.map((label, i) => html`<bdi>${label}</bdi>${ends[i]}`)}${
    more > 0 ? ` and ${count(more)} more` : ""
  }`;
}

function examplesSection({ images, note, score }: Examples): unknown {
  return html`
    <section id="samples" aria-labelledby="samples-title">
      <h3 id="samples-title">Examples</h3>
      <ul aria-labelledby="samples-title">${images.map(({ label }, i) =>
        html`
          <li><button type="button" aria-label="${label}, example ${i + 1}" title="${label}"></button></li>
        `
      )}
      </ul>
      <p class="soft">${note} The model classifies ${percent(score.correct / score.images, 0)} of ${count(
        score.images,
      )} such pictures correctly.</p>
    </section>
  `;
}
