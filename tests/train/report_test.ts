import {
  assert,
  assertEquals,
  assertFalse,
  assertGreater,
  assertLess,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import { join, relative } from "node:path";
import { decode } from "fast-png";
import { SHIPPED_FOLDER } from "../../shared/models.ts";
import { sha256 } from "../../shared/sha256.ts";
import { confusionMatrix, mostConfused } from "../../train/report/confusion_matrix.ts";
import { firstLayer, firstWeights } from "../../train/report/first_weights.ts";
import { learningCurves } from "../../train/report/learning_curves.ts";
import { type RunMetrics } from "../../train/artifact/metrics.ts";
import { modelCard } from "../../train/report/model_card.ts";
import { drawPicture } from "../../train/report/picture.ts";
import { privateFolder } from "../../train/report/places.ts";
import { reliabilityDiagram } from "../../train/report/reliability_diagram.ts";
import { writeReport } from "../../train/report/write.ts";
import { mlpToOnnx } from "../../train/artifact/export.ts";
import { writeOnnx } from "../../shared/onnx/write.ts";
import { runTask } from "../helpers/command.ts";
import { EXAMPLE_IMAGES as images, exampleRun } from "../helpers/example_run.ts";
import { assertWellFormed } from "../helpers/svg.ts";
import { inTemporaryFolder } from "../helpers/temporary_folder.ts";

/** A network of which the first layer has three features over 2×2 pixels; the second is the strongest. */
function exampleModel(): Uint8Array<ArrayBuffer> {
  const { name, provenance, input } = exampleRun();
  const weight = new Float32Array([0, 0, 0, 0.25, 1, -1, 0.5, 0, 0, 0, 0, 0]);
  const layers = [
    { inFeatures: 4, outFeatures: 3, weight, bias: new Float32Array(3) },
    { inFeatures: 3, outFeatures: 3, weight: new Float32Array(9), bias: new Float32Array(3) },
  ];
  return writeOnnx(mlpToOnnx(layers, { name, labels: ["a", "b", "c"], input, provenance }));
}

async function contents(folder: string): Promise<Record<string, string>> {
  const files = (await Array.fromAsync(Deno.readDir(folder))).filter(({ isFile }) => isFile);
  files.sort((a, b) => a.name < b.name ? -1 : 1);
  return Object.fromEntries(
    await Promise.all(files.map(async ({ name }) => [name, await Deno.readTextFile(`${folder}/${name}`)])),
  );
}

/** The pixels of every image in an SVG. */
function pixelsIn(svg: string): Uint8Array[] {
  return Array.from(
    svg.matchAll(/href="data:image\/png;base64,([^"]+)"/g),
    ([, base64]) => new Uint8Array(decode(Uint8Array.fromBase64(base64!)).data),
  );
}

Deno.test("writeReport() writes the card and every picture, the same each time", async () => {
  await inTemporaryFolder(async (folder) => {
    const source = { run: exampleRun(), model: exampleModel(), images };
    const files = await writeReport(source, { folder: `${folder}/a`, private: `${folder}/elsewhere` });
    await writeReport(source, { folder: `${folder}/b`, private: `${folder}/elsewhere` });
    const report = await contents(`${folder}/a`);
    assertEquals(report, await contents(`${folder}/b`));
    assertEquals(Object.keys(report), [
      ...[
        "MODEL_CARD.md",
        "confusion_matrix.svg",
        "familiarity.svg",
        "first_weights.svg",
        "learning_curves.svg",
        "mistakes.svg",
      ],
      "reliability.svg",
    ]);
    assertEquals(files.map((file) => file.slice(folder.length + 3)).sort(), Object.keys(report));
    for (const [name, text] of Object.entries(report)) {
      if (!name.endsWith(".svg")) continue;
      assertWellFormed(text);
      assertStringIncludes(report["MODEL_CARD.md"]!, `](${name})`);
    }
  });
});

Deno.test("images of Fashion-MNIST are drawn outside the run's folder, and the card does not show them", async () => {
  await inTemporaryFolder(async (folder) => {
    for (const name of ["fashion-mnist", "my-photos"]) {
      const run = exampleRun();
      run.provenance.dataset.name = name;
      await writeReport({ run, images }, {
        folder: `${folder}/${name}`,
        private: `${folder}/${name}-private`,
      });
      const shown = await contents(`${folder}/${name}`);
      assertFalse("mistakes.svg" in shown);
      for (const text of Object.values(shown)) assertFalse(/mistakes\.svg|data:image/.test(text));
      assertEquals(Object.keys(await contents(`${folder}/${name}-private`)), ["mistakes.svg"]);
    }
  });
});

