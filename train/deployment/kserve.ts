/**
 * An `InferenceService` of KServe, `serving.kserve.io/v1beta1`
 * (https://kserve.github.io/website/docs/reference/crd-api).
 *
 * @module
 */
import type { ModelDescription } from "../../shared/contract.ts";
import { InputError } from "../../shared/errors.ts";
import type { Yaml } from "./yaml.ts";

/** Where KServe puts the files of a storage URI. */
const MOUNTED = "/mnt/models";

/** The user `deno` of the image denoland/deno (https://github.com/denoland/deno_docker). */
const DENO_USER = 1993;

/** The settings of an `InferenceService`. */
export interface KServeOptions {
  /** SHA-256 of the ONNX file, as 64 hexadecimal digits. */
  sha256: string;
  /** Size of the ONNX file in bytes. */
  bytes: number;
  /**
   * This project's container image: it decodes and preprocesses pictures. Without it, Triton serves the model, and
   * clients send tensors.
   */
  image?: string;
  /**
   * URI of the exported Triton model repository, as `s3://bucket/models`. Only an image that contains the model works
   * without it.
   */
  storage?: string;
  /** The version's folder in the repository. */
  modelVersion: number;
  minReplicas: number;
  maxReplicas: number;
  /** Percentage of the requests that the new revision receives, 0..100; absent for all. */
  canary?: number;
}

/**
 * The resource for a model.
 *
 * @throws {InputError} `usage` if neither `image` nor `storage` is given
 */
export function inferenceService({ name }: ModelDescription, options: KServeOptions): Yaml {
  const { image, storage, minReplicas, maxReplicas, canary } = options;
  if (image === undefined && storage === undefined) {
    throw new InputError(
      "usage",
      "Cannot write an InferenceService without --storage URI, where the Triton model repository is, or --image IMAGE",
    );
  }
  return {
    apiVersion: "serving.kserve.io/v1beta1",
    kind: "InferenceService",
    metadata: {
      name: resourceName(name),
      labels: { "app.kubernetes.io/name": resourceName(name), "app.kubernetes.io/managed-by": "selvedge" },
      annotations: {
        // Scaling by concurrency and canaries are Knative's.
        "serving.kserve.io/deploymentMode": "Knative",
        "selvedge/model": name,
        "selvedge/version": options.sha256.slice(0, 12),
      },
    },
    spec: {
      predictor: {
        minReplicas,
        maxReplicas,
        // Requests that one replica answers at a time, on average, before another is started.
        scaleMetric: "concurrency",
        scaleTarget: 8,
        // Seconds.
        timeout: 30,
        ...(canary !== undefined && { canaryTrafficPercent: canary }),
        ...(image === undefined
          ? { model: tritonModel(storage!, options) }
          : { containers: [projectContainer(name, image, options)] }),
      },
    },
  };
}

/** KServe's own Triton runtime, with the model repository from a storage. */
function tritonModel(storageUri: string, { bytes }: KServeOptions): Yaml {
  return {
    modelFormat: { name: "onnx", version: "1" },
    runtime: "kserve-tritonserver",
    protocolVersion: "v2",
    storageUri,
    resources: resources({ cpu: "1", memoryMiB: 2048, bytes }),
    ...probes({ port: 8080, live: "/v2/health/live", ready: "/v2/health/ready", startupSeconds: 120 }),
  };
}

/** This project's server. */
function projectContainer(
  name: string,
  image: string,
  { storage, sha256, bytes, modelVersion }: KServeOptions,
): Yaml {
  return {
    name: "kserve-container",
    image,
    env: [
      { name: "PROTOCOL", value: "v2" },
      // A replica with another file than the exported one does not become ready.
      { name: "MODEL_SHA256", value: sha256 },
      ...(storage === undefined ? [] : [
        { name: "STORAGE_URI", value: storage },
        { name: "MODEL", value: `${MOUNTED}/${name}/${modelVersion}/model.onnx` },
      ]),
    ],
    ports: [{ containerPort: 8000, protocol: "TCP" }],
    resources: resources({ cpu: "1", memoryMiB: 512, bytes }),
    securityContext: {
      runAsNonRoot: true,
      runAsUser: DENO_USER,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
    },
    ...probes({ port: 8000, live: "/livez", ready: "/readyz", startupSeconds: 60 }),
  };
}

/**
 * Requests equal limits, so that a replica is not evicted for lack of memory. Four times the model's size covers the
 * file, ONNX Runtime's copy of the weights and its buffers.
 */
function resources({ cpu, memoryMiB, bytes }: { cpu: string; memoryMiB: number; bytes: number }): Yaml {
  const model = Math.ceil(4 * bytes / 2 ** 20 / 64) * 64;
  const memory = `${memoryMiB + model}Mi`;
  return { requests: { cpu, memory }, limits: { cpu, memory } };
}

function probes(
  { port, live, ready, startupSeconds }: {
    port: number;
    live: string;
    ready: string;
    startupSeconds: number;
  },
): { [name: string]: Yaml } {
  const get = (path: string): Yaml => ({ path, port });
  return {
    startupProbe: { httpGet: get(live), periodSeconds: 2, failureThreshold: startupSeconds / 2 },
    livenessProbe: { httpGet: get(live), periodSeconds: 10, timeoutSeconds: 3, failureThreshold: 3 },
    readinessProbe: { httpGet: get(ready), periodSeconds: 5, timeoutSeconds: 3, failureThreshold: 3 },
  };
}

/** A name that KServe accepts, `[a-z]([-a-z0-9]*[a-z0-9])?`, from that of the model. */
function resourceName(model: string): string {
  const name = model.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^[^a-z]+|-+$/g, "");
  if (name !== "") return name.slice(0, 50).replace(/-+$/, "");
  throw new InputError(
    "unsupported",
    `Cannot name the InferenceService as the model's name must contain a letter: current value is "${model}"`,
    { hint: "deno task train --name NAME gives a model another name" },
  );
}
