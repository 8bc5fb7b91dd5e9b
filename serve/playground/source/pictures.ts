/**
 * Pictures that are dropped, pasted, or seen by the camera.
 *
 * @module
 */
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import type { Image } from "../../../shared/image.ts";
import { LONGEST, toImage } from "./decode.ts";
import { Trouble } from "./runner.ts";

/** The picture among what was dropped or pasted; undefined if nothing was a file. */
export function fileOf(transfer: DataTransfer | null): File | undefined {
  const files = [...transfer?.files ?? []];
  return files.find(({ type }) => type.startsWith("image/")) ?? files[0];
}

/** The camera, which is on between `start` and `stop`. */
export class Camera {
  readonly #video: HTMLVideoElement;
  #stream: MediaStream | undefined;
  #wake = (): void => {};

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

  /**
   * What it sees now, the middle square that is on the screen.
   *
   * @param longest pixels of its side at most
   */
  shoot(longest = LONGEST): Image {
    const { videoWidth, videoHeight } = this.#video;
    const whole = Math.min(videoWidth, videoHeight), side = Math.min(whole, longest);
    const square = new OffscreenCanvas(side, side);
    const context = square.getContext("2d")!;
    context.imageSmoothingQuality = "high";
    const left = (videoWidth - whole) / 2, top = (videoHeight - whole) / 2;
    context.drawImage(this.#video, left, top, whole, whole, 0, 0, side, side);
    return toImage(square, square);
  }

  /** Resolves at the next frame, or when the camera stops. */
  async frame(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.#video.requestVideoFrameCallback(() => resolve());
    });
  }

  stop(): void {
    this.#wake();
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = undefined;
    this.#video.srcObject = null;
    this.#video.hidden = true;
  }
}
