import { assert, assertEquals, assertGreater, assertLess, assertNotEquals } from "@std/assert";
import { join } from "node:path";
import { describeModel } from "../../shared/contract.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { Random } from "../../shared/random.ts";
import { type Artifact, writeArtifact } from "../../train/artifact/artifact.ts";
import { readMetrics } from "../../train/artifact/metrics.ts";
import { train } from "../../train/artifact/run.ts";
import { prepareBackbone } from "../../train/backbone/backbone.ts";
import { parseNetwork, writeNetwork } from "../../train/backbone/network.ts";
import { openBackbone, withFeatures } from "../../train/backbone/open.ts";
import { useBackend } from "../../train/backend/mod.ts";
import { createDataset } from "../../train/dataset/create.ts";
import { type Dataset, loadDataset, type Split } from "../../train/dataset/mod.ts";
import { allScores } from "../../train/evaluation/evaluation.ts";
import { wilsonInterval } from "../../train/evaluation/interval.ts";
import { type Advice, adviseRecipe } from "../../train/learning/advice.ts";
import { type FoldEvent, stratifiedFolds } from "../../train/learning/cross_validation.ts";
import { RECIPES } from "../../train/learning/recipe.ts";
import { balanced, balancedCount } from "../../train/learning/split.ts";
import { foldStandardization } from "../../train/learning/standardization.ts";
import { tinyNetwork } from "../helpers/tiny_network.ts";

const BACKBONES = Deno.env.get("BACKBONES_DIR"), PHOTOS = Deno.env.get("PHOTOS_DIR");

/** Images of 8×8 in two classes: reddish and bluish ones. */
function split(count: number, seed: number): { images: Uint8Array; labels: Uint8Array } {
  const random = new Random(seed);
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 2);
  const images = Uint8Array.from({ length: count * 192 }, (_, at) => {
    const label = labels[Math.floor(at / 192)]!, channel = Math.floor(at / 64) % 3;
    return random.below(100) + (channel === 2 * label ? 120 : 0);
  });
  return { images, labels };
}

/** Trains on the features of a network of two convolutions. */
async function trainTiny(
  store: "float32" | "int8",
  onFold?: (event: FoldEvent) => void,
): Promise<{ artifact: Artifact; advice: Advice; test: Split }> {
  const network = parseNetwork(writeNetwork(tinyNetwork({ end: "classifier" })), "tiny");
  const origin = { name: "tiny", fileSha256: "0".repeat(64), licence: "Apache-2.0" };
  const normalization = { mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5] } as const;
  const backbone = await prepareBackbone(network, origin, { normalization, store });
  const images = createDataset({
    name: "colours",
    labels: ["red", "blue"],
    channels: 3,
    height: 8,
    width: 8,
    train: split(60, 1),
    test: split(20, 2),
  });
  const { dataset } = await withFeatures(images, backbone, { directory: "" });
  const advice = adviseRecipe(dataset);
  const { artifact } = await train({
    dataset,
    backbone,
    backend: await useBackend("cpu"),
    recipe: { ...advice.recipe, epochs: 6, hidden: [200] },
    ...(onFold && { onFold }),
  });
  return { artifact, advice, test: dataset.test };
}

const python = Deno.env.get("PYTHON") ?? "python3";
const hasOnnx = await new Deno.Command(python, { args: ["-c", "import onnx, onnxruntime"], stderr: "null" })
  .output().then(({ success }) => success, () => false);
const withoutOnnx = hasOnnx ? "" : `: ignored, as ${python} has no onnx and onnxruntime`;

