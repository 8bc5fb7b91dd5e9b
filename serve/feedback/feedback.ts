/**
 * Feedback: pictures with their correct labels, to train the next model on. A store has a folder per model with a
 * folder per class, which `deno task train --dataset` can read. The number, size and age of the pictures are limited,
 * and nothing else is stored.
 *
 * @module
 */
import { sha256 } from "../../shared/sha256.ts";
import type { Config } from "../config.ts";
import { Problem } from "../problem.ts";

/** A file of a store. */
export interface StoredFile {
  /** `MODEL/CLASS/FILE` */
  name: string;
  bytes: number;
  /** When it was written, in ms since 1970. */
  at: number;
}

/** Where feedback is kept: a folder, or a bucket. */
export interface FeedbackStore {
  /** All files; those that are not feedback are ignored. */
  list(): Promise<StoredFile[]>;
  /** Writes a file, all of it or nothing. */
  write(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Deletes a file; it may be gone already. */
  delete(name: string): Promise<void>;
}

/** The names that this module gives to files. Other files of a store are never deleted. */
const FEEDBACK_NAME = /^[^/]+\/[^/]+\/[0-9a-f]{16}\.(?:png|jpg|webp)$/;

/** First byte → extension, for files that are known to be one of the three. */
const EXTENSIONS: Readonly<Record<number, string>> = { 0x89: "png", 0xff: "jpg", 0x52: "webp" };

const DAY_MS = 24 * 60 * 60 * 1000;

export interface FeedbackOptions {
  store: FeedbackStore;
  limits: Pick<Config, "feedbackMaxPictures" | "feedbackMaxBytes" | "feedbackMaxDays">;
  /** The time in ms since 1970; `Date.now()` by default. */
  now?: () => number;
}

export class Feedback {
  readonly #store: FeedbackStore;
  readonly #limits: FeedbackOptions["limits"];
  readonly #now: () => number;
  /** Resolves when earlier pictures are written: pictures that are added at the same time would exceed the limits. */
  #last: Promise<unknown> = Promise.resolve();

  constructor({ store, limits, now = Date.now }: FeedbackOptions) {
    this.#store = store;
    this.#limits = limits;
    this.#now = now;
  }

  /**
   * Stores a picture. The same picture with another label replaces the earlier one, as a client corrects itself.
   *
   * @param picture a file that can be decoded
   * @param folder of {@linkcode folderOf}
   * @returns its name in the store
   * @throws {Problem} 507 if the store is full
   */
  add(picture: Uint8Array<ArrayBuffer>, folder: string): Promise<string> {
    return this.#inTurn(async () => {
      const file = `${(await sha256(picture)).slice(0, 16)}.${EXTENSIONS[picture[0]!]}`;
      const name = `${folder}/${file}`;
      const [model] = folder.split("/", 1) as [string];
      let bytes = picture.length, pictures = 1;
      for (const stored of await this.#deleteOld()) {
        if (isOf(stored.name, model, file)) {
          if (stored.name !== name) await this.#store.delete(stored.name);
          continue;
        }
        bytes += stored.bytes;
        pictures++;
      }
      const { feedbackMaxPictures, feedbackMaxBytes } = this.#limits;
      if (pictures > feedbackMaxPictures || bytes > feedbackMaxBytes) {
        throw new Problem(
          507,
          `Cannot store the picture as there is room for ${feedbackMaxPictures} pictures of ${feedbackMaxBytes} bytes together`,
        );
      }
      await this.#store.write(name, picture);
      return name;
    });
  }

  /** Deletes the pictures that are too old. */
  async deleteOld(): Promise<void> {
    await this.#inTurn(() => this.#deleteOld());
  }

  /** @returns the files that are left */
  async #deleteOld(): Promise<StoredFile[]> {
    const oldest = this.#now() - this.#limits.feedbackMaxDays * DAY_MS;
    const kept: StoredFile[] = [];
    for (const file of await this.#store.list()) {
      if (!FEEDBACK_NAME.test(file.name)) continue;
      if (file.at < oldest) await this.#store.delete(file.name);
      else kept.push(file);
    }
    return kept;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }
}

/** Whether a name is that of a file of a model, in any class. */
function isOf(name: string, model: string, file: string): boolean {
  return name.startsWith(`${model}/`) && name.endsWith(`/${file}`);
}

/**
 * The folder of a class of a model: `MODEL/CLASS`. Characters that file names must not have are replaced, as in
 * `T-shirt/top`, and labels that would share a folder get their index.
 */
export function folderOf(model: string, label: string, labels: readonly string[]): string {
  const folder = safeName(label);
  const isShared = labels.some((other) =>
    other !== label && safeName(other).toLowerCase() === folder.toLowerCase()
  );
  return `${safeName(model)}/${isShared ? `${folder}-${labels.indexOf(label)}` : folder}`;
}

/** Longest name of a folder in UTF-16 code units: with at most three bytes each, they fit the limit of 255 bytes. */
const MAX_NAME = 60;

/** https://learn.microsoft.com/windows/win32/fileio/naming-a-file, which has the most rules. */
function safeName(label: string): string {
  // deno-lint-ignore no-control-regex -- these are what file names must not have
  const name = label.replace(/[\u0000-\u001f<>:"/\\|?*]/g, "_").slice(0, MAX_NAME).toWellFormed();
  return name.replace(/^\.+|[. ]+$/g, (dots) => "_".repeat(dots.length)) || "_";
}
