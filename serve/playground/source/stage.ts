/**
 * The area that is drawn on, and on which pictures are shown. A picture keeps its own pixels until parts of it are
 * erased, and its shape then too.
 *
 * @module
 */
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import type { NamedFile } from "./code.ts";
import type { Image } from "../../../shared/image.ts";
import type { Box } from "../../../shared/resample.ts";

/** `fill` fills the outline that is drawn. */
export type Tool = "fill" | "brush" | "eraser";

/** A picture that is shown as it is. */
export interface Shown {
  image: Image;
  /** Its file, if the server can read that. */
  file?: NamedFile & { blob: Blob };
  /** What it shows, if that is known. */
  label?: string;
}

interface Moment {
  pixels: ImageData;
  picture: Shown | undefined;
  box: Box;
  isBlank: boolean;
}

const INK = "#161412";
const PAPER = "#ffffff";
/** Steps that can be undone. */
const MEMORY = 20;

export class Stage {
  tool: Tool = "fill";
  /** Width of lines, in pixels of the canvas. */
  size = 20;
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #onChange: () => void;
  readonly #past: Moment[] = [];
  #picture: Shown | undefined;
  /** The part of the canvas that is classified. */
  #box: Box = { left: 0, top: 0, width: 0, height: 0 };
  #isBlank = true;
  #pointer: number | undefined;
  #path: [number, number][] = [];
  /** What was there when the line began. */
  #sheet: ImageData | undefined;

  /** @param onChange is called at every change, while one draws too */
  constructor(canvas: HTMLCanvasElement, onChange: () => void) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d", { willReadFrequently: true })!;
    this.#onChange = onChange;
    this.#wipe();
    canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    canvas.addEventListener("pointermove", (event) => this.#go(event));
    for (const end of ["pointerup", "pointercancel"] as const) {
      canvas.addEventListener(end, (event) => this.#end(event));
    }
  }

  get isDrawing(): boolean {
    return this.#pointer !== undefined;
  }

  get canUndo(): boolean {
    return this.#past.length > 0;
  }

  /** What is there; undefined if nothing is. */
  image(): Image | undefined {
    if (this.#isBlank) return undefined;
    if (this.#picture) return this.#picture.image;
    const { left, top, width, height } = this.#box;
    const { data } = this.#context.getImageData(left, top, width, height);
    return { width, height, channels: 4, data: new Uint8Array(data.buffer) };
  }

  /** The picture that is shown as it is; undefined if something was drawn. */
  get shown(): Shown | undefined {
    return this.#picture;
  }

  /** What is there as a PNG file. */
  async toPng(): Promise<Blob> {
    const { left, top, width, height } = this.#box;
    const canvas = new OffscreenCanvas(width, height);
    canvas.getContext("2d")!.drawImage(this.#canvas, -left, -top);
    return await (this.#picture ? toOffscreen(this.#picture.image) : canvas).convertToBlob();
  }

  /** Shows a picture, as large as there is room. */
  show(shown: Shown): void {
    if (!this.#isBlank || this.#past.length > 0) this.#remember();
    const picture = shown.image;
    const { width, height } = this.#canvas;
    this.#wipe();
    const scale = Math.min(width / picture.width, height / picture.height);
    const w = Math.max(1, Math.round(picture.width * scale)),
      h = Math.max(1, Math.round(picture.height * scale));
    this.#box = { left: (width - w) >> 1, top: (height - h) >> 1, width: w, height: h };
    this.#context.imageSmoothingEnabled = scale < 4;
    this.#context.drawImage(toCanvas(picture), this.#box.left, this.#box.top, w, h);
    this.#picture = shown;
    this.#isBlank = false;
    this.#onChange();
  }

  clear(): void {
    if (this.#isBlank) return;
    this.#remember();
    this.#wipe();
    this.#onChange();
  }

  undo(): void {
    const moment = this.#past.pop();
    if (!moment) return;
    this.#context.putImageData(moment.pixels, 0, 0);
    this.#picture = moment.picture;
    this.#box = moment.box;
    this.#isBlank = moment.isBlank;
    this.#onChange();
  }

  #wipe(): void {
    this.#context.fillStyle = PAPER;
    const { width, height } = this.#canvas;
    this.#context.fillRect(0, 0, width, height);
    this.#picture = undefined;
    this.#box = { left: 0, top: 0, width, height };
    this.#isBlank = true;
  }

  #remember(): void {
    const { width, height } = this.#canvas;
    const pixels = this.#context.getImageData(0, 0, width, height);
    this.#past.push({ pixels, picture: this.#picture, box: this.#box, isBlank: this.#isBlank });
    if (this.#past.length > MEMORY) this.#past.shift();
  }

  #begin(event: PointerEvent): void {
    if (this.isDrawing || event.button !== 0 || this.#isBlank && this.tool === "eraser") return;
    event.preventDefault();
    this.#canvas.setPointerCapture(event.pointerId);
    this.#pointer = event.pointerId;
    this.#remember();
    // Dark ink on a dark picture would not be seen, so a drawing begins on a clean sheet.
    if (this.#picture && this.tool !== "eraser") this.#wipe();
    this.#picture = undefined;
    this.#isBlank = false;
    this.#sheet = this.#context.getImageData(0, 0, this.#canvas.width, this.#canvas.height);
    this.#path = [this.#place(event)];
    this.#draw();
  }

  #go(event: PointerEvent): void {
    if (event.pointerId !== this.#pointer) return;
    // A fast pen has been at more places than there are events.
    const events = event.getCoalescedEvents?.() ?? [];
    this.#path.push(...(events.length > 0 ? events : [event]).map((event) => this.#place(event)));
    this.#draw();
  }

  #end(event: PointerEvent): void {
    if (event.pointerId !== this.#pointer) return;
    this.#pointer = undefined;
    this.#onChange();
  }

  #place({ clientX, clientY }: PointerEvent): [number, number] {
    const { left, top, width, height } = this.#canvas.getBoundingClientRect();
    return [(clientX - left) / width * this.#canvas.width, (clientY - top) / height * this.#canvas.height];
  }

  #draw(): void {
    const context = this.#context;
    const path = new Path2D();
    const [[x, y]] = this.#path as [[number, number]];
    path.moveTo(x, y);
    // A point is a line to itself.
    for (const [x, y] of this.#path) path.lineTo(x, y);
    // Filling starts anew from what was there, as the outline's end goes back to its start.
    if (this.tool === "fill") {
      context.putImageData(this.#sheet!, 0, 0);
      context.fillStyle = INK;
      context.fill(path);
    }
    context.lineJoin = context.lineCap = "round";
    context.lineWidth = this.tool === "fill" ? Math.min(this.size, 6) : this.size;
    context.strokeStyle = this.tool === "eraser" ? PAPER : INK;
    context.stroke(path);
    this.#onChange();
  }
}

/** A picture on a canvas of its own size. */
export function toCanvas(image: Image): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  const { width, height } = image;
  Object.assign(canvas, { width, height });
  put(canvas.getContext("2d")!, image);
  return canvas;
}

function toOffscreen(image: Image): OffscreenCanvas {
  const canvas = new OffscreenCanvas(image.width, image.height);
  put(canvas.getContext("2d")!, image);
  return canvas;
}

function put(
  context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D,
  { width, height, channels, data }: Image,
): void {
  const pixels = context.createImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) pixels.data[4 * i + c] = data[i * channels + (channels === 1 ? 0 : c)]!;
    pixels.data[4 * i + 3] = channels === 4 ? data[i * channels + 3]! : 255;
  }
  context.putImageData(pixels, 0, 0);
}
