/**
 * Computes the features of a data set in batches, on every core, and caches them.
 *
 * @module
 */
import { sha256 } from "../dataset/digest.ts";
import type { Backbone } from "./backbone.ts";
import { FEATURES_DIRECTORY, readFeatures, writeFeatures } from "./feature_cache.ts";
import { BATCH, createRunner } from "./runners.ts";
import { type View, viewOf, VIEWS } from "./views.ts";

export interface ExtractOptions {
  /** Views of each image in addition to the image itself; none by default. */
  views?: readonly View[];
  /** The folder of the feature cache; empty for no cache. */
  directory?: string;
  /** Reports how many of the views that were not cached are done, and the seconds left. */
  onProgress?: (progress: { done: number; total: number; secondsLeft: number }) => void;
  /** Reports a problem that does not stop the run. */
  onNote?: (line: string) => void;
  signal?: AbortSignal;
}

/** Features of images, and how they were computed. */
export interface Extraction {
  /** `[count, views, D]`, row-major; the first view is the image itself. */
  features: Float32Array<ArrayBuffer>;
  /** The views of each image. */
  views: number;
  /** How many were computed; the others came from the cache. */
  computed: number;
  /** What computed them, as text; absent if all came from the cache. */
  runner?: string;
  seconds: number;
}

/**
 * Computes the features of images.
 *
 * @param images `[count, 3, H, W]`, 0..255
 * @throws the signal's reason, if it is aborted; features computed until then are cached
 */
export async function extractFeatures(
  backbone: Backbone,
  images: Uint8Array,
  { views = [], directory = FEATURES_DIRECTORY, onProgress, onNote, signal }: ExtractOptions = {},
): Promise<Extraction> {
  const started = performance.now();
  const elapsed = (): number => (performance.now() - started) / 1000;
  const { size, sha256: key, input: { height, width } } = backbone;
  const imageSize = 3 * height * width;
  const count = images.length / imageSize;
  const all = [VIEWS.whole, ...views];
  const known = directory === "" ? new Map() : await readFeatures(key, size, directory);
  const hashes = Array.from({ length: count }, (_, i) => imageAt(i)).map((image) => sha256(image));
  const missing = new Map<string, { index: number; view: View }>();
  for (const [index, hash] of hashes.entries()) {
    for (const view of all) {
      if (!known.has(keyOf(hash, view))) missing.set(keyOf(hash, view), { index, view });
    }
  }
  let runnerName: string | undefined;
  if (missing.size > 0) {
    const jobs = [...missing];
    const runner = await createRunner(backbone, Math.ceil(jobs.length / BATCH));
    runnerName = runner.name;
    let next = 0, done = 0;
    const work = async (): Promise<void> => {
      while (next < jobs.length) {
        signal?.throwIfAborted();
        const batch = jobs.slice(next, next += BATCH);
        const pixels = new Uint8Array(batch.length * imageSize);
        for (const [i, [, { index, view }]] of batch.entries()) {
          pixels.set(viewOf(imageAt(index), { height, width }, view), i * imageSize);
        }
        const features = await runner.run(pixels);
        for (const [i, [key]] of batch.entries()) known.set(key, features.slice(i * size, (i + 1) * size));
        done += batch.length;
        onProgress?.({ done, total: jobs.length, secondsLeft: elapsed() / done * (jobs.length - done) });
      }
    };
    try {
      await Promise.all(Array.from({ length: runner.width }, work));
    } finally {
      await runner.close();
      // The run can go on without a cache.
      if (directory !== "") {
        await writeFeatures(key, size, known, directory).catch((error) =>
          onNote?.(`NOTE: the features could not be cached for the next run: ${(error as Error).message}`)
        );
      }
    }
  }
  const features = new Float32Array(count * all.length * size);
  for (const [i, hash] of hashes.entries()) {
    for (const [v, view] of all.entries()) {
      features.set(known.get(keyOf(hash, view))!, (i * all.length + v) * size);
    }
  }
  return {
    features,
    views: all.length,
    computed: missing.size,
    ...(runnerName !== undefined && { runner: runnerName }),
    seconds: elapsed(),
  };

  function imageAt(i: number): Uint8Array {
    return images.subarray(i * imageSize, (i + 1) * imageSize);
  }
}

/** SHA-256 of the pixels and of the view's name, 32 bytes each: the keys of the cache. */
function keyOf(hash: string, view: View): string {
  return view === VIEWS.whole ? hash : sha256(new TextEncoder().encode(`${hash} ${view.name}`));
}
