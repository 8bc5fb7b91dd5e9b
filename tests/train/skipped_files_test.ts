import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { MAX_FILE_BYTES } from "../../train/dataset/limits.ts";
import { headerOf, pngFile } from "../helpers/png_encoder.ts";
import { assertRefused, inFolder, load, square, squares } from "../helpers/picture_folder.ts";

Deno.test("files that systems leave behind are not looked at", async () => {
  const litter = {
    ".DS_Store": "x",
    "a/Thumbs.db": "x",
    "a/.hidden.png": "x",
    "__MACOSX/a/._0.png": "x",
    "README.md": "hello",
  };
  await inFolder({ ...squares(["a", "b"], 5), ...litter }, async (folder) => {
    assertEquals((await load(folder)).notes, []);
  });
});

Deno.test("files that cannot be read are listed and skipped", async () => {
  const good = square(5);
  const lying = pngFile(
    ["IHDR", headerOf({ width: 28, height: 28, depth: 8, colour: 0, interlaced: false })],
    ["IDAT", deflateSync(new Uint8Array(4_000_000))],
    ["IEND", new Uint8Array()],
  );
  const huge = pngFile(
    ["IHDR", headerOf({ width: 60_000, height: 60_000, depth: 8, colour: 0, interlaced: false })],
    ["IEND", new Uint8Array()],
  );
  const files = {
    ...squares(["a", "b"], 40),
    "a/notes.txt": "not a picture",
    "a/empty.png": "",
    "b/cut.png": good.subarray(0, 60),
    "b/lies.png": lying,
    "b/huge.png": huge,
    "stray.png": good,
  };
  await inFolder(files, async (folder) => {
    await Deno.truncate(join(folder, "a/0.png"), MAX_FILE_BYTES + 1);
    const { dataset, notes } = await load(folder);
    assertEquals(dataset.train.count + dataset.test.count, 79);
    assertStringIncludes(notes.shift()!, `"a/0.png": it must have at most ${MAX_FILE_BYTES} bytes`);
    assertEquals(notes.map((note) => note.split(":")[0]), [
      'Skipped "a/empty.png"',
      'Skipped "a/notes.txt"',
      'Skipped "b/cut.png"',
      'Skipped "b/huge.png"',
      'Skipped "b/lies.png"',
      'Skipped "stray.png"',
    ]);
    assertStringIncludes(notes[1]!, "it must be a PNG, JPEG or WebP file");
    assertStringIncludes(notes[3]!, "must have at most 64000000 pixels: current size is 60000x60000");
    assertStringIncludes(notes[4]!, "its data does not end after 812 bytes");
    assertStringIncludes(notes[5]!, "it is not in a class folder");
  });
});

Deno.test("too many unreadable files stop the run", async () => {
  const bad = Object.fromEntries(Array.from({ length: 3 }, (_, i) => [`a/bad${i}.png`, `no ${i}`]));
  await assertRefused(
    { ...squares(["a", "b"], 10), ...bad },
    "at most 2 of its 23 files may be unreadable: there are 3 or more",
    "Repair or remove them",
    "a/bad0.png: Cannot decode the image",
  );
});

Deno.test("links out of the folder are not followed, but listed", async () => {
  await inFolder({ "secret.png": square(77), "more/0.png": square(78) }, async (outside) => {
    await inFolder(squares(["a", "b"], 20), async (folder) => {
      await new Deno.Command("mkfifo", { args: [join(folder, "b/pipe")] }).output();
      await Deno.symlink(join(outside, "secret.png"), join(folder, "a/out.png"));
      await Deno.symlink(join(outside, "more"), join(folder, "c"));
      await Deno.symlink(join(folder, "b/0.png"), join(folder, "a/within.png"));
      await Deno.symlink(folder, join(folder, "b/round"));
      const { dataset, notes } = await load(folder);
      assertEquals(dataset.labels, ["a", "b"]);
      assertEquals(dataset.train.count + dataset.test.count, 41);
      assertEquals(notes.filter((note) => note.startsWith("Skipped")), [
        'Skipped "a/out.png": it is a link out of the folder',
        'Skipped "b/pipe": it is neither a file nor a folder',
        'Skipped "b/round": it is a link to a folder',
        'Skipped "c": it is a link out of the folder',
      ]);
    });
  });
});

/** Root may read everything, unless it gives that up. */
const WITHOUT_PRIVILEGE = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"];

async function canBeHumble(): Promise<boolean> {
  if (Deno.uid() !== 0) return true;
  const [program, ...args] = WITHOUT_PRIVILEGE;
  return await new Deno.Command(program!, { args: [...args, "true"] }).output()
    .then(({ success }) => success, () => false);
}

/** What loading a folder notes or throws for someone who may not read everything. */
async function loadHumbly(folder: string): Promise<string> {
  const module = new URL("../../train/dataset/folder.ts", import.meta.url).href;
  const script = `import { loadFolder } from ${JSON.stringify(module)};
    await loadFolder(${JSON.stringify(folder)}, "mine", { onNote: (line) => console.log(line) }, "/nowhere")
      .catch((error) => console.log(error.message));`;
  const config = join(import.meta.dirname!, "../../deno.json");
  const [program, ...args] = [
    ...(Deno.uid() === 0 ? WITHOUT_PRIVILEGE : []),
    ...[Deno.execPath(), "run", "--allow-all", "--config", config, "-"],
  ];
  const child = new Deno.Command(program!, { args, stdin: "piped", stdout: "piped", stderr: "piped" })
    .spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(script));
  await writer.close();
  const { stdout, stderr } = await child.output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

const canDropPrivileges = await canBeHumble();

Deno.test({
  name: "an unreadable file is skipped, and an unreadable folder refused" +
    (canDropPrivileges ? "" : " (not run: root can read everything, and setpriv is missing)"),
  ignore: !canDropPrivileges,
  fn: async () => {
    await inFolder(squares(["a", "b"], 10), async (folder) => {
      await Deno.chmod(join(folder, "a/3.png"), 0);
      const output = await loadHumbly(folder);
      assertStringIncludes(
        output,
        'Skipped "a/3.png": it is not readable: permission denied',
      );
      await Deno.chmod(join(folder, "b"), 0);
      assertStringIncludes(
        await loadHumbly(folder),
        '"b" is not readable: permission denied',
      );
      await Deno.chmod(join(folder, "b"), 0o755);
    });
  },
});
