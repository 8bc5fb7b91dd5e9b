/**
 * The model in this browser: the same ONNX file and the same code as on the server, with ONNX Runtime Web. All of it is
 * downloaded on first use and then cached by the service worker.
 *
 * @module
 */
import type { Classifier } from "../../../shared/inference/browser.ts";
import { MODEL_FILE, ROOM } from "../names.ts";
import { withKey } from "./key.ts";
import { controlled } from "./offline.ts";
import type { PageModel } from "./page_model.ts";
import { type Answer, type Runner, Trouble } from "./runner.ts";
import { send } from "./server.ts";

export class BrowserRunner implements Runner {
  /** The model runs on the page's own thread: longer tasks delay input events noticeably. */
  readonly batchMs = 50;
  readonly #classifier: Classifier;

  private constructor(classifier: Classifier) {
    this.#classifier = classifier;
  }

  /** @throws {Trouble} if the file or ONNX Runtime is unavailable */
  static async load({ version }: PageModel): Promise<BrowserRunner> {
    // The service worker cannot cache what is downloaded before it runs.
    await controlled();
    const response = await send(`${MODEL_FILE}?version=${version}`, { headers: withKey() });
    const bytes = new Uint8Array(await response.arrayBuffer());
    try {
      // In a variable, as it is not part of this bundle.
      const path = `${ROOM}inference.js`;
      const { load } = await import(path) as typeof import("./inference.ts");
      const classifier = await load(bytes);
      // The first run initializes what later runs reuse.
      await classifier.run(new Uint8Array(classifier.imageSize));
      return new BrowserRunner(classifier);
    } catch (cause) {
      throw new Trouble(`This browser cannot run the model: ${(cause as Error).message}`, { cause });
    }
  }

  async run(pixels: Uint8Array<ArrayBuffer>): Promise<Answer> {
    const start = performance.now();
    const { logits, probabilities, familiarity } = await this.#classifier.run(pixels);
    const ms = performance.now() - start;
    // The arrays belong to ONNX Runtime, which may overwrite them in the next run.
    return {
      logits: logits.slice(),
      probabilities: probabilities.slice(),
      ...(familiarity && { familiarity: familiarity.slice() }),
      ms,
    };
  }
}
