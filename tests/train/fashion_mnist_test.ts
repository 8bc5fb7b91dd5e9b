import { InputError } from "../../shared/errors.ts";
import { assertAlmostEquals, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { drawSilhouettes } from "../../shared/silhouettes/silhouettes.ts";
import { sha256 } from "../../train/dataset/digest.ts";
import { download } from "../../train/dataset/download.ts";
import {
  FASHION_MNIST_DIR,
  type FashionMnistFiles,
  type FashionMnistSource,
  loadFashionMnist,
} from "../../train/dataset/fashion_mnist.ts";
import { type DatasetProgress, loadDataset } from "../../train/dataset/mod.ts";

const official = Deno.env.get(FASHION_MNIST_DIR);
/** A variable of our own, as the environment belongs to all test files at once. */
const variable = "FASHION_MNIST_DIR_OF_THIS_TEST";

const NAMES: Record<keyof FashionMnistFiles, string> = {
  trainImages: "train-images-idx3-ubyte.gz",
  trainLabels: "train-labels-idx1-ubyte.gz",
  testImages: "t10k-images-idx3-ubyte.gz",
  testLabels: "t10k-labels-idx1-ubyte.gz",
};

const train = drawSilhouettes(30, 1);
const test = drawSilhouettes(10, 2);
const unpacked: Record<string, Uint8Array<ArrayBuffer>> = {
  [NAMES.trainImages]: new Uint8Array([0, 0, 8, 3, 0, 0, 0, 30, 0, 0, 0, 28, 0, 0, 0, 28, ...train.images]),
  [NAMES.trainLabels]: new Uint8Array([0, 0, 8, 1, 0, 0, 0, 30, ...train.labels]),
  [NAMES.testImages]: new Uint8Array([0, 0, 8, 3, 0, 0, 0, 10, 0, 0, 0, 28, 0, 0, 0, 28, ...test.images]),
  [NAMES.testLabels]: new Uint8Array([0, 0, 8, 1, 0, 0, 0, 10, ...test.labels]),
};
const packed: Record<string, Uint8Array<ArrayBuffer>> = {};
for (const [name, bytes] of Object.entries(unpacked)) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  packed[name] = await new Response(stream).bytes();
}

function describe(name: string): FashionMnistFiles[keyof FashionMnistFiles] {
  return { name, size: packed[name]!.length, sha256: sha256(packed[name]!) };
}

const files: FashionMnistFiles = {
  trainImages: describe(NAMES.trainImages),
  trainLabels: describe(NAMES.trainLabels),
  testImages: describe(NAMES.testImages),
  testLabels: describe(NAMES.testLabels),
};

/** A directory that is gone after the test. */
async function inTemporaryDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await run(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** A mirror on loopback; the handler sees the file's name. */
async function withMirror(
  answer: (name: string) => Response | Promise<Response>,
  run: (mirror: string, asked: string[]) => Promise<void>,
): Promise<void> {
  const asked: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const name = new URL(request.url).pathname.slice(1);
    asked.push(name);
    return answer(name);
  });
  try {
    await run(`http://127.0.0.1:${server.addr.port}/`, asked);
  } finally {
    await server.shutdown();
  }
}

function withFiles(run: (mirror: string, asked: string[]) => Promise<void>): Promise<void> {
  return withMirror((name) => new Response(packed[name]), run);
}

