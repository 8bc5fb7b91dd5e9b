import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { Ajv } from "ajv";
import { join } from "node:path";
import { parse } from "yaml";
import kserveSchema from "../../fixtures/kserve_inference_service.json" with { type: "json" };
import tritonSchema from "../../fixtures/triton_model_config.json" with { type: "json" };
import { createApp } from "../../serve/app.ts";
import { describeModel } from "../../shared/contract.ts";
import { InputError } from "../../shared/errors.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { readModel, SHIPPED_MODEL } from "../../shared/models.ts";
import { readOnnx } from "../../shared/onnx/read.ts";
import { writeOnnx } from "../../shared/onnx/write.ts";
import { sha256 } from "../../shared/sha256.ts";
import { inferenceService } from "../../train/deployment/kserve.ts";
import { tritonFiles, writeTritonRepository } from "../../train/deployment/triton.ts";
import { formatYaml } from "../../train/deployment/yaml.ts";
import { runTask } from "../helpers/command.ts";
import { inTemporaryFolder } from "../helpers/temporary_folder.ts";
import { parseTextFormat } from "../helpers/text_format.ts";
import { tinyModel } from "../helpers/tiny_model.ts";

const validate = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(kserveSchema);

interface Tensor {
  name: string;
  data_type: string;
  dims: number[];
  reshape?: { shape?: number[] };
  label_filename?: string;
}

interface ModelConfig {
  name: string;
  backend: string;
  max_batch_size: number;
  input: Tensor[];
  output: Tensor[];
  parameters: Record<string, { string_value: string }>;
}

async function configOf(bytes: Uint8Array<ArrayBuffer>): Promise<ModelConfig> {
  const { config } = await tritonFiles(bytes);
  return parseTextFormat(config, tritonSchema, "ModelConfig") as unknown as ModelConfig;
}

/** The tiny model with another name or other labels. */
function variant({ name, labels }: { name?: string; labels?: string[] }): Uint8Array<ArrayBuffer> {
  const model = readOnnx(tinyModel());
  if (name !== undefined) model.name = name;
  if (labels) model.metadata.set("selvedge.labels", JSON.stringify(labels));
  return writeOnnx(model);
}

Deno.test("export: the configuration follows Triton's ModelConfig and the ONNX file", async () => {
  const { bytes } = await readModel(SHIPPED_MODEL);
  const config = await configOf(bytes), model = readOnnx(bytes), description = await describeModel(bytes);
  assertEquals([config.name, config.backend], [description.name, "onnxruntime"]);
  assertEquals(
    [config.input, config.output].map((list) => list.map(({ name }) => name)),
    [model.inputs, model.outputs].map((list) => list.map(({ name }) => name)),
  );
  for (const { dims, data_type } of [...config.input, ...config.output]) {
    assertEquals(data_type, "TYPE_FP32");
    assert(dims.length > 0 && dims.every((n) => Number.isInteger(n) && n > 0), `${dims}`);
  }
  assertEquals(config.input[0]!.dims, model.inputs[0]!.shape.slice(1));
  assertEquals(config.parameters["preprocessing"], { string_value: description.preprocessing! });
});

Deno.test("export: Triton's model metadata is that of this project's server", async () => {
  const { name, input, output } = await configOf(tinyModel());
  const app = createApp({ load: () => Classifier.load(tinyModel()), report: () => {} });
  const { inputs, outputs } = await (await app.request(`/v2/models/${name}`)).json();
  // With batching, Triton puts a free dimension before those of the configuration.
  const metadata = (list: Tensor[]): unknown[] =>
    list.map(({ name, dims }) => ({ name, datatype: "FP32", shape: [-1, ...dims] }));
  assertEquals([metadata(input), metadata(output)], [inputs, outputs]);
});

Deno.test("export: an output of shape [N] is reshaped to [N, 1], as Triton requires dims", async () => {
  const { output } = await configOf(tinyModel({ familiarity: true }));
  assertEquals(output.at(-1), {
    name: "familiarity",
    data_type: "TYPE_FP32",
    dims: [1],
    reshape: { shape: [] },
  });
  assertEquals(output.filter(({ label_filename }) => label_filename).map(({ name }) => name), [
    "probabilities",
  ]);
});

