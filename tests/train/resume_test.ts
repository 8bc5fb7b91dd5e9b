import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { Random } from "../../shared/random.ts";
import {
  checkpointIn,
  readCheckpoint,
  removeCheckpoint,
  type RunIdentity,
  writeCheckpoint,
} from "../../train/artifact/checkpoint.ts";
import type { TrainingState } from "../../train/learning/events.ts";
import { RECIPES } from "../../train/learning/recipe.ts";
import { runTask, startTask } from "../helpers/command.ts";
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

Deno.test("a checkpoint is read as it was written, to the bit", async () => {
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

Deno.test("a checkpoint that was read can be written again", async () => {
  await inTemporaryFolder(async (folder) => {
    await writeCheckpoint(folder, identity, state);
    const resumed = (await readCheckpoint(folder, identity))!;
    await writeCheckpoint(folder, identity, resumed);
    assertEquals(await readCheckpoint(folder, identity), state);
  });
});

Deno.test("a checkpoint of another run is refused, and stays", async (t) => {
  const others: [string, RunIdentity][] = [
    ['dataset must be what the run began with, "two images": current value is "three"', {
      ...identity,
      dataset: "three",
    }],
    ["hidden must be what the run began with, [512,512]: current value is [64]", {
      ...identity,
      recipe: { ...identity.recipe, hidden: [64] },
    }],
    ["epochs must be what the run began with, 3: current value is 4", {
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
        const error = await assertRejects(() => readCheckpoint(folder, other), Error, message);
        assertStringIncludes(error.message, "--restart");
      });
    }
    assertEquals(await readCheckpoint(folder, identity), state);
  });
});

Deno.test("a checkpoint that is not whole is refused wherever it was cut or changed", async () => {
  await inTemporaryFolder(async (folder) => {
    await writeCheckpoint(folder, identity, state);
    const file = checkpointIn(folder);
    const whole = await Deno.readFile(file);
    for (let length = 0; length < whole.length; length += 13) {
      await Deno.writeFile(file, whole.subarray(0, length));
      const error = await assertRejects(() => readCheckpoint(folder, identity), Error, "Cannot resume from");
      assertStringIncludes(error.message, "--restart");
    }
    const changed = whole.slice();
    changed[whole.length - 1]! ^= 1;
    await Deno.writeFile(file, changed);
    await assertRejects(() => readCheckpoint(folder, identity), Error, "it was cut off or changed");
    // A header length of 2⁶³, and a file of another program.
    changed.fill(255, 0, 8);
    await Deno.writeFile(file, changed);
    await assertRejects(() => readCheckpoint(folder, identity), Error, "must fit into it");
    await Deno.writeTextFile(file, "dear diary, today I");
    await assertRejects(() => readCheckpoint(folder, identity), Error, "must fit into it");
  });
});

Deno.test("a full disk leaves the checkpoint before", async () => {
  await inTemporaryFolder(async (folder) => {
    await writeCheckpoint(folder, identity, state);
    // What is written here meets a device that is always full.
    await Deno.symlink("/dev/full", `${checkpointIn(folder)}.partial`);
    await assertRejects(
      () => writeCheckpoint(folder, identity, { ...state, steps: 8 }),
      Error,
      "No space left on device",
    );
    assertEquals((await readCheckpoint(folder, identity))!.steps, 7);
  });
});

Deno.test("a run that cannot write its model keeps the checkpoint, and goes on when it can", async () => {
  await inTemporaryFolder(async (out) => {
    const args = [...RUN, "--out", out];
    const folder = `${out}/silhouettes`;
    // A folder where the file should be.
    await Deno.mkdir(`${folder}/model.onnx.partial/x`, { recursive: true });
    const refused = await runTask("train", args);
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.stderr, `Cannot write the model to "${folder}"`);
    await Deno.remove(`${folder}/model.onnx.partial`, { recursive: true });
    const again = await runTask("train", [...args, "--resume"]);
    assertEquals(again.code, 0, again.stderr);
    assertStringIncludes(again.stderr, "Going on after epoch 6");
  });
});

