import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { createApp } from "../../serve/app.ts";
import { describeModel } from "../../shared/contract.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { drawSilhouettes } from "../../shared/silhouettes/silhouettes.ts";
import { runSteps, runTask, startTask } from "../helpers/command.ts";
import { idxFiles } from "../helpers/idx_files.ts";
import { blot, COLOURS, garments, inFolder, square, squares, write } from "../helpers/picture_folder.ts";

const FAST = [
  "--backend",
  "wasm",
  "--hidden",
  "64",
  "--batch-size",
  "16",
  "--dropout",
  "0",
  "--learning-rate",
  "0.003",
];
// Trousers, bags and ankle boots; the ü is decomposed, as macOS writes it.
const KINDS = { "брюки": 1, "鞄": 8, "Schnu\u0308rschuh": 9 };
const LABELS = ["Schn\u00fcrschuh", "брюки", "鞄"];

async function post(model: string, png: Uint8Array<ArrayBuffer>): Promise<Response> {
  const classifier = await Classifier.load(await Deno.readFile(model));
  const app = createApp({
    load: () => Promise.resolve(classifier),
    report: (error) => {
      throw error;
    },
  });
  const headers = { "content-type": "image/png" };
  return await app.request("/v1/classify", { method: "POST", headers, body: png });
}

function wardrobe(count: number, seed: number): Record<string, Uint8Array> {
  return Object.fromEntries(
    Object.entries(KINDS).flatMap(([name, kind]) =>
      garments(count, kind, seed).map((png, i) => [`${name}/${i}.png`, png])
    ),
  );
}

/** The commands of a document: the lines of its shell blocks. */
async function commandsOf(document: string): Promise<string[]> {
  const text = await Deno.readTextFile(new URL(`../../docs/${document}`, import.meta.url));
  return [...text.matchAll(/^```sh\n(.*?)^```/gms)].flatMap(([, block]) => block!.trim().split("\n"));
}

/** Serves a model, and sends a picture to it. */
async function served(model: string, png: Uint8Array<ArrayBuffer>): Promise<string> {
  const child = startTask("serve", ["--port", "0"], { MODEL: model });
  // The address is printed on stderr, as stdout is the log.
  const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  try {
    let url: string | undefined, said = "";
    while (!url) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`the server ended: ${said}`);
      said += value;
      url = /http:\S+?(?=\/\s)/.exec(said)?.[0];
    }
    const headers = { "content-type": "image/png" };
    const response = await fetch(`${url}/v1/classify`, { method: "POST", headers, body: png });
    return (await response.json()).predictions[0].label;
  } finally {
    child.kill("SIGTERM");
    await reader.cancel();
    await child.stdout.cancel();
    await child.status;
  }
}

