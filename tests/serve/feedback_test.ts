import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { tmpdir } from "node:os";
import { type App, createApp } from "../../serve/app.ts";
import { readConfig } from "../../serve/config.ts";
import { Feedback, folderOf } from "../../serve/feedback/feedback.ts";
import { openFolder } from "../../serve/feedback/folder.ts";
import { RecentImages } from "../../serve/feedback/recent.ts";
import { Problem } from "../../serve/problem.ts";
import { decodePicture } from "../../shared/decode/picture.ts";
import { encodePng } from "../../shared/encode/png.ts";
import { InputError } from "../../shared/errors.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { assertProblem } from "../helpers/http.ts";
import { encodeJpeg, encodeWebp } from "../helpers/picture_encoders.js";
import { inTemporaryFolder } from "../helpers/temporary_folder.ts";
import { tinyModel } from "../helpers/tiny_model.ts";

const KEY = "a-key-of-feedback-0123456789";
const LABELS = ["left", "middle", "<right>"];

/** A picture of 3×2 pixels, different for each seed. */
function png(seed: number): Promise<Uint8Array<ArrayBuffer>> {
  return encodePng({ channels: 1, height: 2, width: 3, data: Uint8Array.of(seed, 255, 0, 9, 255, 0) });
}

async function appWith(folder: string, variables: Record<string, string> = {}): Promise<App> {
  const config = readConfig({ API_KEYS: KEY, ...variables });
  return createApp({
    load: () => Classifier.load(tinyModel()),
    report: (error) => {
      throw error;
    },
    config,
    ...(folder !== "" && { feedback: { store: await openFolder(folder), hasRecent: true } }),
  });
}

interface Body {
  type?: string;
  query?: string;
  key?: string;
}

async function send(
  app: App,
  body: BodyInit,
  { type = "image/png", query = "?label=left", key = KEY }: Body = {},
): Promise<Response> {
  const headers = { "content-type": type, ...(key && { authorization: `Bearer ${key}` }) };
  return await app.request(`/v1/feedback${query}`, { method: "POST", headers, body });
}

const json = (
  value: unknown,
): [string, Body] => [JSON.stringify(value), { type: "application/json", query: "" }];

/** Every file below a folder. */
async function filesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (!isDirectory) names.push(name);
    else names.push(...(await filesIn(`${folder}/${name}`)).map((file) => `${name}/${file}`));
  }
  return names.sort();
}

Deno.test("POST /v1/feedback stores pictures as they are, in a folder per class", async () => {
  await inTemporaryFolder(async (folder) => {
    const app = await appWith(folder);
    const picture = { width: 3, height: 2, data: Uint8Array.from({ length: 24 }, (_, i) => 10 * i) };
    const bodies = { png: await png(1), jpg: await encodeJpeg(picture), webp: await encodeWebp(picture) };
    for (const [i, [extension, body]] of Object.entries(bodies).entries()) {
      const type = extension === "jpg" ? "image/jpeg" : `image/${extension}`;
      const response = await send(app, body, { type, query: `?label=${encodeURIComponent(LABELS[i]!)}` });
      const { label, file } = await response.json();
      assertEquals([response.status, label], [201, LABELS[i]]);
      assertEquals(file.split("/").slice(0, 2), ["columns", ["left", "middle", "_right_"][i]]);
      assertEquals(file.split(".").at(-1), extension);
      assertEquals(await Deno.readFile(`${folder}/${file}`), body);
    }
    assertEquals((await filesIn(folder)).length, 3);
  });
});

Deno.test("A picture with another label replaces the earlier one", async () => {
  await inTemporaryFolder(async (folder) => {
    const app = await appWith(folder);
    for (const label of ["left", "left", "middle"]) {
      assertEquals((await send(app, await png(1), { query: `?label=${label}` })).status, 201);
    }
    const [file, ...others] = await filesIn(folder);
    assertEquals([file!.split("/")[1], others], ["middle", []]);
  });
});

Deno.test("Models keep the same picture each by themselves", async () => {
  await inTemporaryFolder(async (folder) => {
    const limits = { feedbackMaxPictures: 9, feedbackMaxBytes: 1e6, feedbackMaxDays: 30 };
    const feedback = new Feedback({ store: await openFolder(folder), limits });
    const names = [await feedback.add(await png(1), "a/left"), await feedback.add(await png(1), "b/left")];
    assertEquals(await filesIn(folder), names);
  });
});

Deno.test("A picture that cannot be written leaves no file behind", async () => {
  await inTemporaryFolder(async (folder) => {
    const store = await openFolder(folder);
    await Deno.mkdir(`${folder}/m/left/taken.png`, { recursive: true });
    await assertRejects(() => store.write("m/left/taken.png", new Uint8Array(9)));
    assertEquals(await filesIn(folder), []);
  });
});