/** Everything on that has a state or a generator. */
const RUN = [
  ...["--dataset", "silhouettes", "--backend", "wasm", "--hidden", "24", "--epochs", "6"],
  ...[
    "--batch-size",
    "200",
    "--dropout",
    "0.2",
    "--shift",
    "1",
    "--mixup",
    "0.4",
    "--ema",
    "0.99",
    "--seed",
    "5",
  ],
];

for (const optimizer of ["adamw", "momentum"]) {
  Deno.test(`a run killed at random moments ends with the same bytes when resumed (${optimizer})`, async () => {
    await inTemporaryFolder(async (out) => {
      const args = [...RUN, "--optimizer", optimizer, "--gemm", optimizer === "adamw" ? "auto" : "tfjs"];
      const model = (folder: string): Promise<Uint8Array> =>
        Deno.readFile(`${folder}/silhouettes/model.onnx`);
      const whole = await runTask("train", [...args, "--out", `${out}/whole`]);
      assertEquals(whole.code, 0, whole.stderr);

      const folder = `${out}/killed`;
      const random = new Random(Date.now());
      let kills = 0, resumed = 0, finished = false;
      while (!finished) {
        const child = startTask("train", [...args, "--resume", "--out", folder]);
        let stderr = "";
        const reading = (async () => {
          for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) stderr += text;
        })();
        // Killed as a whole family: the task's shell would leave the trainer alive.
        const timer = kills < 4
          ? setTimeout(() => killFamily(child.pid), random.uniform(300, 4000))
          : undefined;
        const [{ success }] = await Promise.all([child.status, reading, child.stdout.cancel()]);
        clearTimeout(timer);
        if (/Going on after epoch/.test(stderr)) resumed++;
        finished = success;
        if (!finished) {
          assert(timer !== undefined, stderr);
          kills++;
        }
      }
      // deno-lint-ignore no-console
      console.log(`killed ${kills} times, resumed ${resumed} times`);
      assertEquals(await model(folder), await model(`${out}/whole`));
      const left = (await Array.fromAsync(Deno.readDir(`${folder}/silhouettes`))).map(({ name }) => name);
      assert(!left.includes("checkpoint.safetensors"), "no checkpoint is left when the model is there");
    });
  });
}

Deno.test("deno task train does not begin again where an interrupted run is, unless told to", async () => {
  await inTemporaryFolder(async (out) => {
    const args = [...RUN, "--out", out];
    const child = startTask("train", args);
    const lines = child.stderr.pipeThrough(new TextDecoderStream());
    let stderr = "";
    for await (const text of lines) {
      stderr += text;
      if (/epoch 2\/6/.test(stderr)) {
        child.kill("SIGINT");
        break;
      }
    }
    await child.stdout.cancel();
    assertEquals((await child.status).code, 130);
    const checkpoint = await Deno.readFile(checkpointIn(`${out}/silhouettes`));

    const again = await runTask("train", args);
    assertEquals(again.code, 1);
    assertStringIncludes(again.stderr, "Go on with it by --resume, or throw it away by --restart");
    const other = await runTask("train", [...args, "--resume", "--dropout", "0.3"]);
    assertEquals(other.code, 1);
    assertStringIncludes(other.stderr, "dropout must be what the run began with, 0.2: current value is 0.3");
    assertEquals(await Deno.readFile(checkpointIn(`${out}/silhouettes`)), checkpoint);

    const restarted = await runTask("train", [...args, "--restart", "--epochs", "1"]);
    assertEquals(restarted.code, 0, restarted.stderr);
    assertMatch(restarted.stderr, /^epoch 1\/1 /m);
  });
});

/** Ends a process and those that it started. */
function killFamily(pid: number): void {
  const children = new Deno.Command("pgrep", { args: ["-P", String(pid)] }).outputSync();
  for (const line of new TextDecoder().decode(children.stdout).trim().split("\n")) {
    if (line) killFamily(Number(line));
  }
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
