/**
 * The parts of the page that show the answer, and what the model sees. All boxes are there from the start, so that
 * nothing moves when the script fills them.
 *
 * @module
 */
import { html, raw } from "hono/html";
import { count } from "../../shared/format.ts";
import { PHOTO_FITS, type PhotoFit } from "../../shared/image.ts";
import { BARS } from "./names.ts";
import type { PageModel } from "./source/page_model.ts";

export function answerSection({ labels, familiarity, takesFeedback }: PageModel): unknown {
  return html`<section id="answer" aria-labelledby="answer-title">
<h2 id="answer-title">Answer</h2>
<p id="top"><strong id="label" dir="auto">–</strong> <span id="score"></span></p>
<p id="also"><span id="confidence"></span> <span id="next" class="soft"></span></p>
${familiarity ? html`<p id="unfamiliar" role="status"></p>` : ""}
<p id="said" role="status" class="hidden"></p>
<ol id="bars" aria-label="Probabilities, the largest first"${
    labels.length > BARS ? raw(' tabindex="0"') : ""
  }>${
    labels.slice(0, BARS).map((label) =>
      html`
        <li><span dir="auto">${label}</span><i><b></b></i><span>–</span></li>
      `
    )
  }
</ol>
<div class="row">
${
    labels.length > BARS
      ? html`<button type="button" id="all" aria-expanded="false" aria-controls="bars">Show all ${
        count(labels.length)
      }</button>`
      : ""
  }
<p id="expected" class="soft"></p>
</div>
${
    takesFeedback
      ? html`
        <details id="wrong">
          <summary>This is wrong</summary>
          <form class="row"><label for="right">It shows</label>
        <select id="right" required><option value="">a label …</option></select>
        <button type="submit">Send the picture</button></form>
          <p id="wrong-text" class="soft" role="status"></p>
        </details>
      `
      : ""
  }
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
<p id="where-text" class="soft">The picture is sent to the server, which does not store it.</p>
</section>`;
}

/** How photographs are fitted, as the page describes it. */
const FIT_TEXTS: Record<PhotoFit, string> = { crop: "centre crop", squash: "squashed", pad: "padded" };

/** Below this many pixels a side, each is shown as a square. */
const FEW_PIXELS = 100;

/** @param photoFit how photographs are fitted; undefined for models of other pictures */
export function seesSection({ input }: PageModel, photoFit: PhotoFit | undefined): unknown {
  const { channels, height, width } = input;
  const pixelsClass = Math.max(height, width) < FEW_PIXELS ? "view pixels" : "view";
  // Photographs have no margin to trim.
  const isPhotos = photoFit !== undefined;
  return html`
    <section id="sees" aria-labelledby="sees-title">
      <div>
        <h2 id="sees-title">What the model sees</h2>
        <canvas id="input" class="${pixelsClass}" width="${width}" height="${height}" role="img"
          aria-label="The ${width} × ${height} pixels that the model receives"></canvas>
        <div class="row">
          <label class="check"
            ${isPhotos
              ? raw(" hidden")
              : ""}><input type="checkbox" id="crop" checked aria-description="Cuts the picture to what stands out from the background, as for the training images.">Crop</label>
          <label class="check"
            ${channels === 1 ? "" : raw(
              " hidden",
            )}><input type="checkbox" id="invert" aria-description="Exchanges bright and dark once more, in case the background was taken for the object.">Invert</label>
          <span class="soft">${width} × ${height} pixels${photoFit && `, ${FIT_TEXTS[photoFit]}`}</span>
        </div>
        <p id="fit-text" class="soft" ${isPhotos ? raw(" hidden") : ""}></p>
      </div>
      <div>
        <h3>Which parts matter</h3>
        <canvas id="heat" class="${pixelsClass}" width="${width}" height="${height}" role="img"
          aria-label="Heat map of the parts that matter"></canvas>
        <p id="legend"><i></i><span>against</span><span id="heat-label" dir="auto">for the answer</span></p>
        <div class="row">
          <label
            class="check"><input type="checkbox" id="heat-on" checked aria-description="Hides one part of the picture after the other and asks the model again: what lowers the probability matters.">Heat map</label>
        </div>
        <p
          class="soft">Amber: without this part, the answer is less certain. Blue: without it, the answer is more certain.</p>
      </div>
    </section>
  `;
}

export function photoFitOf(preprocessing: string | undefined): PhotoFit | undefined {
  return (Object.keys(PHOTO_FITS) as PhotoFit[]).find((fit) => PHOTO_FITS[fit] === preprocessing);
}