function listing(directory: string): string[] {
  try {
    return [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
  } catch {
    return [];
  }
}

async function writeAll(directory: string, contents: Record<string, Uint8Array>): Promise<void> {
  for (const [name, bytes] of Object.entries(contents)) await Deno.writeFile(`${directory}/${name}`, bytes);
}

Deno.test("loadFashionMnist() downloads once, then reads its cache", () =>
  inTemporaryDirectory((directory) =>
    withFiles(async (mirror, asked) => {
      const source: FashionMnistSource = {
        variable,
        cache: `${directory}/data/fashion-mnist`,
        mirrors: [mirror],
        files,
      };
      const progress: DatasetProgress[] = [];
      const dataset = await loadFashionMnist({ onProgress: (step) => progress.push(step) }, source);
      assertEquals(dataset.train, { ...train, count: 30 });
      assertEquals(dataset.test, { ...test, count: 10 });
      assertEquals(dataset.sha256, sha256(train.images, train.labels, test.images, test.labels));
      assertEquals(listing(source.cache), Object.values(NAMES).sort());
      const total = files.trainImages.size;
      assertEquals(progress[0], { label: `Downloading ${NAMES.trainImages}`, done: 0, total });
      assertEquals(progress.filter(({ done, total }) => done === total).length, 4);

      assertEquals(await loadFashionMnist({}, source), dataset);
      assertEquals(asked.length, 4);
    })
  ));

Deno.test("loadFashionMnist() tries the next mirror when one is down or lacks the file", () =>
  inTemporaryDirectory((directory) =>
    withFiles((mirror) =>
      withMirror(() => new Response("gone", { status: 404 }), async (empty, asked) => {
        // Nothing listens on port 1 of loopback.
        const mirrors = ["http://127.0.0.1:1/", empty, mirror];
        const dataset = await loadFashionMnist({}, { variable, cache: directory, mirrors, files });
        assertEquals(dataset.train.count, 30);
        assertEquals(asked.length, 4);
      })
    )
  ));

const FAULTS: Record<string, { body: (bytes: Uint8Array<ArrayBuffer>) => BodyInit; reason: string }> = {
  "a wrong hash": {
    body: (bytes) => bytes.map((byte, i) => i === 20 ? byte ^ 1 : byte),
    reason: "SHA-256 must be",
  },
  "a truncated file": { body: (bytes) => bytes.slice(0, -7), reason: "the size must be" },
  "extra bytes": { body: (bytes) => new Blob([bytes, "more"]), reason: "there are more" },
};

for (const [fault, { body, reason }] of Object.entries(FAULTS)) {
  Deno.test(`loadFashionMnist() refuses ${fault} from a mirror and keeps nothing`, () =>
    inTemporaryDirectory((directory) =>
      withMirror((name) => new Response(body(packed[name]!)), async (mirror) => {
        const error = await assertRejects(
          () => loadFashionMnist({}, { variable, cache: directory, mirrors: [mirror], files }),
          InputError,
        );
        assertStringIncludes(error.message, `${mirror}${NAMES.trainImages}: `);
        assertStringIncludes(error.message, reason);
        assertEquals(listing(directory), []);
      })
    ));
}

Deno.test("loadFashionMnist() refuses a connection that breaks and keeps nothing", () =>
  inTemporaryDirectory(async (directory) => {
    // One layer below Deno.serve, which could not hang up in the middle without printing that it did.
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const mirror = `http://127.0.0.1:${listener.addr.port}/`;
    const hangUp = (async (): Promise<void> => {
      using connection = await listener.accept();
      await connection.read(new Uint8Array(1024));
      const head = `HTTP/1.1 200 OK\r\nContent-Length: ${files.trainImages.size}\r\n\r\n`;
      await connection.write(new TextEncoder().encode(`${head}the first bytes`));
    })();
    const error = await assertRejects(
      () => loadFashionMnist({}, { variable, cache: directory, mirrors: [mirror], files }),
      InputError,
    );
    await hangUp;
    assertStringIncludes(error.message, `${mirror}${NAMES.trainImages}: `);
    assertEquals(listing(directory), []);
  }));

Deno.test("loadFashionMnist() gives up on a mirror that falls silent", () =>
  inTemporaryDirectory((directory) => {
    const silent = (name: string): Response =>
      new Response(
        new ReadableStream({ start: (controller) => controller.enqueue(packed[name]!.slice(0, 100)) }),
      );
    return withMirror(silent, async (mirror) => {
      const error = await assertRejects(
        () =>
          loadFashionMnist({}, { variable, cache: directory, mirrors: [mirror], files, stallTimeout: 50 }),
        InputError,
      );
      assertStringIncludes(error.message, "no data received for 50 ms");
      assertEquals(listing(directory), []);
    });
  }));

Deno.test("loadFashionMnist() stops when it is aborted and asks no other mirror", () =>
  inTemporaryDirectory((directory) =>
    withFiles(async (spare, asked) => {
      const interrupt = new AbortController();
      const endless = (name: string): Response =>
        new Response(
          new ReadableStream({ start: (controller) => controller.enqueue(packed[name]!.slice(0, 100)) }),
        );
      await withMirror(endless, async (mirror) => {
        const options = {
          signal: interrupt.signal,
          onProgress: ({ done }: DatasetProgress) => {
            if (done > 0) interrupt.abort(new Error("the user pressed Ctrl+C"));
          },
        };
        await assertRejects(
          () => loadFashionMnist(options, { variable, cache: directory, mirrors: [mirror, spare], files }),
          Error,
          "the user pressed Ctrl+C",
        );
      });
      assertEquals(asked, []);
      assertEquals(listing(directory), []);
    })
  ));

Deno.test("loadFashionMnist() lists the alternatives when there are neither files nor a network", () =>
  inTemporaryDirectory(async (directory) => {
    const error = await assertRejects(
      () => loadFashionMnist({}, { variable, cache: directory, mirrors: ["http://127.0.0.1:1/"], files }),
      InputError,
    );
    assertEquals(error.code, "unavailable");
    for (const way of ["--data DIR", "FASHION_MNIST_DIR", "--dataset silhouettes", "http://127.0.0.1:1/"]) {
      assertStringIncludes(`${error.message} ${error.hint}`, way);
    }
  }));

Deno.test("loadFashionMnist() names a corrupt file in the cache and does not use or replace it", () =>
  inTemporaryDirectory((directory) =>
    withFiles(async (mirror, asked) => {
      const corrupt = packed[NAMES.testLabels]!.slice(0, -1);
      await writeAll(directory, { ...packed, [NAMES.testLabels]: corrupt });
      const error = await assertRejects(
        () => loadFashionMnist({}, { variable, cache: directory, mirrors: [mirror], files }),
        InputError,
        `Cannot use "${directory}/${NAMES.testLabels}" as its SHA-256 must be ${files.testLabels.sha256}: ` +
          `current value is ${sha256(corrupt)}`,
      );
      assertStringIncludes(error.hint!, "Delete the file");
      assertEquals(await Deno.readFile(`${directory}/${NAMES.testLabels}`), corrupt);
      assertEquals(asked, []);
    })
  ));

Deno.test("download() keeps the old file and leaves no other when the disk refuses", () =>
  inTemporaryDirectory((directory) =>
    withFiles(async (mirror) => {
      // A directory cannot be replaced by a file, so the last step fails.
      const old = `${directory}/${NAMES.testLabels}`;
      await Deno.mkdir(old);
      await Deno.writeTextFile(`${old}/kept`, "old");
      await assertRejects(() => download(files.testLabels, [mirror], directory), Error);
      assertEquals(listing(directory), [NAMES.testLabels]);
      assertEquals(await Deno.readTextFile(`${old}/kept`), "old");
    })
  ));

Deno.test("loadFashionMnist() reads gzipped and plain files from a directory", () =>
  inTemporaryDirectory(async (directory) => {
    await writeAll(directory, {
      [NAMES.trainImages]: packed[NAMES.trainImages]!,
      "train-labels-idx1-ubyte": unpacked[NAMES.trainLabels]!,
      "t10k-images-idx3-ubyte": unpacked[NAMES.testImages]!,
      [NAMES.testLabels]: packed[NAMES.testLabels]!,
    });
    const dataset = await loadDataset("fashion-mnist", { data: directory });
    assertEquals(dataset.train, { ...train, count: 30 });
    assertEquals(dataset.test, { ...test, count: 10 });
    assertEquals(dataset.source, `${directory} (not the official images)`);
  }));

Deno.test("loadFashionMnist() takes the environment's directory, and --data before it", () =>
  inTemporaryDirectory(async (directory) => {
    await writeAll(directory, packed);
    const source = { variable, cache: `${directory}/cache`, mirrors: [], files };
    const missing = `${directory}/none`;
    Deno.env.set(variable, directory);
    try {
      assertEquals((await loadFashionMnist({}, source)).train.count, 30);
      await assertRejects(
        () => loadFashionMnist({ data: missing }, source),
        InputError,
        "given by --data",
      );
      Deno.env.set(variable, missing);
      await assertRejects(
        () => loadFashionMnist({}, source),
        InputError,
        `given by ${variable}`,
      );
      assertEquals((await loadFashionMnist({ data: directory }, source)).train.count, 30);
    } finally {
      Deno.env.delete(variable);
    }
  }));

Deno.test("loadFashionMnist() does not make up for a file that a named directory lacks", () =>
  inTemporaryDirectory((directory) =>
    withFiles(async (mirror, asked) => {
      await writeAll(directory, packed);
      await Deno.remove(`${directory}/${NAMES.testImages}`);
      await assertRejects(
        () => loadFashionMnist({ data: directory }, { variable, cache: directory, mirrors: [mirror], files }),
        InputError,
        `must contain "${NAMES.testImages}" or "t10k-images-idx3-ubyte": current directory is "${directory}"`,
      );
      assertEquals(asked, []);
    })
  ));

Deno.test("loadFashionMnist() names the broken file in a named directory", () =>
  inTemporaryDirectory(async (directory) => {
    await writeAll(directory, { ...packed, [NAMES.trainLabels]: packed[NAMES.testLabels]! });
    await assertRejects(
      () => loadFashionMnist({ data: directory }),
      InputError,
      `Cannot use "${directory}/${NAMES.trainLabels}"`,
    );
  }));

Deno.test({
  name: "loadFashionMnist() reads the official files" +
    (official === undefined ? ` (not run as ${FASHION_MNIST_DIR} is not set)` : ""),
  ignore: official === undefined,
  fn: async () => {
    const dataset = await loadFashionMnist({ data: official! });
    assertEquals([dataset.train.count, dataset.test.count], [60_000, 10_000]);
    assertEquals([...dataset.test.labels.subarray(0, 10)], [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]);
    for (
      const { images, mean } of [
        { images: dataset.train.images, mean: 0.286041 },
        { images: dataset.test.images, mean: 0.286849 },
      ]
    ) {
      let sum = 0;
      for (const pixel of images) sum += pixel;
      assertAlmostEquals(sum / images.length / 255, mean, 1e-6);
    }
    assertEquals(dataset.source, official);
  },
});
