/**
 * The backbones with a name. This project does not include them: each is downloaded once, and its SHA-256 is
 * checked.
 *
 * @module
 */
import { join } from "node:path";
import { InputError } from "../../shared/errors.ts";
import { download, DownloadError, type DownloadOptions, type RemoteFile } from "../dataset/download.ts";
import { sha256 } from "../dataset/digest.ts";
import type { Normalization } from "./backbone.ts";
import { DATA_FOLDER } from "../files/data_folder.ts";

/** The folder of downloaded backbones. It can be deleted at any time. */
const BACKBONES_DIRECTORY = join(DATA_FOLDER, "backbones");

/** The usual normalization of ImageNet networks: mean and standard deviation of its pixels. */
export const IMAGENET: Normalization = { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] };

/** A backbone that can be downloaded. */
export interface NamedBackbone {
  file: RemoteFile;
  /** Addresses that end in a slash, tried in order. */
  mirrors: readonly string[];
  /** An SPDX identifier. */
  licence: string;
  /** Its home page. */
  source: string;
  normalization: Normalization;
  /** Height and width of the input in pixels. */
  imageSize: number;
  /** Top-1 accuracy on ImageNet's validation images, in percent. */
  top1: number;
}

/**
 * A network of `timm` as the ONNX Model Zoo exported it. Sizes and hashes are those of the Git LFS pointers in
 * https://github.com/onnx/models (commit d7a7b063), read on 2026-11-24; the files moved to Hugging Face.
 */
function timm(name: string, size: number, sha256: string, top1: number): NamedBackbone {
  const zoo = "https://huggingface.co/onnxmodelzoo";
  return {
    file: { name: `${name}.onnx`, size, sha256 },
    mirrors: [
      `${zoo}/${name}/resolve/main/`,
      `${zoo}/legacy_models/resolve/main/Computer_Vision/${name}_timm/`,
    ],
    licence: "Apache-2.0",
    source: `${zoo}/${name}`,
    normalization: IMAGENET,
    imageSize: 224,
    top1,
  };
}

/**
 * The named backbones. The first is the default: the most accurate on ImageNet. With int8 weights, all fit a worker.
 */
export const BACKBONES: Readonly<Record<string, NamedBackbone>> = {
  "mobilenetv3-large": timm(
    "mobilenetv3_large_100_Opset17",
    21_919_274,
    "b0b785f44a068dee4ff35bd88b114d4fd17a8bd635816f8f0ee46fa8b196c29f",
    75.8,
  ),
  "efficientnet-lite0": timm(
    "efficientnet_lite0_Opset17",
    18_560_054,
    "0baee602f78ce8b9d6bfdf32394956c4fa42a814c8d1f31de628b6f489842311",
    75.5,
  ),
  "mobilenetv2": timm(
    "mobilenetv2_100_Opset17",
    13_989_578,
    "fbfdd0ff7c3404264a44644a8d134e5a488e97a926beffb64c774cc534f90681",
    73.0,
  ),
  "lcnet": timm(
    "lcnet_100_Opset17",
    11_811_084,
    "46d0bfe38a99bb6c21b1ebeb4f8e6dc0814e6306cbf7f2d35baaeeda8885a9b9",
    72.1,
  ),
};

/** The name that `--backbone default` stands for. */
export const DEFAULT_BACKBONE = Object.keys(BACKBONES)[0]!;

/**
 * The file of a named backbone, downloaded unless it is there already.
 *
 * @param directory the folder of downloaded backbones
 * @returns the path
 * @throws {InputError} if no mirror has a file with the expected SHA-256
 */
export async function fetchBackbone(
  { file, mirrors }: NamedBackbone,
  options: DownloadOptions = {},
  directory = BACKBONES_DIRECTORY,
): Promise<string> {
  const path = join(directory, file.name);
  try {
    if (sha256(await Deno.readFile(path)) === file.sha256) return path;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  try {
    await download(file, mirrors, directory, options);
  } catch (cause) {
    if (!(cause instanceof DownloadError)) throw cause;
    throw new InputError(
      "unavailable",
      `${cause.message}:\n${cause.reasons.map((reason) => `  ${reason}`).join("\n")}`,
      {
        cause,
        hint: `Download it elsewhere, put it at ${path}, or name another ONNX file by --backbone FILE.onnx`,
      },
    );
  }
  return path;
}
