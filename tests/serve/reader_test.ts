import { assertEquals, assertGreater } from "@std/assert";
import { readConfig } from "../../serve/config.ts";
import { RequestReader } from "../../serve/decode/reader.ts";
import { readTask, type Task } from "../../serve/decode/task.ts";
import { turn } from "../../serve/turn.ts";
import { encodeJpeg } from "../helpers/picture_encoders.js";

const SIDE = 400;
const JPEG = await encodeJpeg({
  width: SIDE,
  height: SIDE,
  data: new Uint8Array(4 * SIDE * SIDE).map((_, i) => i * i % 251),
});

function task(): Task<"classify"> {
  return {
    form: "classify",
    body: JPEG.slice(),
    contentType: "image/jpeg",
    model: {
      input: { channels: 1, height: 28, width: 28 },
      imageSize: 784,
      classes: 10,
      outputs: ["logits"],
    },
    limits: readConfig(),
  };
}

Deno.test("RequestReader without threads lets events in before each large request", async () => {
  const reader = new RequestReader(readConfig());
  let turns = 0, isOver = false;
  const counting = (async () => {
    for (; !isOver; turns++) await turn();
  })();
  for (const name of ["first", "second"]) {
    const before = turns;
    await reader.read(task(), "a");
    assertGreater(turns - before, 3, `the ${name} request, as decoding is one call`);
  }
  isOver = true;
  await counting;
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
  const started = Promise.withResolvers<void>();
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
  setTimeout(started.resolve, 100);
  assertEquals(await Promise.all(reading), [result, result]);
});
