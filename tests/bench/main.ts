/** `deno task bench`: how fast this machine trains and classifies, as figures to compare within one run. */
import { drawSilhouettes } from "../../shared/silhouettes/silhouettes.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { print, runCommand } from "../../train/cli/command.ts";
import { type Command, flag, number, text } from "../../train/cli/options.ts";
import { InputError } from "../../shared/errors.ts";
import { readModel, SHIPPED_MODEL } from "../../shared/models.ts";
import { benchAttack } from "./attack.ts";
import { benchCostly } from "./costly.ts";
import { benchDistortions } from "./distortions.ts";
import { benchFamiliarity, benchLeftOut } from "./familiarity.ts";
import { benchInstall } from "./install.ts";
import { benchPhotos } from "./photos.ts";
import { benchQuickstart } from "./quickstart.ts";
import { benchServe } from "./serve.ts";
import { benchEpochs, benchGemm, benchSteps } from "./train.ts";

const ROUNDS = 5;

const command = {
  name: "deno task bench",
  summary: "Measures training, classification and the server on this machine.",
  options: {
    software: flag("Include a WebGPU adapter in software, which is slow"),
    threads: number("Threads of quickstart, of both programs", {
      min: 1,
      max: 256,
      whole: true,
      fallback: "1",
    }),
    model: text("NAME|FILE", "Model of colour images for photos, or model for familiarity"),
    images: text("PATH,…", "Folders of pictures and IDX files that familiarity measures too"),
    load: text("TEXT", "Only the loads of attack whose names contain this"),
    seconds: number("Seconds that attack measures under each load", {
      min: 1,
      max: 600,
      whole: true,
      fallback: "3",
    }),
  },
  operands:
    "[gemm] [train] [epoch] [quickstart] [classify] [serve] [attack] [costly] [photos] [distortions] [familiarity] " +
    "[left-out] [install]",
  notes: "gemm multiplies matrices, train takes single training steps, epoch runs the training loop,\n" +
    "quickstart runs the tutorial, attack measures small requests beside another client's large ones,\n" +
    "costly searches the pictures that take longest to decode, and photos serves photographs with your own\n" +
    "model. Compare only figures of the same run, as machines differ and shared ones vary. PyTorch is\n" +
    "measured beside it if it is installed for python3, or for the interpreter in the variable PYTHON.",
} satisfies Command;

await runCommand(command, async (values, operands, signal) => {
  const options = { software: values.software ?? false, signal };
  const parts = {
    gemm: () => benchGemm(options),
    train: () => benchSteps(options),
    epoch: () => benchEpochs(options),
    quickstart: () => benchQuickstart(values.threads ?? 1, signal),
    classify: benchClassify,
    serve: benchServe,
    attack: () => benchAttack(values.load ?? "", values.seconds ?? 3, signal),
    costly: () => benchCostly(signal),
    photos: () => benchPhotos(values.model, signal),
    distortions: () => benchDistortions(signal),
    familiarity: () => benchFamiliarity(values.model, values.images?.split(",") ?? [], signal),
    "left-out": () => benchLeftOut(signal),
    install: benchInstall,
  };
  for (const name of operands) {
    if (!Object.hasOwn(parts, name)) {
      throw new InputError("usage", `Unknown bench "${name}": accepted are ${Object.keys(parts).join(", ")}`);
    }
  }
  const { hardwareConcurrency } = navigator;
  print(`${Deno.build.target}, Deno ${Deno.version.deno}, ${hardwareConcurrency} cores`);
  for (const [name, run] of Object.entries(parts)) {
    // One needs a model of the user's, one takes ten minutes, and one downloads 900 MB.
    const onRequest = ["attack", "costly", "photos", "distortions", "familiarity", "left-out", "install"]
      .includes(
        name,
      );
    const selected = operands.length === 0 ? !onRequest : operands.includes(name);
    if (selected) await run(signal);
  }
});

/** Runs of the shipped model in ONNX Runtime Web, pixels in and probabilities out. */
async function benchClassify(signal: AbortSignal): Promise<void> {
  print("\nClassifying with ONNX Runtime Web, µs per image");
  const classifier = await Classifier.load((await readModel(SHIPPED_MODEL)).bytes);
  let single = 0;
  for (const count of [1, 8, 64]) {
    const { images } = drawSilhouettes(count, 1);
    const seconds = await median(
      async () => void await classifier.run(images),
      Math.ceil(512 / count),
      signal,
    );
    const micros = seconds / count * 1e6;
    single ||= micros;
    print(
      `  ${`batch ${count}`.padEnd(42)} ${micros.toFixed(1).padStart(7)}  ${(single / micros).toFixed(1)}×`,
    );
  }
  await classifier.close();
}

/** Seconds of one call: the median of the rounds' means, after a warm-up. */
async function median(run: () => Promise<void>, calls: number, signal: AbortSignal): Promise<number> {
  const seconds: number[] = [];
  for (let round = -1; round < ROUNDS; round++) {
    signal.throwIfAborted();
    const start = performance.now();
    for (let i = 0; i < calls; i++) await run();
    if (round >= 0) seconds.push((performance.now() - start) / 1000 / calls);
    await new Promise((resolve) => setTimeout(resolve));
  }
  return seconds.sort((a, b) => a - b)[ROUNDS >> 1]!;
}