Deno.test("export: names and labels that Triton cannot represent are refused", async () => {
  await assertRejects(() => tritonFiles(variant({ name: "a b" })), InputError, "its name must consist of");
  await assertRejects(
    () => tritonFiles(variant({ labels: ["a", "b\nc", "d"] })),
    InputError,
    "must be one line",
  );
});

Deno.test("export: labels of any script and punctuation keep their lines", async () => {
  const labels = ['with "quotes"', "größe # 5", "سترة"];
  assertEquals((await tritonFiles(variant({ labels }))).labels, labels.join("\n") + "\n");
});

Deno.test("export: a model repository receives further versions, and only of the same kind", async () => {
  await inTemporaryFolder(async (folder) => {
    const first = tinyModel(), second = tinyModel({ measured: false });
    await writeTritonRepository(folder, first, 1);
    // The same again changes nothing.
    await writeTritonRepository(folder, first, 1);
    await assertRejects(() => writeTritonRepository(folder, second, 1), InputError, "as version 1 in");
    const files = await writeTritonRepository(folder, second, 2);
    assertEquals(
      files,
      ["config.pbtxt", "labels.txt", "2/model.onnx"].map((name) => join(folder, "columns", name)),
    );
    for (const [version, bytes] of [[1, first], [2, second]] as const) {
      assertEquals(await Deno.readFile(join(folder, "columns", `${version}`, "model.onnx")), bytes);
    }
    const others = [variant({ labels: ["a", "b", "c"] }), tinyModel({ familiarity: true })];
    for (const other of others) {
      await assertRejects(
        () => writeTritonRepository(folder, other, 3),
        InputError,
        "must be those of version 1",
      );
    }
  });
});

const OPTIONS = {
  modelVersion: 3,
  minReplicas: 1,
  maxReplicas: 4,
  bytes: 2_700_000,
  sha256: "ab".repeat(32),
};

Deno.test("export: an InferenceService follows KServe's schema, with Triton and with this project's image", async () => {
  const description = await describeModel(tinyModel());
  for (
    const choice of [
      { storage: "s3://bucket/models" },
      { image: "registry.example/selvedge:1" },
      { image: "registry.example/selvedge:1", storage: "pvc://models/triton", canary: 10 },
    ]
  ) {
    const resource = inferenceService(description, { ...OPTIONS, ...choice });
    const read = parse(formatYaml(resource));
    assertEquals(read, resource);
    assert(validate(read), JSON.stringify(validate.errors));
    const { metadata, spec: { predictor } } = parse(formatYaml(resource));
    assertEquals(metadata.annotations["serving.kserve.io/deploymentMode"], "Knative");
    assertEquals(predictor.canaryTrafficPercent, choice.canary);
    const container = predictor.model ?? predictor.containers[0];
    for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"]) {
      assertMatch(
        container[probe].httpGet.path,
        choice.image ? /^\/(livez|readyz)$/ : /^\/v2\/health\/(live|ready)$/,
      );
    }
    assertEquals(Object.keys(container.resources.limits), ["cpu", "memory"]);
  }
  // The schema does refuse something.
  assert(!validate({ ...inferenceService(description, { ...OPTIONS, image: "x" }) as object, spec: {} }));
});

