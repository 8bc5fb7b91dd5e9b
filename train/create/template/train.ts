/**
 * Trains a model and writes it to `model/`: `deno task train DIR`, where DIR has a folder of pictures per class. Without
 * DIR, it learns garments drawn by code, to try things out.
 */
import {
  adviseRecipe,
  loadDataset,
  train,
  writeArtifact,
} from "@selvedge/selvedge/train";

const [folder] = Deno.args;
const dataset = await loadDataset(folder ?? "silhouettes", {
  onNote: console.error,
});
console.log(
  `${dataset.train.count} training images, classes: ${
    dataset.labels.join(", ")
  }`,
);

// A recipe that fits the number of pictures; change what you like, as epochs or hidden.
const { recipe } = adviseRecipe(dataset);
// The drawn garments are for a first try: a small network and few epochs.
if (folder === undefined) Object.assign(recipe, { hidden: [128], epochs: 5 });

const result = await train({
  name: "my-classifier",
  dataset,
  recipe,
  seed: 0,
  listeners: [{
    onEpoch: ({ epoch, trainLoss }) =>
      console.log(
        `epoch ${epoch}/${recipe.epochs}  loss ${trainLoss.toFixed(4)}`,
      ),
  }],
});

const file = await writeArtifact("model", result.artifact, result);
const { accuracy, images } = result.artifact.metrics.test;
console.log(
  `Accuracy ${
    (100 * accuracy).toFixed(1)
  } % of ${images} test images. Saved ${file}`,
);
