/** `deno task export`: writes what other inference servers need to serve a model. */
import { readModel, SHIPPED_MODEL, shortPath } from "../../shared/models.ts";
import { describeModel } from "../../shared/contract.ts";
import { InputError } from "../../shared/errors.ts";
import { sha256 } from "../../shared/sha256.ts";
import { note, print, runCommand } from "../cli/command.ts";
import { type Command, group, number, text } from "../cli/options.ts";
import { inferenceService } from "../deployment/kserve.ts";
import { TRITON_DEFAULTS, writeTritonRepository } from "../deployment/triton.ts";
import { formatYaml } from "../deployment/yaml.ts";
import { replaceFile } from "../files/replace_file.ts";

const command = {
  name: "deno task export",
  summary: "Write a Triton model repository or a KServe InferenceService for a model.",
  options: {
    model: text(
      "NAME|FILE",
      "The model: a name, a folder or an ONNX file",
      "the model that ships with the project",
    ),
    version: number("Version of the model in the Triton repository", {
      min: 1,
      max: Number.MAX_SAFE_INTEGER,
      whole: true,
      fallback: "1",
    }),
    ...group("Triton", {
      triton: text("DIR", "Add the model to the Triton model repository DIR, which is created if necessary"),
      "max-batch-size": number("Images per inference", {
        min: 1,
        max: 4096,
        whole: true,
        fallback: String(TRITON_DEFAULTS.maxBatchSize),
      }),
      "max-queue-delay": number("Microseconds that a request may wait to share an inference", {
        min: 0,
        max: 1_000_000,
        whole: true,
        fallback: String(TRITON_DEFAULTS.maxQueueDelayMicroseconds),
      }),
    }),
    ...group("KServe", {
      kserve: text("FILE", "Write an InferenceService to FILE, as YAML"),
      storage: text("URI", "Where the Triton model repository was uploaded, as s3://bucket/models"),
      image: text(
        "IMAGE",
        "Serve with this project's container image, which accepts pictures, and not with Triton",
      ),
      "min-replicas": number("Replicas without load", { min: 0, max: 1000, whole: true, fallback: "1" }),
      "max-replicas": number("Replicas under load", { min: 1, max: 1000, whole: true, fallback: "4" }),
      canary: number("Percentage of the requests that go to this revision", {
        min: 0,
        max: 100,
        whole: true,
      }),
    }),
  },
  notes: "At least one of --triton and --kserve is required; docs/scaling.md compares the engines.\n" +
    "Triton serves tensors only: it neither decodes nor preprocesses pictures.",
} satisfies Command;

await runCommand(command, async (values) => {
  const { triton, kserve, image, storage, canary } = values;
  if (triton === undefined && kserve === undefined) {
    throw new InputError(
      "usage",
      "Cannot export as at least one of --triton DIR and --kserve FILE must be given",
      {
        hint: `Try "${command.name} --help"`,
      },
    );
  }
  const minReplicas = values["min-replicas"] ?? 1;
  const maxReplicas = values["max-replicas"] ?? Math.max(4, minReplicas);
  if (maxReplicas < minReplicas) {
    throw new InputError(
      "usage",
      `Option --max-replicas must be at least --min-replicas, ${minReplicas}: current value is ${maxReplicas}`,
    );
  }
  const { bytes } = await readModel(values.model ?? SHIPPED_MODEL);
  const description = await describeModel(bytes);
  const version = values.version ?? 1;
  const resource = kserve === undefined ? undefined : inferenceService(description, {
    sha256: await sha256(bytes),
    bytes: bytes.length,
    modelVersion: version,
    ...(image !== undefined && { image }),
    ...(storage !== undefined && { storage }),
    minReplicas,
    maxReplicas,
    ...(canary !== undefined && { canary }),
  });
  if (triton !== undefined) {
    const files = await writeTritonRepository(triton, bytes, version, {
      maxBatchSize: values["max-batch-size"] ?? TRITON_DEFAULTS.maxBatchSize,
      maxQueueDelayMicroseconds: values["max-queue-delay"] ?? TRITON_DEFAULTS.maxQueueDelayMicroseconds,
    });
    for (const file of files) print(shortPath(file));
    note(`Serve it: tritonserver --model-repository=${shortPath(triton)}`);
  }
  if (kserve !== undefined && resource !== undefined) {
    await replaceFile(kserve, formatYaml(resource));
    print(shortPath(kserve));
    note(`Apply it: kubectl apply -f ${shortPath(kserve)}`);
  }
});