/** Runs a shell command that may mount, in namespaces of its own: a full disk for everybody. */
function mounting(command: string, ...args: string[]): Deno.Command {
  return new Deno.Command("unshare", { args: ["-Urm", "sh", "-ec", command, ...args], stderr: "piped" });
}

const mayMount = Deno.build.os === "linux" &&
  await mounting('mount -t tmpfs tmpfs "$0"', tmpdir()).output().then(({ success }) => success, () => false);

Deno.test({
  name: `A picture for which the disk has no space gets 507${mayMount ? "" : " (needs unshare, and mounts)"}`,
  ignore: !mayMount,
  fn: async () => {
    await inTemporaryFolder(async (folder) => {
      const program = `
        import { openFolder } from ${JSON.stringify(import.meta.resolve("../../serve/feedback/folder.ts"))};
        const store = await openFolder(Deno.args[0]);
        for (const size of [1e6, 100]) {
          console.log(await store.write("m/left/" + size, new Uint8Array(size)).catch(({ status }) => status));
        }
        for (const { name } of await store.list()) console.log(name);`;
      const { stdout, stderr } = await mounting(
        'mount -t tmpfs -o size=64k tmpfs "$0" && exec "$1" eval "$2" "$0"',
        folder,
        Deno.execPath(),
        program,
      ).output();
      assertEquals(
        new TextDecoder().decode(stdout),
        "507\nundefined\nm/left/100\n",
        new TextDecoder().decode(stderr),
      );
    });
  },
});

Deno.test("Feedback may name a request instead, and gets the image as the model got it", async () => {
  await inTemporaryFolder(async (folder) => {
    const app = await appWith(folder);
    const images = [[1, 2, 3, 4, 5, 6], "no base64!", [7, 8, 9, 10, 11, 255]];
    const response = await app.request("/v1/classify", {
      method: "POST",
      headers: {
        "content-type": "application/json",
        authorization: `Bearer ${KEY}`,
        "x-request-id": "request-1",
      },
      body: JSON.stringify({ images }),
    });
    assertEquals(response.status, 200);
    const request = { request_id: "request-1", label: "middle" };
    for (const [index, wanted] of [[0, images[0]], [2, images[2]]] as const) {
      const answer = await send(app, ...json({ ...request, index }));
      const { file } = await answer.json();
      const { data } = await decodePicture(await Deno.readFile(`${folder}/${file}`), { maxPixels: 100 });
      assertEquals([...data].filter((_, i) => data.length === 6 || i % 4 === 0), wanted);
    }
    for (
      const wrong of [{ ...request, index: 1 }, { ...request, index: 3 }, { ...request, request_id: "other" }]
    ) {
      await assertProblem(await send(app, ...json(wrong)), 404, "send the picture instead");
    }
  });
});

Deno.test("Feedback may name the model, and is for no other", async () => {
  await inTemporaryFolder(async (folder) => {
    const app = await appWith(folder);
    const headers = { "content-type": "image/png", authorization: `Bearer ${KEY}` };
    const ask = async (model: string): Promise<Response> =>
      await app.request(`/v1/models/${model}/feedback?label=left`, {
        method: "POST",
        headers,
        body: await png(1),
      });
    const response = await ask("columns");
    assertEquals([response.status, (await response.json()).file.split("/")[0]], [201, "columns"]);
    await assertProblem(await ask("other"), 404, 'Unknown model "other"');
  });
});

Deno.test("POST /v1/feedback refuses what it cannot use, and stores none of it", async () => {
  await inTemporaryFolder(async (folder) => {
    const app = await appWith(folder);
    const picture = await png(1);
    await assertProblem(await send(app, picture, { key: "" }), 401, "An API key is required");
    await assertProblem(await send(app, picture, { query: "" }), 400, "the parameter label is missing");
    await assertProblem(
      await send(app, picture, { query: "?label=up" }),
      400,
      'label of the model: current value is "up"',
    );
    await assertProblem(await send(app, picture, { query: "?label=../left" }), 400, "label of the model");
    await assertProblem(await send(app, picture.slice(0, -20)), 400, "Cannot decode the PNG");
    await assertProblem(await send(app, new Uint8Array(9)), 400, "PNG signature");
    const flat = await encodePng({ channels: 1, height: 2, width: 3, data: new Uint8Array(6) });
    await assertProblem(await send(app, flat), 422, "something in it must stand out");
    await assertProblem(
      await send(app, picture, { type: "image/gif" }),
      415,
      "the content-type must be one of",
    );
    await assertProblem(await send(app, ...json({ label: "left" })), 400, '"request_id" is missing');
    const unknown = { request_id: "a", label: "left", colour: 1 };
    await assertProblem(await send(app, ...json(unknown)), 400, '"colour" is unknown');
    await assertProblem(await send(app, "{", { type: "application/json" }), 400, "malformed");
    assertEquals(await filesIn(folder), []);
  });
});

