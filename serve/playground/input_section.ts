/**
 * The part of the page in which an image is drawn or chosen. Models of photographs come first with the file and the
 * camera, and users can only hide parts of a photo: these models do not recognize drawings.
 *
 * The attribute `aria-description` of a control explains it: screen readers read it, and the script shows it below the
 * controls while the control has the pointer or the focus.
 *
 * @module
 */
import { html, raw } from "hono/html";

const FILE = html`<input id="file" type="file" accept="image/*" hidden tabindex="-1" aria-label="Image">`;

const CAMERA =
  html`<button type="button" id="camera" aria-description="${"Classifies what the camera sees, until you stop it or take a picture."}">Camera</button>`;

const UNDO = html`
  <button type="button" id="undo" aria-description="Takes back the last line, picture or clearing."
    disabled>Undo</button>
  <button type="button" id="clear" aria-description="Removes the picture and the answer.">Clear</button>
`;

function width(label: string, description: string): unknown {
  return html`
    <label
      class="size">${label} <input id="size" type="range" min="4" max="60" value="20" aria-description="${description}"></label>
  `;
}

function tool(value: string, name: string, description: string, isChecked = false): unknown {
  return html`<label><input type="radio" name="tool" value="${value}"${
    isChecked ? raw(" checked") : ""
  } aria-description="${description}"><span>${name}</span></label>`;
}

const DRAWING = {
  how: "draw, drop or paste",
  hint: "Draw here, or drop a picture",
  area:
    "Area to draw on with a mouse, a finger or a pen. With the keyboard, choose a picture or an example below.",
  help: "Shape: draw an outline, and it is filled.",
  controls: html`
    <div class="row">
    <fieldset class="choice"><legend class="hidden">Tool</legend>
    ${tool("fill", "Shape", "Draw an outline, and it is filled.", true)}
    ${tool("brush", "Brush", "Draw lines as wide as the slider says.")}
    ${tool("eraser", "Eraser", "Remove parts of the picture.")}
    </fieldset>
    ${UNDO}
    </div>
    <div class="row">
    <button type="button" id="open" aria-description="Takes a PNG, JPEG or WebP file from this device. You can also drop or paste one.">Choose a picture</button>
    ${FILE}
    ${CAMERA}
    ${width("Width", "How wide the brush and the eraser are.")}
    </div>
  `,
};

const PHOTOS: typeof DRAWING = {
  how: "choose, drop or paste",
  hint: "Choose a photo, or drop one here",
  area:
    "The photo. Paint over it with a mouse, a finger or a pen to hide a part of it. With the keyboard, choose a photo below.",
  help: "Paint over the photo to hide a part of it from the model.",
  controls: html`
    <div class="row">
    <button type="button" id="open" class="main" aria-description="Takes a PNG, JPEG or WebP file from this device. You can also drop or paste one.">Choose a photo</button>
    ${FILE}
    ${CAMERA}
    </div>
    <div class="row">
    ${UNDO}
    <input type="radio" name="tool" value="eraser" checked hidden>
    ${width("Eraser", "How wide the eraser is. Paint over the photo to hide a part of it from the model.")}
    </div>
  `,
};

/** @param isPhotos whether the model is one of photographs */
export function inputSection(isPhotos: boolean): unknown {
  const { how, hint, area, help, controls } = isPhotos ? PHOTOS : DRAWING;
  return html`<section id="source" aria-labelledby="source-title">
<h2 id="source-title">Picture <span class="soft">${how}</span></h2>
<div id="stage">
<canvas id="drawing" width="384" height="384" role="img" aria-label="${area}"></canvas>
<p id="hint" hidden>${hint}</p>
<video id="video" muted playsinline hidden aria-label="Camera preview"></video>
<button type="button" id="shoot" hidden>Take a picture</button>
<p id="rate" hidden></p>
<p id="message" role="alert" hidden></p>
</div>${controls}
<p id="help" class="soft" aria-hidden="true">${help}</p>
</section>`;
}
