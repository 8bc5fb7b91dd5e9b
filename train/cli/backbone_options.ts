/** The options that choose a backbone. */
import { PHOTO_FITS, type PhotoFit } from "../../shared/image.ts";
import type { Backbone, Normalization, Store } from "../backbone/backbone.ts";
import type { OpenOptions } from "../backbone/open.ts";
import { hasFeatures } from "../backbone/feature_cache.ts";
import { BACKBONES, DEFAULT_BACKBONE } from "../backbone/registry.ts";
import { type View, VIEWS } from "../backbone/views.ts";
import type { Dataset } from "../dataset/mod.ts";
import { duration } from "../../shared/format.ts";
import { InputError } from "../../shared/errors.ts";
import { choice, type Option, text } from "./options.ts";
import { clearProgress, showDownload, showProgress } from "./progress.ts";

const VIEW_SETS: Record<string, readonly View[]> = {
  none: [],
  mirror: [VIEWS.mirror],
  crops: [VIEWS.mirror, ...VIEWS.corners],
};

/** For those who train on a folder of pictures without a backbone. */
export const BACKBONE_TIP =
  "Tip: if these are photographs, add --backbone default: a pretrained network raised the test accuracy on 596 " +
  "photographs of clothing from 50 to 85 % (docs/own-images.md)";

/** Three numbers, for red, green and blue. */
function perChannel(help: string): Option<[number, number, number]> {
  return {
    value: "R,G,B",
    help,
    parse(text): [number, number, number] | undefined {
      const numbers = text.split(",").map(Number);
      const [r, g, b] = numbers;
      return numbers.length === 3 && numbers.every(Number.isFinite) ? [r!, g!, b!] : undefined;
    },
    accepts: "three numbers, separated by commas",
  };
}

/** To be spread into a command's options. */
export const backboneOptions = {
  backbone: text(
    "NAME|FILE",
    `A pretrained network that makes features of pictures: default (${DEFAULT_BACKBONE}), ${
      Object.keys(BACKBONES).join(", ")
    }, or an ONNX file`,
  ),
  features: text(
    "NAME,…",
    "Tensors of the backbone to use as features; an unknown name lists all (default: the last one and an earlier one)",
  ),
  fit: choice(Object.keys(PHOTO_FITS), "How photographs are fitted into the input of a backbone", "crop"),
  views: choice(
    Object.keys(VIEW_SETS),
    "Views of each picture that a backbone sees beside the picture",
    "none",
  ),
  store: choice(["int8", "float32"], "How the weights of a model with a backbone are stored", "int8"),
  mean: perChannel(
    "Mean that the backbone's input normalization subtracts from pixels in 0..1 (default: ImageNet's)",
  ),
  deviation: perChannel("Standard deviation that the normalization divides by (default: ImageNet's)"),
};

/** The values of {@linkcode backboneOptions}. */
export interface BackboneValues {
  backbone?: string;
  features?: string;
  fit?: string;
  views?: string;
  store?: string;
  mean?: [number, number, number];
  deviation?: [number, number, number];
  "image-size"?: number;
  channels?: "1" | "3";
}

/**
 * Opens the backbone that the options name.
 *
 * @returns undefined if they name none
 * @throws {InputError} if an option goes with a backbone only, or not with one
 * @throws {InputError} if the backbone cannot be used
 */
export async function readBackbone(
  values: BackboneValues,
  signal: AbortSignal,
): Promise<Backbone | undefined> {
  if (values.backbone === undefined) {
    for (const key of Object.keys(backboneOptions) as (keyof BackboneValues)[]) {
      if (values[key] !== undefined) {
        throw new InputError("usage", `Option --${key} must be given together with --backbone`);
      }
    }
    return undefined;
  }
  if (values.channels === "1") {
    throw new InputError(
      "usage",
      "Option --channels must be 3 with --backbone, which takes RGB images: current value is 1",
    );
  }
  return await open(values, (values.store ?? "int8") as Store, signal);
}

async function open(values: BackboneValues, store: Store, signal: AbortSignal): Promise<Backbone> {
  const options: OpenOptions = {
    store,
    ...(values["image-size"] !== undefined && { imageSize: values["image-size"] }),
    ...(values.features !== undefined && { features: values.features.split(",") }),
    ...((values.mean ?? values.deviation) !== undefined && {
      normalization: {
        mean: values.mean ?? [0, 0, 0],
        deviation: values.deviation ?? [1, 1, 1],
      } as Normalization,
    }),
    download: {
      signal,
      onProgress: (done) => showDownload({ label: `Downloading ${values.backbone}`, done }),
    },
  };
  const { openBackbone } = await import("../backbone/open.ts");
  try {
    return await openBackbone(values.backbone!, options);
  } finally {
    clearProgress();
  }
}

/** What a data set must be loaded with for a backbone. */
export function photoOptions(
  { input }: Backbone,
  { fit = "crop" }: BackboneValues,
): { imageSize: number; channels: 3; preprocessing: (typeof PHOTO_FITS)[PhotoFit] } {
  return { imageSize: input.height, channels: 3, preprocessing: PHOTO_FITS[fit as PhotoFit] };
}

/** How much int8 weights may change the features, as a share of the variance between pictures. */
const MAX_NOISE = 0.05;

/**
 * Makes features of a data set. If int8 weights were not requested and change the features too much, the weights are
 * stored as float32.
 */
export async function makeFeatures(
  backbone: Backbone,
  dataset: Dataset,
  values: BackboneValues,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<{ backbone: Backbone; dataset: Dataset }> {
  let chosen = backbone;
  if (
    backbone.store === "int8" && values.store === undefined &&
    !await hasFeatures(backbone.sha256, backbone.size)
  ) {
    const float32 = await open(values, "float32", signal);
    const { int8Noise } = await import("../backbone/open.ts");
    const noise = await int8Noise(backbone, float32, dataset.train);
    const change = `int8 weights change the features by ${(100 * noise).toFixed(2)} % of their variance`;
    if (noise > MAX_NOISE) chosen = float32;
    say(`Storage: ${chosen.store}, as ${change}`);
  }
  let shownPercent = -1;
  const { withFeatures } = await import("../backbone/open.ts");
  const { dataset: featured, train, test } = await withFeatures(dataset, chosen, {
    views: VIEW_SETS[values.views ?? "none"]!,
    signal,
    onNote: say,
    onProgress({ done, total, secondsLeft }): void {
      const percent = Math.floor(100 * done / total);
      if (percent === shownPercent) return;
      shownPercent = percent;
      showProgress("Computing features", done / total, `${done} of ${total}, ${duration(secondsLeft)} left`);
    },
  });
  clearProgress();
  const computed = train.computed + test.computed;
  say(
    computed === 0
      ? "Features: reused from an earlier run"
      : `Features: ${computed} computed in ${duration(train.seconds + test.seconds)} by ${
        train.runner ?? test.runner
      }`,
  );
  return { backbone: chosen, dataset: featured };
}
