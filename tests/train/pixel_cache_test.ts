import { assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { type DatasetOptions } from "../../train/dataset/mod.ts";
import { loadFolder } from "../../train/dataset/folder.ts";
import { PixelCache } from "../../train/dataset/pixel_cache.ts";
import { inFolder, square, squares, write } from "../helpers/picture_folder.ts";

Deno.test("decoded pictures are kept by content, and a damaged cache is made again", async () => {
  await inFolder(squares(["a", "b"], 6), async (folder) => {
    await inFolder({}, async (cache) => {
      const notes: string[] = [];
      const read = async (): Promise<string> =>
        (await loadFolder(folder, "mine", { onNote: (line) => notes.push(line) }, cache)).sha256;
      const first = await read();
      const [{ name }] = await Array.fromAsync(Deno.readDir(cache)) as [Deno.DirEntry];
      const file = join(cache, name);
      const kept = await Deno.readFile(file);

      // Other pixels with their own digest would be believed: so this is where they come from.
      const shape = { channels: 1 as const, height: 28, width: 28 };
      const root = await Deno.realPath(folder);
      const opened = await PixelCache.open(root, shape, cache);
      assertEquals(opened.damaged, false);
      for (const place of [0, 9, 20, kept.length >> 1, kept.length - 1]) {
        const damaged = kept.slice();
        damaged[place]! ^= 1;
        await Deno.writeFile(file, damaged);
        assertEquals((await PixelCache.open(root, shape, cache)).damaged, true, `byte ${place}`);
      }
      await Deno.writeFile(file, kept.subarray(0, 100));
      assertEquals(await read(), first);
      assertEquals(notes, ["NOTE: the cache of decoded images is damaged; they are decoded again"]);
      assertEquals(await Deno.readFile(file), kept, "it is whole again");

      // A changed file is another file.
      await write(folder, { "a/0.png": square(4711) });
      assertNotEquals(await read(), first);
      assertNotEquals(await Deno.readFile(file), kept);
      assertEquals((await Array.fromAsync(Deno.readDir(cache))).length, 1);
    });
  });
});

Deno.test("the cache stays within its bound, and the least recently used go first", async () => {
  await inFolder({}, async (cache) => {
    const shape = { channels: 1 as const, height: 10, width: 10 };
    const pictures = new Map([["ab".repeat(32), new Uint8Array(100).fill(7)]]);
    for (const [age, folder] of ["/old", "/middle", "/new"].entries()) {
      if (folder === "/new") await PixelCache.open("/old", shape, cache);
      const opened = await PixelCache.open(folder, shape, cache);
      await opened.save(pictures, 400);
      const before = new Date(Date.now() - (3 - age) * 60_000);
      for await (const { name } of Deno.readDir(cache)) {
        const path = join(cache, name);
        if ((await Deno.stat(path)).mtime!.getTime() > Date.now() - 30_000) {
          await Deno.utime(path, before, before);
        }
      }
    }
    const kept = async (folder: string): Promise<Uint8Array | undefined> =>
      (await PixelCache.open(folder, shape, cache)).get("ab".repeat(32));
    // Each takes 180 bytes.
    assertEquals([(await kept("/old"))?.[0], await kept("/middle"), (await kept("/new"))?.[99]], [
      7,
      undefined,
      7,
    ]);
    for await (const { name } of Deno.readDir(cache)) {
      await Deno.utime(join(cache, name), new Date(0), new Date(0));
    }
    const large = new Map(Array.from({ length: 9 }, (_, i) => [`${i}`.repeat(64), new Uint8Array(100)]));
    await (await PixelCache.open("/large", shape, cache)).save(large, 400);
    assertEquals((await Array.fromAsync(Deno.readDir(cache))).length, 2, "what is too large is not kept");
  });
});

Deno.test("a cache that cannot be written is reported, and the run continues", async () => {
  await inFolder({ ...squares(["a", "b"], 5), "taken": "a file" }, async (folder) => {
    const notes: string[] = [];
    const options: DatasetOptions = { onNote: (line) => notes.push(line) };
    const { train } = await loadFolder(folder, "mine", options, join(folder, "taken/cache"));
    assertEquals(train.count, 8);
    assertStringIncludes(notes.join(), "NOTE: cannot cache the decoded images for the next run");
  });
});
