/**
 * The part of the page in which an image is drawn or chosen. Models of photographs come first with the file and the
 * camera, and users can only hide parts of a photo: these models do not recognize drawings.
 *
 * @module
 */
import { html } from "hono/html";

const FILE = html`<input id="file" type="file" accept="image/*" hidden tabindex="-1" aria-label="Image">`;
const CAMERA = html`<button type="button" id="camera">Camera</button>`;
const UNDO = html`<button type="button" id="undo" disabled>Undo</button>
<button type="button" id="clear">Clear</button>`;

function width(label: string): unknown {
  return html`<label class="size">${label} <input id="size" type="range" min="4" max="60" value="20"></label>`;
}

const DRAWING = {
  how: "draw, drop or paste",
  hint: "Draw here, or drop an image",
  area:
    "Area to draw on with a mouse, a finger or a pen. With the keyboard, choose an image or a sample below.",
  controls: html`
    <div class="row">
    <fieldset class="choice"><legend class="hidden">Tool</legend>
    <label><input type="radio" name="tool" value="fill" checked><span>Shape</span></label>
    <label><input type="radio" name="tool" value="brush"><span>Brush</span></label>
    <label><input type="radio" name="tool" value="eraser"><span>Eraser</span></label>
    </fieldset>
    ${UNDO}
    </div>
    <div class="row">
    <button type="button" id="open">Choose an image</button>
    ${FILE}
    ${CAMERA}
    ${width("Width")}
    </div>
  `,
};

const PHOTOS: typeof DRAWING = {
  how: "choose, drop or paste",
  hint: "Choose a photo, or drop one here",
  area:
    "The photo. Paint over it with a mouse, a finger or a pen to hide a part of it. With the keyboard, choose a photo below.",
  controls: html`
    <div class="row">
    <button type="button" id="open" class="main">Choose a photo</button>
    ${FILE}
    ${CAMERA}
    </div>
    <div class="row">
    ${UNDO}
    <input type="radio" name="tool" value="eraser" checked hidden>
    ${width("Eraser")}
    </div>
    <p class="soft">Paint over the photo to hide a part of it from the model.</p>
  `,
};

/** @param isPhotos whether the model is one of photographs */
export function inputSection(isPhotos: boolean): unknown {
  const { how, hint, area, controls } = isPhotos ? PHOTOS : DRAWING;
  return html`<section id="source" aria-labelledby="source-title">
<h2 id="source-title">Input <span class="soft">${how}</span></h2>
<div id="stage">
<canvas id="drawing" width="384" height="384" role="img" aria-label="${area}"></canvas>
<p id="hint" hidden>${hint}</p>
<video id="video" muted playsinline hidden aria-label="Camera preview"></video>
<button type="button" id="shoot" hidden>Take a photo</button>
<p id="message" role="alert" hidden></p>
</div>${controls}
</section>`;
}
