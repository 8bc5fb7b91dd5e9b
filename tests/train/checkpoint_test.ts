import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { InputError } from "../../shared/errors.ts";
import {
  checkpointIn,
  checkpointWriter,
  readCheckpoint,
  removeCheckpoint,
  type RunIdentity,
  writeCheckpoint,
} from "../../train/artifact/checkpoint.ts";
import type { TrainingState } from "../../train/learning/events.ts";
import { RECIPES } from "../../train/learning/recipe.ts";
import { replaceFile } from "../../train/files/replace_file.ts";
import { inTemporaryFolder } from "../helpers/temporary_folder.ts";

const identity: RunIdentity = {
  dataset: "two images",
  data: "abc",
  recipe: { ...RECIPES.default, epochs: 3 },
  seed: 1,
  backend: "cpu",
  version: "0",
};
const state: TrainingState = {
  epochs: [{
    epoch: 1,
    trainLoss: 0.1,
    learningRate: 1e-3,
    imagesPerSecond: 5,
    validation: { accuracy: 1, loss: 0 },
  }],
  bestEpoch: 1,
  steps: 7,
  seconds: 1.5,
  numbers: new Map([["a", new Float32Array([1, -0, 1e-45])], ["memory/a/0", new Float32Array([0.1])]]),
};

Deno.test("readCheckpoint() returns what writeCheckpoint() has written, to the bit", async () => {
  await inTemporaryFolder(async (folder) => {
    assertEquals(await readCheckpoint(folder, identity), undefined);
    await writeCheckpoint(folder, identity, state);
    assertEquals(await readCheckpoint(folder, identity), state);
    assertEquals(Object.is((await readCheckpoint(folder, identity))!.numbers.get("a")![1], -0), true);
    await removeCheckpoint(folder);
    await removeCheckpoint(folder);
    assertEquals(await readCheckpoint(folder, identity), undefined);
  });
});

Deno.test("writeCheckpoint() can write a checkpoint that was read", async () => {
  await inTemporaryFolder(async (folder) => {
    await writeCheckpoint(folder, identity, state);
    const resumed = (await readCheckpoint(folder, identity))!;
    await writeCheckpoint(folder, identity, resumed);
    assertEquals(await readCheckpoint(folder, identity), state);
  });
});

Deno.test("checkpointWriter() writes the first epoch, and later ones after the interval or on flush()", async () => {
  await inTemporaryFolder(async (folder) => {
    const steps = async (): Promise<number | undefined> => (await readCheckpoint(folder, identity))?.steps;
    const rare = checkpointWriter(folder, identity, Infinity);
    await rare.onCheckpoint!(state);
    assertEquals(await steps(), 7);
    await rare.onCheckpoint!({ ...state, steps: 14 });
    assertEquals(await steps(), 7);
    await rare.flush();
    assertEquals(await steps(), 14);
    await removeCheckpoint(folder);
    await rare.flush();
    assertEquals(await steps(), undefined);

    const frequent = checkpointWriter(folder, identity, 0);
    for (const epoch of [1, 2]) {
      await frequent.onCheckpoint!({ ...state, steps: epoch });
      assertEquals(await steps(), epoch);
    }
  });
});

Deno.test("readCheckpoint() refuses a checkpoint of another run and leaves it unchanged", async (t) => {
  const others: [string, RunIdentity][] = [
    ['dataset must be that of the interrupted run, "two images": current value is "three"', {
      ...identity,
      dataset: "three",
    }],
    ["hidden must be that of the interrupted run, [512,512]: current value is [64]", {
      ...identity,
      recipe: { ...identity.recipe, hidden: [64] },
    }],
    ["epochs must be that of the interrupted run, 3: current value is 4", {
      ...identity,
      recipe: { ...identity.recipe, epochs: 4 },
    }],
    ["seed must be", { ...identity, seed: 2 }],
    ["backend must be", { ...identity, backend: "webgpu" }],
    ["version must be", { ...identity, version: "9" }],
    ["data must be", { ...identity, data: "abd" }],
  ];
  await inTemporaryFolder(async (folder) => {
    await writeCheckpoint(folder, identity, state);
    for (const [message, other] of others) {
      await t.step(message, async () => {
        const error = await assertRejects(() => readCheckpoint(folder, other), InputError, message);
        assertStringIncludes(error.hint!, "--restart");
      });
    }
    assertEquals(await readCheckpoint(folder, identity), state);
  });
});

