import { assertEquals, assertFalse, assertNotMatch, assertStringIncludes } from "@std/assert";
import { reproducibleCommand } from "../../train/cli/command_line.ts";
import { flag, text } from "../../train/cli/options.ts";
import { familiarityCurve } from "../../train/report/familiarity_curve.ts";
import { modelCard } from "../../train/report/model_card.ts";
import { exampleRun } from "../helpers/example_run.ts";

Deno.test("the card shows what the threshold on the familiarity rejects, if the model has one", () => {
  const run = exampleRun();
  const card = modelCard(run);
  assertStringIncludes(card, "| familiar | 90.0 % | 75.00 % | 5.00 % |");
  assertStringIncludes(card, "| kind 0 | yes | 16 | 75.0 % | 0.9000 |");
  assertStringIncludes(card, "| kind 7 | no | 16 | 31.3 % | 0.9700 |");
  const curve = JSON.stringify(familiarityCurve(run));
  assertStringIncludes(curve, "rejects 10.0 % of the test images");
  delete run.familiarity;
  assertFalse(modelCard(run).includes("## Familiarity"));
  assertEquals(familiarityCurve(run), undefined);
});

Deno.test("the model card says what the metrics say", () => {
  const card = modelCard(exampleRun(), { curves: "learning_curves.svg" });
  for (
    const line of [
      "# shapes",
      "| network | multilayer perceptron, 4-4-3, 35 parameters |",
      "| test | 10 | 70.00 % | 0.6250 |",
      "| validation | 8 | 75.00 % | 0.5000 |",
      "| round | 75.0 % | 50.0 % | 60.0 % | 4 |",
      "| a\\|b\\_c | 75.0 % | 50.0 % | 50.0 % | 3 |",
      "| weight decay | `0.05` |",
      "divided by a temperature of 1.25, fitted on the 8 validation images",
      "| test | 12.50 % | 6.25 % | 0.6250 | 0.5000 |",
      "- The weakest classes are a|b\\_c (F1 50.0 %), round (F1 60.0 %), \\<square\\> (F1 60.0 %).",
      "round classified as \\<square\\> (1 of 4)",
      "![Learning curves](learning_curves.svg)",
      "```sh\ndeno task train --dataset silhouettes --epochs 3 --seed 7 --backend wasm\n```",
    ]
  ) assertStringIncludes(card, line);
  assertNotMatch(card, /undefined|NaN|\[object/);
  assertNotMatch(card, /\d{4}-\d\d-\d\d/, "no date: the same run gives the same card");
});

Deno.test("the model card of a model with a backbone counts both networks and says how far to trust its probabilities", () => {
  const run = exampleRun();
  run.provenance.backbone = {
    name: "mobilenet",
    sha256: "e".repeat(64),
    features: ["pool"],
    size: 10,
    store: "int8",
  };
  run.validation = { images: 20, accuracy: 0.75, loss: 0.5, folds: 5 };
  run.calibration.validation = { ...run.calibration.validation!, images: 20 };
  const card = modelCard(run);
  for (
    const line of [
      "| network | frozen backbone mobilenet with 10 features, and a multilayer perceptron on them, 10-4-3, " +
      "59 trained parameters |",
      "| cross-validation | 20 | 75.00 % | 0.5000 |",
      "fitted by cross-validation on 20 training images",
      "Licence of the backbone: unknown to this project",
      "The error on the test images is above 5 %: use `probabilities` to rank classes, not as the chance of being right.",
    ]
  ) assertStringIncludes(card, line);
  assertNotMatch(card, /are calibrated/);
  // Of 20 correct answers at 97 %, the error is 3 %; the accuracy may still be 84 %.
  run.calibration.ece.after = 0.03;
  run.test = { ...run.test, images: 20, accuracy: 1 };
  const few = modelCard(run);
  assertStringIncludes(few, "at most 5 %, but 20 images are too few to call `probabilities` calibrated");
  assertStringIncludes(few, "their accuracy is known to ± 8 % only");
  assertNotMatch(few, /are calibrated/);
  run.test = { ...run.test, images: 400, accuracy: 0.9 };
  assertStringIncludes(
    modelCard(run),
    "The error on the test images is at most 5 %, so `probabilities` are calibrated.",
  );
});

Deno.test("reproducibleCommand() shortens paths and adds the seed and the backend that were used", () => {
  const chosen = { seed: 5, backend: { name: "wasm" as const } };
  const words = ["dataset", "epochs", "data", "out", "tensorboard", "seed", "backend"];
  const options = {
    ...Object.fromEntries(words.map((name) => [name, text("X", "")])),
    ...Object.fromEntries(["quiet", "json", "resume", "mirror"].map((name) => [name, flag("")])),
  };
  const command = (line: string): string =>
    reproducibleCommand(options, line.split(" ").filter(Boolean), chosen);
  const end = " --seed 5 --backend wasm";
  assertEquals(command(""), `deno task train${end}`);
  assertEquals(
    command("--epochs 3 --data /home/me/data --out=/tmp/x --quiet --tensorboard tb"),
    `deno task train --epochs 3${end}`,
  );
  assertEquals(
    command("--seed 1 --backend auto --json --epochs=3 --epochs 4"),
    `deno task train --epochs 4${end}`,
  );
  assertEquals(command("--resume --mirror --quiet"), `deno task train --mirror${end}`);
  assertEquals(command("--dataset /home/me/my-cats/"), `deno task train --dataset ./my-cats${end}`);
  assertEquals(
    reproducibleCommand(options, ["--dataset", "it's here"], chosen),
    `deno task train --dataset 'it'\\''s here'${end}`,
  );
});