Deno.test("docs/own-images.md leads from a folder of pictures to answers with its labels", async (t) => {
  await inFolder({}, async (folder) => {
    const digits = drawSilhouettes(60, 3), shoe = garments(1, 9, 2)[0]!;
    await write(`${folder}/photos`, wardrobe(60, 1));
    await write(folder, { "shoe.png": shoe });
    await write(`${folder}/digits`, {
      ...idxFiles("", digits.images, digits.labels),
      "names.txt": "null\nein\nzwei\ndrei\nvier\nfünf\nsechs\nsieben\nacht\nneun\n",
    });
    // The page writes to models/ and finds the model by its name; the test must not.
    const out = `${folder}/models`, model = `${out}/photos`;
    const run = async (line: string, more: string[] = []): Promise<string> => {
      const [, task, rest] = /^deno task (\S+) (.*)$/.exec(line)!;
      const args = rest!.replaceAll("./", `${folder}/`).replace("--model photos", `--model ${model}`).split(
        " ",
      );
      const all = [...args, ...task === "train" ? ["--out", out] : [], ...more];
      const { code, stdout, stderr } = await runTask(task!, all);
      assertEquals(code, 0, `${line}: ${stderr}`);
      return stdout;
    };
    const commands = await commandsOf("own-images.md");
    assertEquals(commands.length, 6);
    const [train, evaluate, predict, serve, colour, idx] = commands as [
      string,
      string,
      string,
      string,
      string,
      string,
    ];

    await runSteps(t, [
      ["pictures", async () => {
        const trained = JSON.parse(await run(train, [...FAST, "--epochs", "5", "--json"]));
        assertEquals(trained.file, `${folder}/models/photos/model.onnx`);
        assertEquals(trained.test.images, 36);
        assertGreater(trained.test.accuracy, 0.8);
        assertEquals((await describeModel(await Deno.readFile(trained.file))).labels, LABELS);
        const { images, accuracy, loss } = JSON.parse(await run(evaluate, ["--json"]));
        assertEquals({ images, accuracy, loss }, trained.test, "evaluate finds what train reported");
        assertMatch(await run(predict), /shoe\.png +Schn\u00fcrschuh /);
        assertEquals(serve, "MODEL=photos deno task serve");
        assertEquals(await served(model, shoe), "Schn\u00fcrschuh");
      }],
      ["pictures in colour", async () => {
        const { file } = JSON.parse(await run(colour, [...FAST, "--epochs", "1", "--json"]));
        const { input } = await describeModel(await Deno.readFile(file));
        assertEquals(input, { channels: 3, height: 32, width: 32 });
      }],
      ["IDX files", async () => {
        const { file, test } = JSON.parse(await run(idx, [...FAST, "--epochs", "1", "--json"]));
        const { labels } = await describeModel(await Deno.readFile(file));
        assertEquals([labels.length, labels[5]], [10, "fünf"]);
        // Its names are in the model.
        const again = await run(`deno task evaluate --model ${file} --dataset ./digits --json`);
        assertEquals(JSON.parse(again).accuracy, test.accuracy);
      }],
    ]);
  });
});

Deno.test("a model of three classes answers with their names, in process", async () => {
  await inFolder(wardrobe(60, 1), async (folder) => {
    const out = `${folder}/.models`;
    const args = ["--dataset", folder, "--out", out, "--name", "m", ...FAST, "--epochs", "3"];
    const { code, stdout, stderr } = await runTask("train", args);
    assertEquals(code, 0, stderr);
    assertStringIncludes(stdout, `Saved ${out}/m/model.onnx`);
    assertStringIncludes(stderr, `Classes: ${LABELS.join(", ")}`);
    const first = await Deno.readFile(`${out}/m/model.onnx`);
    for (const [name, kind] of Object.entries(KINDS)) {
      const response = await post(`${out}/m/model.onnx`, garments(1, kind, 99)[0]!);
      const { predictions: [{ label, top }] } = await response.json();
      assertEquals([label, top.length], [name.normalize("NFC"), 3]);
    }
    const { preprocessing, provenance } = await describeModel(first);
    assertEquals(preprocessing, "grey-on-black-2");
    assertEquals(provenance.dataset?.splitSeed, 0);

    // Again, now from the cache: the same bytes.
    assertEquals((await runTask("train", args)).code, 0);
    assertEquals(await Deno.readFile(`${out}/m/model.onnx`), first);
  });
});

Deno.test("classes that differ only in colour are distinguished in colour, and not in grey", async () => {
  const files = Object.fromEntries(
    Object.entries(COLOURS).flatMap(([name, colour], c) =>
      Array.from({ length: 60 }, (_, i) => [`${name}/${i}.png`, blot(colour, 1000 * c + i)])
    ),
  );
  await inFolder(files, async (folder) => {
    const out = `${folder}/.models`;
    const train = async (channels: string): Promise<{ file: string; test: { accuracy: number } }> => {
      const { code, stdout, stderr } = await runTask("train", [
        ...["--dataset", folder, "--out", out, "--name", `c${channels}`, "--channels", channels],
        ...["--image-size", "16", ...FAST, "--epochs", "8", "--json"],
      ]);
      assertEquals(code, 0, stderr);
      return JSON.parse(stdout);
    };
    const [coloured, grey] = await Promise.all([train("3"), train("1")]);
    assertGreater(coloured.test.accuracy, 0.9);
    // A third is chance.
    assertLess(grey.test.accuracy, 0.7);

    const { input, preprocessing } = await describeModel(await Deno.readFile(coloured.file));
    assertEquals(input, { channels: 3, height: 16, width: 16 });
    assertEquals(preprocessing, "rgb-on-own-background-2");
    for (const [name, colour] of Object.entries(COLOURS)) {
      const png = blot(colour, 424_242);
      const response = await post(coloured.file, png);
      assertEquals((await response.json()).predictions[0].label, name);
      await write(folder, { [`${name}.png`]: png });
    }
    const names = Object.keys(COLOURS);
    const { stdout } = await runTask("predict", [
      ...["--model", coloured.file],
      ...names.map((name) => `${folder}/${name}.png`),
    ]);
    for (const name of names) assertMatch(stdout, new RegExp(`${name}\\.png +${name} `));
  });
});

