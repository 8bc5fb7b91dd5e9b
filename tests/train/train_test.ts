import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { sha256 } from "../../shared/sha256.ts";
import { readOnnx } from "../../shared/onnx/read.ts";
import { useBackend } from "../../train/backend/mod.ts";
import { loadDataset } from "../../train/dataset/mod.ts";
import { fit } from "../../train/learning/fit.ts";
import { Mlp, mlpSizes } from "../../train/learning/mlp.ts";
import { RECIPES } from "../../train/learning/recipe.ts";
import { readMetrics } from "../../train/artifact/metrics.ts";
import { score } from "../../train/learning/validation.ts";
import { FASHION_MNIST, isCached, runOffline, runTask, startTask, WITHOUT_DATA } from "../helpers/command.ts";
import { inTemporaryFolder } from "../helpers/temporary_folder.ts";

/** What a run leaves in its folder. */
const WRITTEN = [
  ...["MODEL_CARD.md", "confusion_matrix.svg", "examples.json", "familiarity.svg", "first_weights.svg"],
  ...["learning_curves.svg", "metrics.json", "mistakes.svg", "model.onnx", "reliability.svg"],
];

const SMALL = ["--dataset", "silhouettes", "--backend", "wasm", "--hidden", "32", "--epochs", "1"];

const cached = await isCached();

async function filesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
}

Deno.test("deno task train learns the silhouettes", async () => {
  await inTemporaryFolder(async (out) => {
    const { code, stdout, stderr } = await runTask("train", [
      ...["--dataset", "silhouettes", "--epochs", "6", "--batch-size", "128", "--out", out, "--json"],
      ...["--tensorboard", `${out}/board`],
    ]);
    assertEquals(code, 0, stderr);
    assertStringIncludes(stderr, "silhouettes drawn by code", "the note about the data");
    const result = JSON.parse(stdout);
    // 10 % is chance, and a linear model stays below 75 %.
    assertGreater(result.test.accuracy, 0.8);
    assertEquals(await filesIn(`${out}/silhouettes`), WRITTEN);
    assertMatch((await filesIn(`${out}/board/silhouettes`)).join(), /^events\.out\.tfevents\.[\w.]+$/);
    const metrics = await readMetrics(`${out}/silhouettes`);
    assertEquals(metrics.test, result.test);
    assertEquals(metrics.epochs.length, 6);

    const file = `${out}/silhouettes/model.onnx`;
    const { temperature, validation } = metrics.calibration;
    const folded = readOnnx(await Deno.readFile(file)).initializers.find(({ name }) =>
      name === "temperature"
    );
    assertEquals(folded?.data ?? new Float32Array([1]), new Float32Array([temperature]));
    // The temperature is the best one for these images, and 1 is among those that it was better than.
    assertLessOrEqual(validation!.loss.after, validation!.loss.before);
    assertAlmostEquals(validation!.loss.before, metrics.validation!.loss, 1e-5);
    assertMatch(
      metrics.command!,
      /^deno task train --dataset silhouettes --epochs 6 --batch-size 128 --seed 0 /,
    );

    const evaluated = await runTask("evaluate", ["--model", file, "--json"]);
    assertEquals(evaluated.code, 0, evaluated.stderr);
    const { accuracy, loss } = JSON.parse(evaluated.stdout);
    assertEquals({ images: 2000, accuracy, loss }, result.test, "evaluate finds what train reported");
  });
});

Deno.test("a linear model does clearly worse on the silhouettes than one with hidden layers", async () => {
  const backend = await useBackend("wasm");
  const dataset = await loadDataset("silhouettes");
  const accuracy = async (hidden: number[]): Promise<number> => {
    const recipe = {
      ...RECIPES.quickstart,
      hidden,
      epochs: 6,
      optimizer: "adamw",
      learningRate: 1e-3,
    } as const;
    const model = new Mlp(mlpSizes(dataset, recipe), 0);
    await fit(model, dataset, { recipe, seed: 0, backend });
    const result = await score(model, dataset.test, dataset);
    model.dispose();
    return result.accuracy;
  };
  assertGreater(await accuracy([256]), await accuracy([]) + 0.05);
});

Deno.test("the same seed gives the same file, and another seed another", async () => {
  await inTemporaryFolder(async (out) => {
    const hashes: string[] = [];
    for (const seed of ["1", "1", "2"]) {
      const { code, stderr } = await runTask("train", [...SMALL, "--seed", seed, "--out", out]);
      assertEquals(code, 0, stderr);
      hashes.push(await sha256(await Deno.readFile(`${out}/silhouettes/model.onnx`)));
    }
    assertEquals(hashes[0], hashes[1]);
    assert(hashes[0] !== hashes[2]);
  });
});

Deno.test("Ctrl-C leaves the last good model as it was", async () => {
  await inTemporaryFolder(async (out) => {
    const file = `${out}/silhouettes/model.onnx`;
    assertEquals((await runTask("train", [...SMALL, "--out", out])).code, 0);
    const before = await Deno.readFile(file);

    const child = startTask("train", [...SMALL, "--epochs", "10000", "--out", out]);
    const seen = new TextDecoderStream();
    let stderr = "", interrupted = false;
    const reading = (async () => {
      for await (const text of child.stderr.pipeThrough(seen)) {
        stderr += text;
        if (!interrupted && /epoch +2\//.test(stderr)) {
          interrupted = true;
          child.kill("SIGINT");
        }
      }
    })();
    await child.stdout.cancel();
    const { code } = await child.status;
    await reading;
    assertEquals(code, 130, stderr);
    assertStringIncludes(stderr, "Interrupted; existing files are unchanged");
    assertEquals(await Deno.readFile(file), before);
    assertEquals(await filesIn(`${out}/silhouettes`), [...WRITTEN, "checkpoint.safetensors"].sort());
    assertMatch(stderr, /Checkpoint kept after \d+ of 10000 epochs; continue with --resume/);
  });
});