Deno.test("git ignores the folder for pictures that must not be distributed, for any model name", async () => {
  const root = join(import.meta.dirname!, "../../");
  for (const name of ["fashion-mnist", "../../shared/artifacts/fashion-mnist", "..", "a b"]) {
    const folder = privateFolder(name);
    assertEquals(relative(`${root}data/reports`, folder).startsWith(".."), false, folder);
    assertNotEquals(relative(`${root}data/reports`, folder), "");
  }
  assertMatch(await Deno.readTextFile(`${root}.gitignore`), /^data\/$/m);
});

Deno.test("the gallery shows the images that the indices name", async () => {
  await inTemporaryFolder(async (folder) => {
    await writeReport({ run: exampleRun(), images }, { folder, private: folder });
    const svg = await Deno.readTextFile(`${folder}/mistakes.svg`);
    assertEquals(pixelsIn(svg), [7, 2].map((index) => images.test.images.slice(4 * index, 4 * index + 4)));
    for (const text of ["&lt;square&gt; 96.0 %", "is round (7)", "is a|b_c (2)"]) {
      assertStringIncludes(svg, text);
    }
  });
});

Deno.test("the gallery turns planes of colour into pixels", async () => {
  await inTemporaryFolder(async (folder) => {
    const run = {
      ...exampleRun(),
      mistakes: [{ index: 1, actual: "round", predicted: "<square>", score: 1 }],
    };
    const planes = Uint8Array.from({ length: 12 }, (_, i) => i);
    const coloured = {
      test: { images: new Uint8Array([...new Uint8Array(12), ...planes]), labels: new Uint8Array(2) },
      channels: 3,
      height: 2,
      width: 2,
    };
    await writeReport({ run, images: coloured }, { folder, private: folder });
    const svg = await Deno.readTextFile(`${folder}/mistakes.svg`);
    assertEquals(pixelsIn(svg), [new Uint8Array([0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11])]);
    assertStringIncludes(svg, "&gt;99.9 %", "nothing is certain");
  });
});

Deno.test("first-layer weights are blue where positive, orange where negative, clear where nought", async () => {
  const { readOnnx } = await import("../../shared/onnx/read.ts");
  const layer = firstLayer(readOnnx(exampleModel()))!;
  assertEquals([layer.channels, layer.height, layer.width, layer.weights.length], [1, 2, 2, 12]);
  const svg = await drawPicture(firstWeights("shapes", layer));
  assertWellFormed(svg);
  assertStringIncludes(svg, "The 3 units with the largest weights of 3");
  // Tiles of 2×2 with gaps of 2: the strongest feature, [1, −1, ½, 0], comes first.
  const [pixels] = pixelsIn(svg);
  const at = (
    x: number,
    y: number,
  ): number[] => [...pixels!.subarray((y * 10 + x) * 4, (y * 10 + x) * 4 + 4)];
  const [, , blue, clear] = at(0, 0);
  assertGreater(blue!, at(0, 0)[0]!);
  assertEquals(clear, 255);
  assertLess(at(1, 0)[2]!, at(1, 0)[0]!);
  assertEquals(at(1, 0)[3], 255);
  assertEquals([at(0, 1)[3], at(1, 1)[3], at(5, 1)[3], at(2, 0)[3]], [136, 0, 68, 0]);
});

Deno.test("every picture has a dark colour for each light one, and a title", async () => {
  const run = exampleRun();
  for (const picture of [learningCurves(run), confusionMatrix(run), reliabilityDiagram(run)]) {
    const svg = await drawPicture(picture);
    assertStringIncludes(svg, `<title>${picture.title}</title>`);
    assertMatch(svg, /^<svg [^>]*role="img"/);
    const [, dark] = /@media \(prefers-color-scheme:dark\)\{(.*?)\}<\/style>/.exec(svg)!;
    const used = new Set(Array.from(svg.matchAll(/ (?:fill|stroke)="(#\w{6})"/g), ([, colour]) => colour!));
    assertGreater(used.size, 3);
    for (const colour of used) assertStringIncludes(dark!, `[fill="${colour}"]{fill:#`);
  }
});

Deno.test("a run without validation images and with a single epoch is plotted too", async () => {
  const { validation: _validation, bestEpoch: _bestEpoch, ...rest } = exampleRun();
  const run: RunMetrics = {
    ...rest,
    epochs: [{ epoch: 1, trainLoss: 2, learningRate: 0.001, imagesPerSecond: 10 }],
  };
  const svg = await drawPicture(learningCurves(run));
  assertWellFormed(svg);
  assertStringIncludes(svg, "There are no validation images; the last epoch was kept.");
  assertStringIncludes(
    modelCard(run),
    "there are no validation images, and the weights are the last epoch's",
  );
});