Deno.test("readCheckpoint() refuses a truncated or modified file", async () => {
  await inTemporaryFolder(async (folder) => {
    await writeCheckpoint(folder, identity, state);
    const file = checkpointIn(folder);
    const whole = await Deno.readFile(file);
    for (let length = 0; length < whole.length; length += 13) {
      await Deno.writeFile(file, whole.subarray(0, length));
      const error = await assertRejects(
        () => readCheckpoint(folder, identity),
        InputError,
        "Cannot resume from",
      );
      assertStringIncludes(error.hint!, "--restart");
    }
    const changed = whole.slice();
    changed[whole.length - 1]! ^= 1;
    await Deno.writeFile(file, changed);
    await assertRejects(
      () => readCheckpoint(folder, identity),
      InputError,
      "the file is truncated or modified",
    );
    // The header has the number of steps.
    const header = new TextDecoder("latin1").decode(whole);
    const steps = header.indexOf('\\"steps\\":7');
    const modified = whole.slice();
    modified[steps + 10] = "8".charCodeAt(0);
    await Deno.writeFile(file, modified);
    await assertRejects(
      () => readCheckpoint(folder, identity),
      InputError,
      "the file is truncated or modified",
    );
    // A header length of 2⁶³, and a file of another program.
    changed.fill(255, 0, 8);
    await Deno.writeFile(file, changed);
    await assertRejects(() => readCheckpoint(folder, identity), InputError, "must be within the file");
    await Deno.writeTextFile(file, "this is another file");
    await assertRejects(() => readCheckpoint(folder, identity), InputError, "must be within the file");
  });
});

Deno.test("writeCheckpoint() leaves the existing checkpoint unchanged if the disk is full", async () => {
  await inTemporaryFolder(async (folder) => {
    await writeCheckpoint(folder, identity, state);
    const before = await Deno.readFile(checkpointIn(folder));
    // A limit on the size of files fails in the middle of a write, as a full disk does.
    const program = new URL("../helpers/write_checkpoint.ts", import.meta.url);
    const { code, stderr } = await new Deno.Command("bash", {
      args: [
        "-c",
        'trap "" XFSZ; ulimit -f 16; exec "$0" run -A "$1" "$2"',
        Deno.execPath(),
        program.href,
        folder,
      ],
    }).output();
    assertStringIncludes(new TextDecoder().decode(stderr), "File too large");
    assertEquals(code, 1);
    assertEquals(await Deno.readFile(checkpointIn(folder)), before);
    assertEquals((await Array.fromAsync(Deno.readDir(folder))).length, 1, "no temporary file is left");
  });
});

Deno.test("removeCheckpoint() removes the temporary files of killed processes, and nothing else", async () => {
  await inTemporaryFolder(async (folder) => {
    await writeCheckpoint(folder, identity, state);
    await Deno.writeTextFile(`${checkpointIn(folder)}.${crypto.randomUUID()}.partial`, "");
    await Deno.writeTextFile(`${folder}/notes.partial`, "");
    await removeCheckpoint(folder);
    assertEquals((await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name), ["notes.partial"]);
  });
});

Deno.test("replaceFile() lets two writers of a file finish, and the file is that of one of them", async () => {
  await inTemporaryFolder(async (folder) => {
    const contents = Array.from({ length: 8 }, (_, i) => new Uint8Array(1 << 20).fill(i));
    await Promise.all(contents.map((bytes) => replaceFile(`${folder}/file`, bytes)));
    const written = await Deno.readFile(`${folder}/file`);
    assertEquals(written, contents[written[0]!]);
    assertEquals((await Array.fromAsync(Deno.readDir(folder))).length, 1);
  });
});

Deno.test("replaceFile() keeps the file that verify() refuses to replace", async () => {
  await inTemporaryFolder(async (folder) => {
    const file = `${folder}/file`;
    await replaceFile(file, new Uint8Array([1]));
    const refuse = (): void => {
      throw new TypeError("refused");
    };
    await assertRejects(() => replaceFile(file, new Uint8Array([2]), refuse), TypeError, "refused");
    assertEquals(await Deno.readFile(file), new Uint8Array([1]));
    assertEquals((await Array.fromAsync(Deno.readDir(folder))).length, 1);
  });
});

Deno.test("replaceFile() creates the folder", async () => {
  await inTemporaryFolder(async (folder) => {
    await replaceFile(`${folder}/a/b/file`, new Uint8Array([1]));
    assertEquals(await Deno.readFile(`${folder}/a/b/file`), new Uint8Array([1]));
  });
});

Deno.test("replaceFile() reports a path that is not writable", async () => {
  await inTemporaryFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    await assertRejects(
      () => replaceFile(`${folder}/file/under`, new Uint8Array()),
      InputError,
      `Cannot write "${folder}/file/under"`,
    );
  });
});