Deno.test("--dry-run goes through everything and keeps nothing", async () => {
  await inTemporaryFolder(async (out) => {
    const { code, stdout, stderr } = await runTask("train", [
      ...["--dataset", "silhouettes", "--dry-run", "--out", out],
    ]);
    assertEquals(code, 0, stderr);
    assertStringIncludes(stdout, "Dry run passed");
    assertEquals(await filesIn(out), []);
  });
});

Deno.test("deno task train does not replace a model of another data set", async () => {
  const shipped = new URL("../../shared/artifacts/fashion-mnist/model.onnx", import.meta.url);
  await inTemporaryFolder(async (out) => {
    const model = `${out}/fashion-mnist/model.onnx`;
    await Deno.mkdir(`${out}/fashion-mnist`);
    await Deno.copyFile(shipped, model);
    const { code, stderr } = await runTask("train", [...SMALL, "--name", "fashion-mnist", "--out", out]);
    assertEquals(code, 1);
    assertStringIncludes(
      stderr,
      "must be a model of silhouettes or absent: current file is a model of fashion-mnist",
    );
    assertEquals(await Deno.readFile(model), await Deno.readFile(shipped));
  });
});

Deno.test("deno task train does not replace a file that is not a model", async () => {
  await inTemporaryFolder(async (out) => {
    await Deno.mkdir(`${out}/silhouettes`);
    await Deno.writeTextFile(`${out}/silhouettes/model.onnx`, "other file");
    const { code, stderr } = await runTask("train", [...SMALL, "--out", out]);
    assertEquals(code, 1);
    assertStringIncludes(stderr, "current file is not a model of this program");
    assertEquals(await Deno.readTextFile(`${out}/silhouettes/model.onnx`), "other file");
  });
});

Deno.test("deno task train says where it cannot write", async () => {
  await inTemporaryFolder(async (out) => {
    // A file where the folder should be.
    await Deno.writeTextFile(`${out}/taken`, "");
    const { code, stderr } = await runTask("train", [...SMALL, "--out", `${out}/taken`]);
    assertEquals(code, 69);
    assertStringIncludes(stderr, `Cannot write the model to "${out}/taken/silhouettes"`);
    assertEquals(stderr.includes("    at "), false, "without a stack trace");
  });
});

Deno.test({
  name: "without data and network, train exits with 69 and lists the alternatives" +
    (cached ? ` (not run: Fashion-MNIST is in data/fashion-mnist)` : ""),
  ignore: cached,
  fn: async () => {
    const { code, stderr } = await runOffline("train/commands/train.ts", []);
    assertEquals(code, 69, stderr);
    for (const way of ["--data", "FASHION_MNIST_DIR", "--dataset silhouettes"]) {
      assertStringIncludes(stderr, way);
    }
    assertEquals(stderr.includes("    at "), false, "without a stack trace");
  },
});

Deno.test({
  name: "without data and network, quickstart uses silhouettes and reports it first and last" +
    (cached ? ` (not run: Fashion-MNIST is in data/fashion-mnist)` : ""),
  ignore: cached,
  fn: async () => {
    const { code, stdout, stderr } = await runOffline("train/commands/quickstart.ts", ["--backend", "wasm"]);
    assertEquals(code, 0, stderr);
    assertMatch(stdout, /^NOTE: Fashion-MNIST is unavailable/);
    assertEquals(stdout.match(/NOTE: Fashion-MNIST is unavailable/g)?.length, 2);
    assertMatch(stdout, /^Predicted: ".+", Actual: ".+"$/m);
    assertMatch(
      stdout,
      /^ {2}Serve it: +MODEL=silhouettes-quickstart deno task serve .*\n$/m,
      "it ends with its model",
    );
  },
});

Deno.test({
  name: "quickstart lands where PyTorch's does" + (!FASHION_MNIST ? ` (${WITHOUT_DATA})` : ""),
  ignore: !FASHION_MNIST,
  fn: async () => {
    const { code, stdout, stderr } = await runTask("quickstart", ["--backend", "wasm"]);
    assertEquals(code, 0, stderr);
    for (
      const line of [
        "Shape of X [N, C, H, W]: [64, 1, 28, 28] float32 in 0..1",
        "Using wasm device",
        "669,706 parameters",
        "y = xAᵀ + b",
        'Predicted: "Ankle boot", Actual: "Ankle boot"',
      ]
    ) assertStringIncludes(stdout, line);
    assertMatch(stdout, /^loss: 2\.3\d+ {2}\[ {3}64\/60000\]$/m);
    // PyTorch 2.13 with torch.manual_seed(0), which gives the same first weights.
    const found = [...stdout.matchAll(/Accuracy: ([\d.]+) %, Avg loss: ([\d.]+)/g)];
    assertEquals(found.length, 5);
    const [first, last] = [found[0]!, found[4]!].map((match) => [Number(match[1]), Number(match[2])]);
    assertLess(Math.abs(first![1]! - 2.1623682975769043), 0.001);
    assertLess(Math.abs(last![1]! - 1.076333999633789), 0.001);
    assertLess(Math.abs(last![0]! - 64.92), 0.2);
  },
});
