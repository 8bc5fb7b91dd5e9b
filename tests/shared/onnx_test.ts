import { Buffer } from "node:buffer";
import { assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import { describeModel } from "../../shared/contract.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { readOnnx } from "../../shared/onnx/read.ts";
import type { OnnxModel } from "../../shared/onnx/schema.ts";
import { writeOnnx } from "../../shared/onnx/write.ts";
import { mlpToOnnx } from "../../train/artifact/export.ts";
import type { LinearWeights } from "../../train/learning/mlp.ts";
import { InputError } from "../../shared/errors.ts";

const provenance = {
  dataset: { name: "dots", sha256: "0".repeat(64) },
  recipe: { epochs: 1 },
  seed: 7,
  backend: "cpu",
  codeVersion: "0.1.0",
};
const metrics = { test: { images: 2, accuracy: 0.5, loss: 0.75 } };
const info = {
  name: "tiny",
  labels: ["a", "b"],
  input: { channels: 1, height: 1, width: 2 },
  provenance,
  metrics,
};
// logits = relu(x·[[1, 2], [−1, 0]]ᵀ + [0, 0.5])·[[1, −1], [2, 0]]ᵀ + [0.25, 0]
const layers: LinearWeights[] = [
  {
    inFeatures: 2,
    outFeatures: 2,
    weight: new Float32Array([1, 2, -1, 0]),
    bias: new Float32Array([0, 0.5]),
  },
  {
    inFeatures: 2,
    outFeatures: 2,
    weight: new Float32Array([1, -1, 2, 0]),
    bias: new Float32Array([0.25, 0]),
  },
];

Deno.test("an exported network computes in ONNX Runtime what its formula says", async () => {
  const classifier = await Classifier.load(writeOnnx(mlpToOnnx(layers, info)));
  const { logits, probabilities } = await classifier.run(new Uint8Array([255, 0, 0, 255]));
  // x = [1, 0]: hidden [1, 0]; x = [0, 1]: hidden [2, 0.5]
  assertEquals([...logits], [1.25, 2, 1.75, 4]);
  assertAlmostEquals(probabilities[0]!, 1 / (1 + Math.exp(0.75)), 1e-6);
  assertAlmostEquals(probabilities[2]! + probabilities[3]!, 1, 1e-6);
  assertEquals(classifier.top(probabilities, 1).map(([best]) => best!.label), ["b", "b"]);
  await classifier.close();
});

Deno.test("an exported network describes itself", async () => {
  const bytes = writeOnnx(mlpToOnnx(layers, info));
  const description = await describeModel(bytes);
  assertEquals(description.labels, ["a", "b"]);
  assertEquals(description.input, { channels: 1, height: 1, width: 2 });
  assertEquals(description.metrics, metrics);
  assertEquals(description.provenance, provenance);
  assertEquals(description.version.length, 12);
});

Deno.test("a temperature is folded into the probabilities, and the logits stay raw", async () => {
  const pixels = new Uint8Array([255, 0, 0, 255]);
  const model = mlpToOnnx(layers, { ...info, temperature: 2.5 });
  assertEquals(model.nodes.map(({ op }) => op), ["Flatten", "Gemm", "Relu", "Gemm", "Div", "Softmax"]);
  const file = writeOnnx(model);
  assertEquals(readOnnx(file).initializers.at(-1), {
    name: "temperature",
    dims: [],
    data: new Float32Array([2.5]),
  });
  const classifier = await Classifier.load(file);
  const { logits, probabilities } = await classifier.run(pixels);
  await classifier.close();
  assertEquals([...logits], [1.25, 2, 1.75, 4]);
  assertAlmostEquals(probabilities[0]!, 1 / (1 + Math.exp(0.75 / 2.5)), 1e-6);
  assertAlmostEquals(probabilities[3]!, 1 / (1 + Math.exp(-2.25 / 2.5)), 1e-6);
});

Deno.test("a temperature of 1 leaves no trace in the file", () => {
  assertEquals(writeOnnx(mlpToOnnx(layers, { ...info, temperature: 1 })), writeOnnx(mlpToOnnx(layers, info)));
});

Deno.test("an exported network has Gemm nodes with PyTorch's names and layout", () => {
  const { nodes, initializers } = readOnnx(writeOnnx(mlpToOnnx(layers, info)));
  assertEquals(nodes.map(({ op }) => op), ["Flatten", "Gemm", "Relu", "Gemm", "Softmax"]);
  assertEquals(nodes[1]!.attributes, [{ name: "transB", type: "int", value: 1 }]);
  assertEquals(initializers.map(({ name, dims }) => [name, dims]), [
    ["linear_relu_stack.0.weight", [2, 2]],
    ["linear_relu_stack.0.bias", [2]],
    ["linear_relu_stack.2.weight", [2, 2]],
    ["linear_relu_stack.2.bias", [2]],
  ]);
});

Deno.test("writeOnnx() gives the bytes that the protobuf encoding prescribes", () => {
  const model: OnnxModel = {
    name: "g",
    doc: "",
    producer: { name: "p", version: "" },
    inputs: [],
    outputs: [],
    nodes: [{ name: "n", op: "Relu", inputs: ["x"], outputs: ["y"], attributes: [], doc: "" }],
    initializers: [{ name: "w", dims: [1], data: new Float32Array([1]) }],
    metadata: new Map([["k", "v"]]),
  };
  assertEquals(
    writeOnnx(model).toHex(),
    [
      "0808", // ir_version = 8
      "120170", // producer_name = "p"
      "3a23", // graph, 35 bytes
      "0a0f" + "0a0178" + "120179" + "1a016e" + "220452656c75", // node: x, y, n, Relu
      "120167", // name = "g"
      "2a0d" + "0801" + "1001" + "420177" + "4a040000803f", // initializer: dims 1, float, "w", raw 1.0
      "42040a001011", // opset_import: "", 17
      "72060a016b120176", // metadata_props: k = v
    ].join(""),
  );
});

const name = fc.string({ unit: "grapheme", maxLength: 8 });
const value = fc.record({
  name,
  type: fc.constant(1),
  shape: fc.array(fc.oneof(fc.nat(), fc.string({ minLength: 1, maxLength: 4 })), { maxLength: 4 }),
  doc: name,
  denotation: name,
  dimensionDenotations: fc.constant<string[]>([]),
});
const models: fc.Arbitrary<OnnxModel> = fc.record({
  name,
  doc: name,
  producer: fc.record({ name, version: name }),
  inputs: fc.array(value, { maxLength: 2 }),
  outputs: fc.array(value, { maxLength: 2 }),
  nodes: fc.array(
    fc.record({
      name,
      op: name,
      // Empty names are not written, as they are protobuf's default.
      inputs: fc.array(fc.string({ minLength: 1 }), { maxLength: 3 }),
      outputs: fc.array(fc.string({ minLength: 1 }), { maxLength: 3 }),
      attributes: fc.array(
        fc.oneof(
          fc.record({ name, type: fc.constant("int" as const), value: fc.maxSafeInteger() }),
          fc.record({
            name,
            type: fc.constant("float" as const),
            value: fc.float({ noNaN: true }),
          }),
        ),
        { maxLength: 2 },
      ),
      doc: name,
    }),
    { maxLength: 3 },
  ),
  initializers: fc.array(
    fc.tuple(name, fc.array(fc.float(), { maxLength: 6 })).map(([name, values]) => ({
      name,
      dims: [values.length],
      data: new Float32Array(values),
    })),
    { maxLength: 3 },
  ),
  metadata: fc.array(fc.tuple(name, name), { maxLength: 3 }).map((entries) => new Map(entries)),
});

Deno.test("readOnnx() reads back what writeOnnx() writes", () => {
  fc.assert(fc.property(models, (model) => assertEquals(readOnnx(writeOnnx(model)), model)));
});

Deno.test("readOnnx() reads a Buffer of Node.js as any other array of bytes", () => {
  const bytes = writeOnnx(mlpToOnnx(layers, info));
  assertEquals(readOnnx(Buffer.from(bytes)), readOnnx(bytes));
});

Deno.test("readOnnx() rejects damaged files or reads them, and never hangs or throws anything else", () => {
  const whole = writeOnnx(mlpToOnnx(layers, info));
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
      fc.nat(whole.length),
      (changes, length) => {
        const damaged = whole.slice(0, length);
        for (const [at, byte] of changes) if (at < length) damaged[at] = byte;
        try {
          readOnnx(damaged);
        } catch (error) {
          if (!(error instanceof InputError)) throw error;
        }
      },
    ),
    { numRuns: 2000 },
  );
});