Deno.test("evaluate asks for the folder of a model that was trained on one", async () => {
  await inFolder({ ...squares(["a", "b"], 10), ...squares(["x", "y"], 4, ".other/") }, async (folder) => {
    const out = `${folder}/.models`;
    const trained = await runTask("train", [
      "--dataset",
      folder,
      "--out",
      out,
      "--name",
      "m",
      ...FAST,
      "--epochs",
      "1",
    ]);
    assertEquals(trained.code, 0, trained.stderr);
    const model = ["--model", `${out}/m/model.onnx`];
    const without = await runTask("evaluate", model);
    assertEquals(without.code, 1);
    assertMatch(
      without.stderr,
      /trained on a folder of pictures or IDX files, ".+"\nhint: Name the folder with --dataset DIR/,
    );
    const other = await runTask("evaluate", [...model, "--dataset", `${folder}/.other`]);
    assertEquals(other.code, 1);
    assertStringIncludes(other.stderr, 'class folders must be called "a", "b": they are called "x", "y"');
    // What has changed may hold training images among those that are drawn.
    await write(folder, { "a/new.png": square(4711) });
    const changed = await runTask("evaluate", [...model, "--dataset", folder]);
    assertEquals(changed.code, 0, changed.stderr);
    assertStringIncludes(changed.stderr, "some test images may have been training images");
  });
});

Deno.test("a bad folder ends in an error with a hint and leaves nothing behind", async () => {
  await inFolder({ ...squares(["a"], 3) }, async (folder) => {
    const { code, stdout, stderr } = await runTask("train", [
      "--dataset",
      folder,
      "--out",
      `${folder}/.models`,
    ]);
    assertEquals([code, stdout], [1, ""]);
    assertMatch(
      stderr,
      /^error: Cannot use the folder ".+" as it must have at least 2 class folders[^\n]*\nhint: [^\n]*\n$/,
    );
    assertEquals((await Array.fromAsync(Deno.readDir(folder))).length, 1);
  });
});

Deno.test("options that do not belong to the data set are refused", async (t) => {
  const cases: [string[], RegExp][] = [
    [
      ["--image-size", "32"],
      /--image-size is for a folder of your own, .* current data set is "fashion-mnist"/,
    ],
    [["--dataset", "silhouettes", "--channels", "3"], /--channels is for a folder of your own/],
    [["--dataset", "./photos", "--data", "x"], /--data is for the built-in data sets: .* folder ".\/photos"/],
    [["--image-size", "4"], /--image-size must be a whole number from 8 to 256: current value is "4"/],
    [["--channels", "4"], /--channels must be one of 1, 3: current value is "4"/],
    [["--dataset", "photos"], /--dataset must be one of fashion-mnist, silhouettes, or a folder/],
  ];
  await runSteps(
    t,
    cases.map(([args, message]) => [args.join(" "), async () => {
      const { code, stderr } = await runTask("train", args);
      assertMatch(stderr, message);
      assertEquals(code, 2);
    }]),
  );
});

Deno.test("a folder called like a built-in data set does not take its name", async () => {
  await inFolder(squares(["a", "b"], 5, "fashion-mnist/"), async (folder) => {
    const args = [
      "--dataset",
      `${folder}/fashion-mnist`,
      "--out",
      `${folder}/out`,
      ...FAST,
      "--epochs",
      "1",
      "--json",
    ];
    const { code, stdout, stderr } = await runTask("train", args);
    assertEquals(code, 0, stderr);
    assert(JSON.parse(stdout).file.endsWith("/out/fashion-mnist-folder/model.onnx"));
  });
});
