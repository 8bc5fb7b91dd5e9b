import { assertEquals, assertMatch, assertNotMatch, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { MODELS_FOLDER, SHIPPED_FOLDER } from "../../shared/models.ts";
import { runOffline, runSteps, runTask } from "../helpers/command.ts";
import { inTemporaryFolder } from "../helpers/temporary_folder.ts";

const SMALL = ["--dataset", "silhouettes", "--backend", "wasm", "--hidden", "16", "--epochs", "1"];

Deno.test("a wrong option is named, with its value and what is accepted, and exits with 2", async (t) => {
  const cases: [string, string[], RegExp][] = [
    ["train", ["--epoch", "3"], /Unknown option "--epoch"\nhint: Did you mean "--epochs"\?/],
    ["train", ["-x"], /Unknown option "-x"/],
    ["train", ["--epochs", "0"], /--epochs must be a whole number from 1 to 10000: current value is "0"/],
    ["train", ["--epochs", "many"], /--epochs must be a whole number .* current value is "many"/],
    ["train", ["--epochs"], /--epochs needs a value/],
    ["train", ["--batch-size=1.5"], /--batch-size must be a whole number/],
    ["train", ["--learning-rate", "-1"], /--learning-rate must be a number from .* current value is "-1"/],
    ["train", ["--learning-rate", "NaN"], /--learning-rate must be/],
    [
      "train",
      ["--optimizer", "lion"],
      /--optimizer must be one of sgd, momentum, adam, adamw: current value is "lion"/,
    ],
    ["train", ["--backend", "cuda"], /--backend must be one of auto, webgpu, wasm, cpu/],
    ["train", ["--recipe", "best"], /--recipe must be one of default, quickstart/],
    ["train", ["--dataset", "mnist"], /--dataset must be one of fashion-mnist, silhouettes/],
    ["train", ["--hidden", "512,"], /--hidden must be one to eight whole numbers/],
    ["train", ["--schedule", "linear"], /--schedule must be one of constant, step, cosine/],
    ["train", ["--mixup", "2"], /--mixup must be a number from 0 to 1/],
    ["train", ["--flip", "maybe"], /--flip must be one of yes, no/],
    [
      "train",
      ["--resume", "--restart", "--dataset", "silhouettes"],
      /--resume must be given without --restart/,
    ],
    ["train", ["--dropout", "1"], /--dropout must be a number from 0 to 0.95/],
    ["train", ["--seed", "1e99"], /--seed must be a whole number/],
    ["train", ["--quiet=yes"], /--quiet must be given without a value: current value is "yes"/],
    ["train", ["--name", "../up"], /--name must be 1 to 64 letters/],
    ["train", ["shoes"], /Unexpected "shoes"/],
    ["train", ["--out", "x", "--replace-shipped"], /--out must be given without --replace-shipped/],
    ["evaluate", ["--top-k", "3"], /Unknown option "--top-k"/],
    ["predict", ["--top-k", "0", "a.png"], /--top-k must be a whole number from 1/],
    ["predict", [], /name at least one FILE or DIR/],
    ["train", ["--tensorboard"], /--tensorboard needs a value/],
    ["report", ["here", "there"], /there must be one MODEL: 2 given/],
    ["report", [], /there must be one MODEL: 0 given/],
    ["compare", ["here"], /at least two models: 1 given/],
    ["compare", ["here", "there", "--out", "a.png"], /--out must be a file that ends in \.svg/],
    ["quickstart", ["--epochs", "3"], /Unknown option "--epochs"/],
  ];
  await runSteps(
    t,
    cases.map(([task, args, message]) => [`${task} ${args.join(" ")}`, async () => {
      const { code, stdout, stderr } = await runTask(task, args);
      assertMatch(stderr, message);
      assertMatch(stderr, /^error: [^\n]*\n(hint: [^\n]*\n)?$/);
      assertEquals([code, stdout], [2, ""]);
    }]),
  );
});

Deno.test("every command of the trainer has --help, and groups the options of train", async (t) => {
  const tasks = ["quickstart", "train", "evaluate", "predict", "report", "compare", "export", "create"];
  await runSteps(
    t,
    tasks.map((task) => [task, async () => {
      const { code, stdout } = await runTask(task, ["--help"]);
      assertEquals(code, 0);
      assertStringIncludes(stdout, `Usage: deno task ${task} [options]`);
      if (task !== "train") return;
      const headings = Array.from(stdout.matchAll(/^([A-Z]\w+):$/gm), ([, title]) => title);
      assertEquals(headings, [
        "Data",
        "Backbone",
        "Model",
        "Optimization",
        "Augmentation",
        "Run",
        "Output",
        "Other",
      ]);
    }]),
  );
});

Deno.test("an error that is not about the input is printed with its stack", async () => {
  await inTemporaryFolder(async (folder) => {
    const program = `${folder}/program.ts`;
    const command = import.meta.resolve("../../train/cli/command.ts");
    await Deno.writeTextFile(
      program,
      `import { runCommand } from ${JSON.stringify(command)};
       const nothing: { at: number }[] = [];
       await runCommand({ name: "test", summary: "", options: {} }, async () => void await nothing[0]!.at);`,
    );
    const { code, stderr } = await runOffline(program, []);
    assertEquals(code, 1);
    assertMatch(stderr, /^error: TypeError: Cannot read properties of undefined[^]*\n {4}at .*program\.ts/);
  });
});

Deno.test("deno task train writes to models/, which git ignores, and prints how to serve the model", async () => {
  const name = `test-${crypto.randomUUID()}`, folder = join(MODELS_FOLDER, name);
  try {
    const { code, stdout, stderr } = await runTask("train", [...SMALL, "--name", name, "--validation", "0"]);
    assertEquals(code, 0, stderr);
    assertStringIncludes(stdout, `Saved models/${name}/model.onnx`);
    assertStringIncludes(stderr, `MODEL=${name} deno task serve`);
    const [, card] = /^Model card: +(\S+)$/m.exec(stderr)!;
    assertEquals(card, `models/${name}/MODEL_CARD.md`);
    // Every plot that is named exists.
    const plots = [...stderr.matchAll(/^Plots: +(\S+): (.+)$/gm)].flatMap(([, at, names]) =>
      names!.split(", ").map((name) => join(MODELS_FOLDER, "..", at!, name))
    );
    assertEquals(plots.length >= 4, true, stderr);
    for (const plot of plots) assertMatch(await Deno.readTextFile(plot), /<svg/);
    assertMatch(stderr, /\nServe it: [^\n]*http:\/\/127\.0\.0\.1:8000\/\)\n$/);
    assertNotMatch(stderr, /epoch \d+ was the best/, "there are no validation images");
    const git = await new Deno.Command("git", { args: ["check-ignore", "-q", folder] }).output();
    assertEquals(git.code, 0, "git ignores the folder");
    const evaluated = await runTask("evaluate", ["--model", name]);
    assertEquals(evaluated.code, 0, evaluated.stderr);
    const near = await runTask("evaluate", ["--model", `${name}x`]);
    assertEquals(near.code, 1);
    assertStringIncludes(near.stderr, `Did you mean "${name}"?`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("deno task train writes to shared/artifacts only with --replace-shipped", async () => {
  for (const out of [SHIPPED_FOLDER, join(SHIPPED_FOLDER, "..", "artifacts", "fashion-mnist")]) {
    const { code, stderr } = await runTask("train", [...SMALL, "--name", "x", "--out", out]);
    assertEquals(code, 1);
    assertStringIncludes(stderr, "as models there ship with the project\nhint:");
  }
  const { code, stderr } = await runTask("train", [...SMALL, "--name", "fashion-mnist", "--replace-shipped"]);
  assertEquals(code, 1, "a model of another data set stays all the same");
  assertMatch(
    stderr,
    /^Replaces version \w{12} with \d\d\.\d\d % test accuracy in shared\/artifacts\/fashion-mnist$/m,
  );
});

Deno.test("deno task lists the jobs in the order in which people need them, those of contributors last", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
  const names = Object.keys(tasks);
  assertEquals(names.slice(0, 4), ["quickstart", "serve", "train", "predict"]);
  const isInternal = (name: string): boolean => tasks[name].description.startsWith("For contributors: ");
  assertEquals(names.filter(isInternal), names.slice(names.findIndex(isInternal)));
  for (const name of names) {
    assertMatch(tasks[name].description, /^[A-Z].{10,110}$/, name);
    assertEquals(isInternal(name), /^(ok|test|bench|soak|build)/.test(name), name);
  }
});
