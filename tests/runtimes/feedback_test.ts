import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { describeModel } from "../../shared/contract.ts";
import { runTask } from "../helpers/command.ts";
import { garments } from "../helpers/picture_folder.ts";
import { inTemporaryFolder } from "../helpers/temporary_folder.ts";

import { MAIN, run, start } from "./deno_server.ts";
import { startWorkerd } from "./workerd_server.ts";

const KEY = "a-key-of-feedback-0123456789";
const AUTHORIZED = { authorization: `Bearer ${KEY}` };
const PICTURE = { ...AUTHORIZED, "content-type": "image/png" };

/** A worker that puts what it gets into a bucket. */
const WRITER = fileURLToPath(new URL("../helpers/bucket_writer.js", import.meta.url));

/** Trousers, bags and ankle boots: label → index of the silhouette. */
const KINDS = { "Trouser": 1, "Bag": 8, "Ankle boot": 9 };

Deno.test("deno task train takes the folder that feedback fills as it is", async () => {
  await inTemporaryFolder(async (folder) => {
    const store = `${folder}/feedback`;
    await using server = await start([
      "run",
      `--allow-write=${store}`,
      ...MAIN.slice(1),
      "--port=0",
    ], { FEEDBACK_STORE: store, API_KEYS: KEY });
    for (const [label, kind] of Object.entries(KINDS)) {
      for (const [i, body] of garments(30, kind, 1).entries()) {
        if (i % 3 > 0) {
          const query = `?label=${encodeURIComponent(label)}`;
          const response = await fetch(`${server.url}/v1/feedback${query}`, {
            method: "POST",
            headers: PICTURE,
            body,
          });
          assertEquals(response.status, 201, await response.text());
          continue;
        }
        // As the page does: classify first, and say later what was wrong.
        const classified = await fetch(`${server.url}/v1/classify`, {
          method: "POST",
          headers: PICTURE,
          body,
        });
        await classified.body?.cancel();
        const response = await fetch(`${server.url}/v1/feedback`, {
          method: "POST",
          headers: { ...AUTHORIZED, "content-type": "application/json" },
          body: JSON.stringify({ request_id: classified.headers.get("x-request-id"), label }),
        });
        assertEquals(response.status, 201, await response.text());
      }
    }
    const options =
      "--backend wasm --hidden 64 --batch-size 16 --dropout 0 --learning-rate 0.003 --epochs 5 --json";
    const { code, stdout, stderr } = await runTask("train", [
      ...["--dataset", `${store}/fashion-mnist`, "--out", `${folder}/models`],
      ...options.split(" "),
    ]);
    assertEquals(code, 0, stderr);
    const { file, test } = JSON.parse(stdout);
    assertEquals((await describeModel(await Deno.readFile(file))).labels, ["Ankle boot", "Bag", "Trouser"]);
    assert(test.images > 10 && test.accuracy > 0.8, stdout);
  });
});

Deno.test("serve/main.ts ends if feedback has no keys, or no folder that it may write to", async () => {
  await inTemporaryFolder(async (folder) => {
    const cases: [Record<string, string>, RegExp][] = [
      [
        { FEEDBACK_STORE: folder },
        /^error: Cannot use FEEDBACK_STORE as feedback needs keys: set API_KEYS\n$/,
      ],
      [
        { FEEDBACK_STORE: folder, API_KEYS: KEY },
        /^error: Cannot use FEEDBACK_STORE as it must be a folder that can be written/,
      ],
    ];
    for (const [env, message] of cases) {
      const [code, stdout, stderr] = await run(["--port=0"], env);
      assertEquals([code, stdout], [2, ""], stderr);
      assertMatch(stderr, message);
    }
  });
});

Deno.test("workerd keeps feedback in a bucket of R2", async (t) => {
  const r2_buckets = [{ binding: "FEEDBACK", bucket_name: "feedback" }];
  await using server = await startWorkerd({
    on: { variables: { API_KEYS: KEY, FEEDBACK_MAX_PICTURES: "2" }, bindings: { r2_buckets } },
    "without-keys": { bindings: { r2_buckets } },
    off: { variables: { API_KEYS: KEY } },
    writer: { bindings: { main: WRITER, r2_buckets } },
  });
  // R2 lists 1,000 objects at a time; these are no feedback, and come first.
  const notes = await server.workers["writer"]!.send("/a-note?copies=1000", { method: "PUT", body: "note" });
  await notes.body?.cancel();
  const [first, second, third] = garments(3, 8, 1);
  const send = async (worker: string, body: Uint8Array<ArrayBuffer>, label = "Bag"): Promise<Response> =>
    await server.workers[worker]!.send(`/v1/feedback?label=${label}`, {
      method: "POST",
      headers: PICTURE,
      body,
    });
  await t.step("until it is full, where a corrected picture counts once", async () => {
    const statuses: number[] = [];
    for (
      const [body, label] of [[first, "Bag"], [first, "Shirt"], [second, "Bag"], [third, "Bag"]] as const
    ) {
      const response = await send("on", body!, label);
      statuses.push(response.status);
      const { file, detail } = await response.json();
      if (response.status === 201) {
        assertMatch(file, new RegExp(`^fashion-mnist/${label}/[0-9a-f]{16}\\.png$`));
      } else assertStringIncludes(detail, "room for 2 pictures");
    }
    assertEquals(statuses, [201, 201, 201, 507]);
  });
  await t.step("of pictures only, as it does not keep requests", async () => {
    const response = await server.workers["on"]!.send("/v1/feedback", {
      method: "POST",
      headers: { ...AUTHORIZED, "content-type": "application/json" },
      body: JSON.stringify({ request_id: "1", label: "Bag" }),
    });
    assertEquals(response.status, 404);
    assertStringIncludes((await response.json()).detail, "send the picture instead");
  });
  await t.step("and not without a bucket, or without keys", async () => {
    const response = await send("off", first!);
    assertEquals(response.status, 404);
    await response.body?.cancel();
    const invalid = await send("without-keys", first!);
    assertEquals(invalid.status, 503);
    assertStringIncludes((await invalid.json()).detail, "configuration is invalid");
  });
});
