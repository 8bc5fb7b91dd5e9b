import {
  assertEquals,
  assertGreaterOrEqual,
  assertLess,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { fileURLToPath } from "node:url";
import { PREPROCESSINGS } from "../../shared/image.ts";
import { describeModel } from "../../shared/contract.ts";
import { sha256 } from "../../shared/sha256.ts";
import { readMetrics } from "../../train/artifact/metrics.ts";
import { readOnnx } from "../../shared/onnx/read.ts";
import { FASHION_MNIST, runTask, WITHOUT_DATA } from "../helpers/command.ts";
import { encodePng } from "../helpers/png_encoder.ts";

const folder = new URL("../../shared/artifacts/fashion-mnist/", import.meta.url);
const bytes = await Deno.readFile(new URL("model.onnx", folder));
const metrics = await readMetrics(fileURLToPath(folder));

Deno.test("the shipped model describes itself as its metrics.json does", async () => {
  const description = await describeModel(bytes);
  assertEquals(description.name, "fashion-mnist");
  assertEquals(description.labels[9], "Ankle boot");
  assertEquals(description.input, { channels: 1, height: 28, width: 28 });
  const { validation, test, calibration } = metrics;
  assertEquals(description.metrics, {
    validation: validation!,
    test,
    calibration: { temperature: calibration.temperature, ece: calibration.ece },
  });
  assertEquals(description.preprocessing, PREPROCESSINGS[1]);
  assertEquals(description.familiarity!.kept, 0.95);
  assertEquals(description.reference!.images, validation!.images);
  // Of 10,000 images, differences of a few tenths of a point are noise.
  assertLess(calibration.ece.after, 0.015);
  assertEquals(description.provenance, metrics.provenance);
  assertEquals(description.provenance.recipe!["name"], "default");
  assertEquals(await sha256(bytes), metrics.sha256);
});

Deno.test("the shipped model is the 784-512-512-10 network", () => {
  // The temperature and what computes the familiarity are not weights of the network.
  const initializers = readOnnx(bytes).initializers.filter(({ name }) =>
    name.startsWith("linear_relu_stack.")
  );
  assertEquals(initializers.map(({ dims }) => dims), [[512, 784], [512], [512, 512], [512], [10, 512], [10]]);
  assertEquals(initializers.reduce((sum, { data }) => sum + data.length, 0), 669_706);
  assertEquals(initializers.every(({ data }) => data.every(Number.isFinite)), true);
});

Deno.test({
  name: "the shipped model is as accurate as its metrics.json says, and at least 92 %" +
    (!FASHION_MNIST ? ` (${WITHOUT_DATA})` : ""),
  ignore: !FASHION_MNIST,
  fn: async () => {
    const { code, stdout, stderr } = await runTask("evaluate", ["--json"]);
    assertEquals(code, 0, stderr);
    const { images, accuracy, loss, classes, confusion } = JSON.parse(stdout);
    assertEquals({ images, accuracy, loss }, metrics.test);
    assertEquals(confusion, metrics.confusion);
    assertGreaterOrEqual(accuracy, 0.92);
    assertEquals(classes.length, 10);
  },
});

Deno.test("deno task predict names the garment in a PNG file, and the file that it cannot read", async () => {
  const file = await Deno.makeTempFile({ suffix: ".png" });
  await Deno.writeFile(
    file,
    encodePng({
      width: 28,
      height: 28,
      depth: 8,
      colour: 0,
      interlaced: false,
      filters: [0],
      // Two legs that meet at the waist.
      sample: (x, y) => x >= 9 && x < 20 && y >= 1 && y < 27 && (x !== 14 || y < 9) ? 200 : 0,
    }),
  );
  const one = await runTask("predict", [file, "--top-k", "2"]);
  assertEquals(one.code, 0, one.stderr);
  assertMatch(one.stdout, /\.png {2}Trouser +\d+\.\d % .+ \d+\.\d %\n$/);

  const json = await runTask("predict", [file, "--json", "--top-k=10"]);
  const { top } = JSON.parse(json.stdout);
  assertEquals(top.length, 10);
  assertEquals(top[0].label, "Trouser");

  const two = await runTask("predict", [file, "no-such.png", import.meta.filename!]);
  assertEquals(two.code, 1);
  assertMatch(two.stdout, /^file .*\n[^\n]* {2}Trouser [^\n]*\n$/, "the good file is answered all the same");
  assertStringIncludes(two.stderr, 'Cannot classify "no-such.png": there is no such file');
  assertStringIncludes(two.stderr, "it must be a PNG, JPEG or WebP file");
  await Deno.remove(file);
});

Deno.test("deno task evaluate refuses a file that is no model", async () => {
  for (
    const [file, message] of [["deno.json", "Cannot read ONNX file"], ["none.onnx", "there is no such file"]]
  ) {
    const { code, stderr } = await runTask("evaluate", ["--model", file!]);
    assertEquals(code, 1);
    assertStringIncludes(stderr, message!);
    assertEquals(stderr.includes("    at "), false, "without a stack trace");
  }
});
