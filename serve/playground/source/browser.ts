/**
 * The model in this browser: the same ONNX file, the same code as on the server, and ONNX Runtime Web, all of
 * which is fetched when it is first wanted and then kept by the service worker.
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
  readonly #classifier: Classifier;

  private constructor(classifier: Classifier) {
    this.#classifier = classifier;
  }

  /** @throws {Trouble} if the file or ONNX Runtime cannot be had */
  static async load({ version }: PageModel): Promise<BrowserRunner> {
    // What is fetched before there is a service worker would not be kept.
    await controlled();
    const response = await send(`${MODEL_FILE}?version=${version}`, { headers: withKey() });
    const bytes = new Uint8Array(await response.arrayBuffer());
    try {
      // In a variable, as it is not part of this bundle.
      const path = `${ROOM}inference.js`;
      const { load } = await import(path) as typeof import("./inference.ts");
      const classifier = await load(bytes);
      // The first run prepares what the others use.
      await classifier.run(new Uint8Array(classifier.imageSize));
      return new BrowserRunner(classifier);
    } catch (cause) {
      throw new Trouble(`This browser cannot run the model: ${(cause as Error).message}`, { cause });
    }
  }

  async run(pixels: Uint8Array<ArrayBuffer>): Promise<Answer> {
    const start = performance.now();
    const { logits, probabilities } = await this.#classifier.run(pixels);
    const ms = performance.now() - start;
    // The arrays are ONNX Runtime's, and the next run may write over them.
    return { logits: logits.slice(), probabilities: probabilities.slice(), ms };
  }
}