for (const store of ["float32", "int8"] as const) {
  Deno.test(`train() joins a backbone in ${store} and its head to one model, cross-validated`, async () => {
    const folds: number[] = [];
    const { artifact, advice: { recipe, reasons } } = await trainTiny(
      store,
      ({ fold }) => void folds.push(fold),
    );
    assertEquals([recipe.folds, recipe.standardize, recipe.hidden], [5, true, [512]]);
    assertGreater(reasons.length, 1);
    assertEquals(folds, [1, 2, 3, 4, 5]);
    assertEquals(artifact.metrics.validation?.images, 60);
    // As good as on the test images, so each image has the logits of its own.
    assertGreater(artifact.metrics.validation!.accuracy, 0.8);
    assertLess(artifact.maxDifference, 1e-3);
    assertGreater(artifact.metrics.test.accuracy, 0.9);
    const { input, provenance, familiarity } = await describeModel(artifact.bytes);
    assertEquals(input, { channels: 3, height: 8, width: 8 });
    // Without validation images, a fifth of the images calibrates the familiarity.
    assertEquals(familiarity!.validation.images, 12);
    assertLess(artifact.familiarity!.maxDifference, 1e-3);
    assertEquals(provenance.backbone?.features, ["flat", "act1"]);
    assertEquals(provenance.backbone?.licence, "Apache-2.0");
    await artifact.verify(artifact.bytes);
    const folder = await Deno.makeTempDir();
    try {
      await writeArtifact(folder, artifact, { epochs: [], seconds: 1 });
      assertEquals((await readMetrics(folder)).provenance.backbone?.size, provenance.backbone?.size);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });

  Deno.test({
    name:
      `Python's onnx.checker accepts a model with a backbone in ${store}, and onnxruntime gives the same ` +
      `numbers${withoutOnnx}`,
    ignore: !hasOnnx,
    async fn(): Promise<void> {
      const { artifact, test } = await trainTiny(store);
      const folder = await Deno.makeTempDir();
      try {
        await Deno.writeFile(`${folder}/model.onnx`, artifact.bytes);
        await Deno.writeFile(`${folder}/pixels`, test.images);
        const program = [
          "import sys, json, numpy, onnx, onnxruntime",
          "onnx.checker.check_model(onnx.load('model.onnx'), full_check=True)",
          "pixels = numpy.fromfile('pixels', numpy.uint8).reshape(-1, 3, 8, 8).astype(numpy.float32) / 255",
          "session = onnxruntime.InferenceSession('model.onnx', providers=['CPUExecutionProvider'])",
          "names = ['logits', 'familiarity']",
          "print(json.dumps([o.flatten().tolist() for o in session.run(names, {'image': pixels})]))",
        ].join("\n");
        const { success, stdout, stderr } = await new Deno.Command(python, {
          args: ["-c", program],
          cwd: folder,
        }).output();
        assert(success, new TextDecoder().decode(stderr));
        const outputs: number[][] = JSON.parse(new TextDecoder().decode(stdout));
        const classifier = await Classifier.load(artifact.bytes);
        const scores = await allScores(classifier, test.images).finally(() => classifier.close());
        for (const [o, expected] of [scores.logits, scores.familiarity!].entries()) {
          assertEquals(outputs[o]!.length, expected.length);
          for (const [i, value] of expected.entries()) assertLess(Math.abs(value - outputs[o]![i]!), 1e-3);
        }
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

const reason = BACKBONES && PHOTOS ? "" : ": ignored, as BACKBONES_DIR and PHOTOS_DIR are not set";
Deno.test({
  name: `a real backbone classifies real photographs${reason}`,
  ignore: reason !== "",
  async fn(): Promise<void> {
    const half = [0.5, 0.5, 0.5] as const;
    const backbone = await openBackbone(join(BACKBONES!, "mobilenet_v1_0.25_128.onnx"), {
      normalization: { mean: half, deviation: half },
    });
    assertEquals([backbone.size, backbone.cut, backbone.input.height], [384, false, 128]);
    const loaded = await loadDataset(PHOTOS!, {
      imageSize: 128,
      channels: 3,
      preprocessing: "rgb-centre-crop-1",
    });
    const { dataset } = await withFeatures(loaded, backbone, { directory: "" });
    const { recipe } = adviseRecipe(dataset);
    const { artifact } = await train({ dataset, backbone, recipe: { ...recipe, folds: 0, validation: 0 } });
    // Ten classes: chance is 10 %.
    assertGreater(artifact.metrics.test.accuracy, 0.45);
    assertLess(artifact.maxDifference, 1e-3);
    assertLess(artifact.bytes.length, 500_000);
    const classifier = await Classifier.load(artifact.bytes);
    assertEquals(classifier.description.preprocessing, "rgb-centre-crop-1");
    await classifier.close();
  },
});

/** One-pixel images, so many of each of two classes. */
function pixels(many: number, few: number): Dataset {
  const labels = Uint8Array.from({ length: many + few }, (_, i) => i < many ? 0 : 1);
  return createDataset({
    name: "pixels",
    labels: ["many", "few"],
    channels: 1,
    height: 1,
    width: 1,
    train: { images: new Uint8Array(labels.length), labels },
    test: { images: new Uint8Array(2), labels: Uint8Array.of(0, 1) },
  });
}

Deno.test("adviseRecipe() leaves large data sets alone", () => {
  const { recipe, reasons } = adviseRecipe(pixels(10_000, 10_000));
  assertEquals([recipe, reasons], [{ ...RECIPES.default, validation: 2000 }, []]);
  assertNotEquals(adviseRecipe(pixels(9999, 10_000)).recipe.batchSize, RECIPES.default.batchSize);
});

Deno.test("adviseRecipe() cross-validates small data sets without validation images of their own", () => {
  const choose = (dataset: Dataset): number[] => {
    const { folds, validation } = adviseRecipe(dataset).recipe;
    return [folds, validation];
  };
  assertEquals(choose(pixels(500, 499)), [5, 0]);
  assertEquals(choose(pixels(500, 500)), [0, 100]);
  assertEquals(choose(pixels(30, 3)), [3, 0], "each fold needs an image of each class");
  assertEquals(choose(pixels(30, 1)), [0, 3]);
  assertEquals(choose({ ...pixels(60, 60), validation: 20 }), [0, 10]);
});

Deno.test("adviseRecipe() balances uneven classes", () => {
  assertEquals(adviseRecipe(pixels(30, 20)).recipe.balance, RECIPES.default.balance);
  assertEquals(adviseRecipe(pixels(31, 20)).recipe.balance, true);
  const dataset = pixels(24, 6), { labels } = dataset.train;
  const { recipe } = adviseRecipe(dataset);
  assertEquals([recipe.balance, recipe.folds, recipe.batchSize, recipe.batchNorm], [true, 5, 16, false]);
  const indices = Uint32Array.from({ length: 30 }, (_, i) => i);
  assertEquals(balancedCount(indices, labels), 48);
  const repeated = balanced(indices, labels, new Random(1));
  assertEquals(repeated.filter((index) => labels[index] === 1).length, 24);
  // Six images make up 24 places: each exactly four times.
  for (let i = 24; i < 30; i++) assertEquals(repeated.filter((index) => index === i).length, 4);
});

Deno.test("stratifiedFolds() puts every image in one fold, each class spread evenly", () => {
  const labels = Uint8Array.from({ length: 53 }, (_, i) => i % 3);
  const folds = stratifiedFolds(labels, 3, 5, 1);
  assertEquals(folds.flatMap((fold) => [...fold]).sort((a, b) => a - b), [...labels.keys()]);
  const differ = (counts: number[]): number => Math.max(...counts) - Math.min(...counts);
  assert(differ(folds.map(({ length }) => length)) <= 1);
  for (const label of [0, 1, 2]) {
    const counts = folds.map((fold) => fold.filter((index) => labels[index] === label).length);
    assert(differ(counts) <= 1, `${counts}`);
  }
  assertEquals(stratifiedFolds(labels, 3, 5, 1), folds);
  assertNotEquals(stratifiedFolds(labels, 3, 5, 2), folds);
});

Deno.test("foldStandardization() makes a layer that takes the inputs as they are", () => {
  const layer = {
    inFeatures: 2,
    outFeatures: 1,
    weight: Float32Array.of(3, -2),
    bias: Float32Array.of(0.5),
  };
  const { weight, bias } = foldStandardization(layer, {
    mean: Float32Array.of(10, -4),
    deviation: Float32Array.of(2, 8),
  });
  // 3·(12−10)/2 − 2·(4+4)/8 + 0.5
  assertEquals(12 * weight[0]! + 4 * weight[1]! + bias[0]!, 1.5);
});

Deno.test("wilsonInterval() gives Wilson's numbers and stays within 0..1", () => {
  const { low, high } = wilsonInterval(0.9, 10);
  assertEquals([low.toFixed(4), high.toFixed(4)], ["0.5958", "0.9821"]);
  assertEquals(wilsonInterval(1, 5).high, 1);
  assertEquals(wilsonInterval(0, 5).low, 0);
});