Deno.test("mostConfused() keeps the classes with the most mistakes, in the model's order", () => {
  assertEquals(mostConfused([[9, 0, 1, 0], [0, 9, 0, 0], [2, 0, 9, 0], [0, 1, 0, 9]], 2), [0, 2]);
  assertEquals(mostConfused([[9, 0], [0, 9]], 5), [0, 1]);
});

Deno.test("a confusion matrix of a thousand classes shows those that are confused most, and says so", async () => {
  const count = 1000;
  const confusion = Array.from({ length: count }, (_, i) => {
    const row = new Array<number>(count).fill(0);
    row[i] = 1;
    return row;
  });
  confusion[500]![700] = 5;
  const classes = confusion.map((_, i) => ({
    label: `class ${i}`,
    precision: 1,
    recall: 1,
    f1: 1,
    images: 1,
  }));
  const svg = await drawPicture(confusionMatrix({ ...exampleRun(), classes, confusion }));
  assertStringIncludes(svg, "30 of 1000 classes");
  assertStringIncludes(svg, "class 700");
  assertLess(svg.length, 1_000_000);
});

const SHIPPED = `${SHIPPED_FOLDER}/fashion-mnist/`;

Deno.test("deno task report draws a run again from its folder, with or without the model", async () => {
  await inTemporaryFolder(async (folder) => {
    for (const name of ["metrics.json", "model.onnx"]) {
      await Deno.copyFile(SHIPPED + name, `${folder}/${name}`);
    }
    const { code, stdout, stderr } = await runTask("report", [folder], { FASHION_MNIST_DIR: "" });
    assertEquals(code, 0, stderr);
    assertStringIncludes(stdout, `${folder}/MODEL_CARD.md\n`);
    const weights = await Deno.readTextFile(`${folder}/first_weights.svg`);
    assertWellFormed(weights);
    assertStringIncludes(weights, "The 64 units with the largest weights of 512");
    const card = await sha256(await Deno.readFile(`${folder}/MODEL_CARD.md`));

    const again = await runTask("report", [`${folder}/`, "--quiet"], { FASHION_MNIST_DIR: "" });
    assertEquals([again.code, again.stdout, again.stderr], [0, "", ""]);
    assertEquals(await sha256(await Deno.readFile(`${folder}/MODEL_CARD.md`)), card);

    await Deno.remove(`${folder}/model.onnx`);
    const without = await runTask("report", [folder], { FASHION_MNIST_DIR: "" });
    assertEquals(without.code, 0, without.stderr);
    assertStringIncludes(without.stderr, "No first-layer weights");
    assertFalse(without.stdout.includes("first_weights.svg"));
  });
});

Deno.test("deno task report refuses a model that the metrics are not about, and a broken metrics.json", async () => {
  await inTemporaryFolder(async (folder) => {
    await Deno.copyFile(`${SHIPPED}metrics.json`, `${folder}/metrics.json`);
    await Deno.writeFile(`${folder}/model.onnx`, exampleModel());
    const other = await runTask("report", [folder]);
    assertEquals(other.code, 1);
    assertStringIncludes(other.stderr, "Cannot report on");

    await Deno.writeTextFile(`${folder}/metrics.json`, '{"name": "x"');
    const broken = await runTask("report", [folder]);
    assertEquals(broken.code, 1);
    assertStringIncludes(broken.stderr, `Cannot use "${folder}/metrics.json" as it must be JSON`);
    assertFalse(broken.stderr.includes("    at "), "without a stack trace");
    assertEquals((await Array.fromAsync(Deno.readDir(folder))).length, 2, "nothing is written");
  });
});

Deno.test("nothing that trains or serves loads the library that draws", async () => {
  for (const program of ["train/commands/quickstart.ts", "train/commands/train.ts", "serve/worker.ts"]) {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", program],
      cwd: join(import.meta.dirname!, "../../"),
    }).output();
    const info = JSON.parse(new TextDecoder().decode(stdout)) as {
      modules: { specifier: string; dependencies?: { specifier: string; isDynamic?: boolean }[] }[];
    };
    assertGreater(info.modules.length, 5);
    const drawn = info.modules.flatMap(({ dependencies = [] }) => dependencies)
      .filter(({ specifier, isDynamic }) => /^vega/.test(specifier) && !isDynamic);
    assertEquals(drawn, []);
    assert(info.modules.some(({ specifier }) => specifier.endsWith(program)));
  }
});