Deno.test("export: the probes and variables of the custom predictor are those of the server", async () => {
  const { name, version } = await describeModel(tinyModel());
  const app = createApp({ load: () => Classifier.load(tinyModel()), report: () => {} });
  const resource = inferenceService(await describeModel(tinyModel()), {
    ...OPTIONS,
    image: "x",
    storage: "s3://b",
  });
  // deno-lint-ignore no-explicit-any
  const [container] = (resource as any).spec.predictor.containers;
  for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"]) {
    assertEquals((await app.request(container[probe].httpGet.path)).status, 200);
  }
  const env = Object.fromEntries(
    container.env.map(({ name, value }: Record<string, string>) => [name!, value]),
  );
  assertEquals(env["MODEL_SHA256"], OPTIONS.sha256);
  assertEquals(env["MODEL"], `/mnt/models/${name}/3/model.onnx`);
  assertEquals(version.length, 12);
  const dockerfile = await Deno.readTextFile(new URL("../../Dockerfile", import.meta.url));
  assertMatch(dockerfile, /--allow-read=[^"]*\/mnt\/models/);
  assertMatch(dockerfile, /^EXPOSE 8000$/m);
  assertEquals(container.ports, [{ containerPort: 8000, protocol: "TCP" }]);
});

Deno.test("export: an InferenceService needs a storage or an image, and a name with a letter", async () => {
  const description = await describeModel(tinyModel());
  assertThrows(() => inferenceService(description, OPTIONS), InputError, "without --storage URI");
  assertThrows(
    () => inferenceService({ ...description, name: "123" }, { ...OPTIONS, image: "x" }),
    InputError,
  );
  const { metadata } = inferenceService({ ...description, name: "My_Photos.2" }, {
    ...OPTIONS,
    image: "x",
  }) as {
    metadata: { name: string };
  };
  assertEquals(metadata.name, "my-photos-2");
});

Deno.test("formatYaml() quotes what would be read as another type", () => {
  const values = [
    "1",
    "true",
    "no",
    "~",
    "null",
    "0x1f",
    "1e3",
    "a: b",
    "# c",
    "- d",
    "",
    " e",
    "2026-01-01",
    "ü",
    "y",
  ];
  const document = { list: values, nested: [{ a: 1, b: ["x"] }, ["y", 2.5, false]] };
  assertEquals(parse(formatYaml(document)), document);
});

Deno.test("deno task export writes both from one command", async () => {
  await inTemporaryFolder(async (folder) => {
    const file = join(folder, "service.yaml");
    const args = ["--triton", join(folder, "models"), "--kserve", file, "--storage", "s3://bucket/models"];
    const { code, stderr } = await runTask("export", [...args, "--canary", "5"]);
    assertEquals(code, 0, stderr);
    assert(validate(parse(await Deno.readTextFile(file))), JSON.stringify(validate.errors));
    const { bytes } = await readModel(SHIPPED_MODEL);
    const { name } = await describeModel(bytes);
    const written = await Deno.readFile(join(folder, "models", name, "1", "model.onnx"));
    assertEquals(await sha256(written), await sha256(bytes));
    const wrong = await runTask("export", []);
    assertEquals(wrong.code, 2);
    assertMatch(wrong.stderr, /at least one of --triton DIR and --kserve FILE must be given/);
    const replicas = await runTask("export", [...args, "--min-replicas", "3", "--max-replicas", "2"]);
    assertMatch(replicas.stderr, /--max-replicas must be at least --min-replicas, 3: current value is 2/);
  });
});

Deno.test("the commands of docs/scaling.md export a model and write what the page says", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/scaling.md", import.meta.url));
  const { bytes } = await readModel(SHIPPED_MODEL);
  const { name } = await describeModel(bytes);
  await inTemporaryFolder(async (folder) => {
    const commands = page.match(/^deno task export .*$/gm) ?? [];
    assertEquals(commands.length, 3);
    for (const command of commands) {
      // Split first: the paths of this machine may have spaces.
      const args = command.split(" ").slice(3).map((arg) =>
        arg.replace(/^my-photos$/, SHIPPED_MODEL)
          .replace("models/triton", join(folder, "models/triton"))
          .replace("service.yaml", join(folder, "service.yaml"))
      );
      const { code, stderr } = await runTask("export", args);
      assertEquals(code, 0, stderr);
    }
    // The tree of files after the first command.
    const files = page.match(/^models\/triton\/\S+/gm) ?? [];
    assertEquals(files.length, 3);
    for (const file of files) {
      assert((await Deno.stat(join(folder, file.replace("my-photos", name)))).isFile, file);
    }
    assertEquals(parse(await Deno.readTextFile(join(folder, "service.yaml"))).metadata.name, name);
  });
});
