import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { readConfig } from "../../serve/config.ts";
import { DecodePool } from "../../serve/decode/pool.ts";
import { RequestReader } from "../../serve/decode/reader.ts";
import { readTask, type Task } from "../../serve/decode/task.ts";
import { InputError } from "../../shared/errors.ts";
import { turn } from "../../serve/turn.ts";
import { jpegOfScans, type ScansRecipe } from "../bench/costly_jpeg.ts";
import { costlyJpeg, costlyPng, costlyWebp } from "../bench/costly_pictures.ts";
import { phonePhoto } from "../helpers/phone_photo.ts";
import { encodeJpeg } from "../helpers/picture_encoders.js";

const SIDE = 400;
const JPEG = await encodeJpeg({
  width: SIDE,
  height: SIDE,
  data: new Uint8Array(4 * SIDE * SIDE).map((_, i) => i * i % 251),
});

function task(body = JPEG, contentType = "image/jpeg"): Task<"classify"> {
  return {
    form: "classify",
    body: body.slice(),
    contentType,
    model: {
      input: { channels: 1, height: 28, width: 28 },
      imageSize: 784,
      classes: 10,
      outputs: ["logits"],
    },
    limits: readConfig(),
  };
}

/** 256 images. */
const BYTES = new Uint8Array(256 * 784).map((_, i) => i % 251);

/** Reads two large requests, with events before each. */
async function assertLetsIn(reader: RequestReader): Promise<void> {
  let turns = 0, isOver = false;
  const counting = (async () => {
    for (; !isOver; turns++) await turn();
  })();
  for (const name of ["first", "second"]) {
    const before = turns;
    await reader.read(task(BYTES, "application/octet-stream"), "a");
    assertGreater(turns - before, 3, `the ${name} request, which is read in one call`);
  }
  isOver = true;
  await counting;
}

Deno.test("RequestReader without threads lets events in before each large request", async () => {
  await assertLetsIn(new RequestReader(readConfig()));
});

Deno.test({
  name: "RequestReader goes on without threads if none can be started, and says so once",
  // They are started from a file.
  permissions: { read: false },
  async fn(): Promise<void> {
    const errors: unknown[] = [];
    const reader = new RequestReader(readConfig(), new DecodePool((error) => errors.push(error)));
    await Promise.all([reader.read(task(), "a"), reader.read(task(), "b")]);
    await assertLetsIn(reader);
    assertEquals(errors.length, 1);
    assertMatch(String(errors[0]), /A thread that reads requests cannot be started: .*read access/);
  },
});

Deno.test("RequestReader reads large arrays of bytes in threads, and small ones at once", async () => {
  const pool = new DecodePool((error) => {
    throw error;
  });
  const reader = new RequestReader(readConfig(), pool);
  for (const [images, isTransferred] of [[8, false], [256, true]] as const) {
    const bytes = task(BYTES.subarray(0, 784 * images), "application/octet-stream");
    const { count } = await reader.read(bytes, "a");
    assertEquals(count, images);
    assertEquals(bytes.body.buffer.detached, isTransferred, `${images} images`);
  }
  pool.close();
});

Deno.test("RequestReader expects of a body what the last ones of its type took", async () => {
  const reader = new RequestReader({ queueTimeoutMs: 100 });
  assertEquals(reader.queuedMicros, 0);
  await reader.read(task(), "a");
  const first = reader.expect("a", "image/jpeg")!;
  const micros = reader.queuedMicros;
  assertGreater(micros, 1000);
  let expected = 1;
  while (reader.expect("a", "image/jpeg")) expected++;
  assertEquals(reader.hasRoom("a", "image/jpeg"), false);
  assertEquals(reader.hasRoom("b", "image/jpeg"), true);
  assertEquals(reader.hasRoom("a", "application/octet-stream"), true, "nothing is known of these");
  assertEquals(reader.queuedMicros, expected * micros);
  first[Symbol.dispose]();
  assertEquals(reader.queuedMicros, (expected - 1) * micros);
});

Deno.test("RequestReader refuses no request for waiting while the first thread starts", async () => {
  const started = Promise.withResolvers<boolean>();
  const result = await readTask(task(), turn);
  const reader = new RequestReader({ queueTimeoutMs: 50 }, {
    size: 1,
    ready: () => started.promise,
    run: async () => {
      await started.promise;
      return result as never;
    },
  });
  const reading = [1, 2].map(() => reader.read(task(), "a"));
  // Longer than a request may wait for its turn.
  setTimeout(() => started.resolve(true), 100);
  assertEquals(await Promise.all(reading), [result, result]);
});

const size = { width: 1448, height: 1448 };
const webp = { size, noise: 0.05, quality: 85 };
const jpeg = { size, noise: 0.1, quality: 85, progressive: true, subsampling: 2 };
const scans: Omit<ScansRecipe, "size"> = {
  components: 3,
  progressive: false,
  coefficients: 1,
  scans: 4,
};

/** Decodes a picture; whether something stands out in it does not matter. */
async function assertDecodes(reader: RequestReader, body: Uint8Array<ArrayBuffer>): Promise<void> {
  const code = await reader.read(task(body), "a").then(() => "none", (error: InputError) => error.code);
  assert(code === "none" || code === "no-content", code);
}

Deno.test("RequestReader reads pictures of the largest size without threads, also those that take long, and with them", async () => {
  const pool = new DecodePool((error) => {
    throw error;
  });
  const readers = [new RequestReader(readConfig()), new RequestReader(readConfig(), pool)];
  const screenshot = { ...webp, noise: 0, lossless: true };
  for (
    const body of [
      await costlyWebp(webp),
      await costlyWebp({ ...webp, quality: 95, method: 4 }),
      await costlyWebp({ ...webp, transparent: true, size: { width: 1000, height: 1000 } }),
      await costlyWebp(screenshot),
      await costlyWebp({ ...webp, noise: 1, quality: 100 }),
      await costlyWebp({ ...webp, noise: 1, quality: 100, transparent: true }),
      await costlyJpeg(jpeg),
      await costlyJpeg({ ...jpeg, size: { width: 4096, height: 511 } }),
      await costlyJpeg({ ...jpeg, progressive: false, noise: 0.8, quality: 95, subsampling: 1 }),
      await costlyJpeg({ ...jpeg, noise: 1, quality: 100, subsampling: 1 }),
      jpegOfScans({ ...scans, size: { width: 8000, height: 8000 } }),
      jpegOfScans({ ...scans, size: { width: 8000, height: 8000 }, progressive: true }),
      jpegOfScans({
        ...scans,
        size: { width: 1800, height: 1800 },
        coefficients: 40,
        interval: 1,
        progressive: true,
      }),
      await phonePhoto(),
      costlyPng({ size, format: [2, 8], filter: 4, noise: 1 }),
    ]
  ) for (const reader of readers) await assertDecodes(reader, body);
  pool.close();
});