Deno.test("readOnnx() rejects an empty file", () => {
  assertThrows(() => readOnnx(new Uint8Array()), InputError, "have no graph");
});

Deno.test("writeOnnx() rejects an initializer that does not fill its dimensions", () => {
  const model = mlpToOnnx(layers, info);
  model.initializers[0]!.dims = [3, 3];
  assertThrows(() => writeOnnx(model), InputError, "need 9 values: current length is 4");
});

Deno.test("describeModel() rejects a model that breaks the contract", async (t) => {
  const cases: [string, (model: OnnxModel) => void, string][] = [
    ["another input", ({ inputs }) => inputs[0]!.name = "x", 'must have an input "image"'],
    ["a fixed batch", ({ inputs }) => inputs[0]!.shape[0] = 1, "with a free N"],
    ["no logits", ({ outputs }) => outputs.shift(), 'must have an output "logits"'],
    ["too few labels", ({ metadata }) => metadata.set("selvedge.labels", '["a"]'), "shape [N, 1]"],
    ["no labels", ({ metadata }) => metadata.delete("selvedge.labels"), "array of class names"],
    [
      "a preprocessing of another version",
      ({ metadata }) => metadata.set("selvedge.preprocessing", '"grey-on-black-3"'),
      'must name a preprocessing that this version knows for 1 channels: current value is "grey-on-black-3"',
    ],
    ["labels that are no JSON", ({ metadata }) => metadata.set("selvedge.labels", "a,b"), "must be JSON"],
  ];
  for (const [title, spoil, message] of cases) {
    await t.step(title, async () => {
      const model = mlpToOnnx(layers, info);
      spoil(model);
      await assertRejects(() => describeModel(writeOnnx(model)), InputError, message);
    });
  }
});