Deno.test("Feedback is off unless a store is named, and a store needs keys", async () => {
  const app = await appWith("");
  await assertProblem(await send(app, await png(1)), 404, "does not take feedback");
  const headers = { authorization: `Bearer ${KEY}` };
  assertEquals((await (await app.request("/v1/model", { headers })).json()).feedback, false);
  await inTemporaryFolder(async (folder) => {
    const on = await appWith(folder);
    assertEquals((await (await on.request("/v1/model", { headers })).json()).feedback, true);
  });
  assertThrows(
    () => readConfig({ FEEDBACK_STORE: "feedback" }),
    InputError,
    "feedback needs keys: set API_KEYS",
  );
  await inTemporaryFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    await assertRejects(
      () => openFolder(`${folder}/file`),
      InputError,
      "must be a folder that can be written",
    );
  });
});

Deno.test("Feedback bounds the number, the size and the age of pictures, and leaves other files alone", async () => {
  await inTemporaryFolder(async (folder) => {
    await Deno.mkdir(`${folder}/model/left`, { recursive: true });
    await Deno.writeTextFile(`${folder}/model/left/mine.png`, "mine");
    await Deno.writeTextFile(`${folder}/notes.txt`, "mine");
    const store = await openFolder(folder);
    const picture = async (seed: number): Promise<Uint8Array<ArrayBuffer>> => await png(seed);
    const [{ length }] = [await picture(0)];
    const days = (n: number): number => Date.now() + n * 24 * 60 * 60 * 1000;
    const make = (maxPictures: number, maxBytes: number, now = Date.now): Feedback =>
      new Feedback({
        store,
        limits: { feedbackMaxPictures: maxPictures, feedbackMaxBytes: maxBytes, feedbackMaxDays: 30 },
        now,
      });
    const few = make(2, 1e6);
    await few.add(await picture(0), "model/left");
    await few.add(await picture(1), "model/left");
    await few.add(await picture(1), "model/left");
    const error = await assertRejects(
      async () => await few.add(await picture(2), "model/left"),
      Problem,
      "room for 2 pictures",
    );
    assertEquals(error.status, 507);
    await assertRejects(
      async () => await make(9, 2 * length).add(await picture(2), "model/left"),
      Problem,
      "bytes together",
    );
    // A month later there is room again.
    await make(2, 2 * length, () => days(29)).deleteOld();
    assertEquals((await filesIn(folder)).length, 4);
    await make(2, 2 * length, () => days(31)).add(await picture(2), "model/left");
    const files = await filesIn(folder);
    assertEquals(files.length, 3);
    assert(files.includes("model/left/mine.png") && files.includes("notes.txt"), files.join());
  });
});

Deno.test("Feedback that arrives at the same time does not exceed the limits", async () => {
  await inTemporaryFolder(async (folder) => {
    const app = await appWith(folder, { FEEDBACK_MAX_PICTURES: "3" });
    const statuses = await Promise.all(
      Array.from({ length: 8 }, async (_, i) => (await send(app, await png(i))).status),
    );
    assertEquals(statuses.toSorted(), [201, 201, 201, 507, 507, 507, 507, 507]);
    assertEquals((await filesIn(folder)).length, 3);
  });
});

Deno.test("folderOf() makes names that file systems take, different for each label", () => {
  const cases: [string, string][] = [
    ["Ankle boot", "Ankle boot"],
    ["T-shirt/top", "T-shirt_top"],
    ["брюки", "брюки"],
    ["..", "__"],
    [".hidden", "_hidden"],
    ["end. ", "end__"],
    ['a\\b:c*"<>|?\n', "a_b_c_______"],
    ["é".repeat(100), "é".repeat(60)],
  ];
  for (const [label, folder] of cases) assertEquals(folderOf("m", label, [label]), `m/${folder}`);
  const labels = ["a/b", "a_b", "A:B", "c"];
  const folders = ["x_y/a_b-0", "x_y/a_b-1", "x_y/A_B-2", "x_y/c"];
  assertEquals(labels.map((label) => folderOf("x/y", label, labels)), folders);
});

Deno.test("RecentImages forgets the oldest images by time and by size", () => {
  let now = 0;
  const recent = new RecentImages(() => now);
  const image = (value: number, length = 2): Float32Array => new Float32Array(length).fill(value / 255);
  recent.add("a", image(7));
  assertEquals(recent.get("a", 0, 2), Uint8Array.of(7, 7));
  recent.add("a", image(8));
  assertEquals(recent.get("a", 0, 2), Uint8Array.of(8, 8), "the newest of an id");
  now = 10 * 60 * 1000 + 1;
  assertEquals(recent.get("a", 0, 2), undefined);
  const mib = 1024 * 1024;
  for (let i = 0; i < 5; i++) recent.add(`${i}`, image(i, 4 * mib));
  assertEquals([0, 1, 4].map((i) => recent.get(`${i}`, 0, 4 * mib)?.[0]), [undefined, 1, 4]);
  recent.add("huge", image(1, 17 * mib));
  assertEquals(recent.get("huge", 0, 17 * mib), undefined);
});
