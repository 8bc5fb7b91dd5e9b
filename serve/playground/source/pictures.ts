/**
 * Pictures from files, from what is dropped and pasted, and from the camera.
 *
 * @module
 */
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import type { Image } from "../../../shared/image.ts";
import { Trouble } from "./runner.ts";

/** More pixels than this along one side say nothing to a model that sees some dozens. */
const LONGEST = 1024;
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * Decodes a picture.
 *
 * @throws {Trouble} if it is none
 */
export async function decode(file: Blob): Promise<Image> {
  const name = file instanceof File && file.name !== "" ? `“${file.name}”` : "This";
  if (file.size > MOST_BYTES) throw new Trouble(`${name} is too large: a picture may have 64 MB.`);
  try {
    // As the server reads it: the bytes as they are, turned as EXIF says.
    const options: ImageBitmapOptions = { premultiplyAlpha: "none", colorSpaceConversion: "none" };
    using bitmap = closing(await createImageBitmap(file, options));
    return toImage(bitmap.value, bitmap.value);
  } catch {
    throw new Trouble(`${name} cannot be read as a picture. Try a PNG, JPEG or WebP file.`);
  }
}

function closing(value: ImageBitmap): Disposable & { value: ImageBitmap } {
  return { value, [Symbol.dispose]: () => value.close() };
}

function toImage(source: CanvasImageSource, { width, height }: { width: number; height: number }): Image {
  const scale = Math.min(1, LONGEST / Math.max(width, height));
  const size = {
    width: Math.max(1, Math.round(width * scale)),
    height: Math.max(1, Math.round(height * scale)),
  };
  const context = new OffscreenCanvas(size.width, size.height).getContext("2d", {
    willReadFrequently: true,
  })!;
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, size.width, size.height);
  const { data } = context.getImageData(0, 0, size.width, size.height);
  return { ...size, channels: 4, data: new Uint8Array(data.buffer) };
}

/** The picture among what was dropped or pasted; undefined if nothing was a file. */
export function fileOf(transfer: DataTransfer | null): File | undefined {
  const files = [...transfer?.files ?? []];
  return files.find(({ type }) => type.startsWith("image/")) ?? files[0];
}

/** The camera, which is on between `start` and `stop`. */
export class Camera {
  readonly #video: HTMLVideoElement;
  #stream: MediaStream | undefined;

  constructor(video: HTMLVideoElement) {
    this.#video = video;
  }

  get isOn(): boolean {
    return this.#stream !== undefined;
  }

  /** @throws {Trouble} if there is none, or it may not be used */
  async start(): Promise<void> {
    if (!navigator.mediaDevices) {
      throw new Trouble("The camera works over HTTPS and on localhost only.");
    }
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({
        video: { facingMode: "environment", width: { ideal: LONGEST } },
      });
    } catch (error) {
      const reason = (error as Error).name === "NotAllowedError"
        ? "may not be used"
        : "cannot be found or is in use";
      throw new Trouble(`The camera ${reason}.`);
    }
    this.#video.srcObject = this.#stream;
    this.#video.hidden = false;
    await this.#video.play();
  }

  /** What it sees now, the middle square that is on the screen. */
  shoot(): Image {
    const { videoWidth, videoHeight } = this.#video;
    const side = Math.min(videoWidth, videoHeight);
    const square = new OffscreenCanvas(side, side);
    square.getContext("2d")!.drawImage(this.#video, (side - videoWidth) / 2, (side - videoHeight) / 2);
    return toImage(square, square);
  }

  stop(): void {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = undefined;
    this.#video.srcObject = null;
    this.#video.hidden = true;
  }
}
