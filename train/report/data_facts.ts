/**
 * What is known of the data sets: for the model card, and for the question whose pictures may be shown.
 *
 * @module
 */

export interface DataFacts {
  /** Some sentences, in Markdown. */
  summary: string;
  licence: string;
  /** What a model that has learnt from it must not be trusted with, as list items. */
  limits: string[];
  /** Whether its images may lie beside the model, in git and for everyone to see. */
  mayBeShown: boolean;
}

const FACTS: Record<string, DataFacts> = {
  "fashion-mnist": {
    summary:
      "[Fashion-MNIST](https://github.com/zalandoresearch/fashion-mnist) (Xiao, Rasul and Vollgraf, 2017, " +
      "<https://arxiv.org/abs/1708.07747>): 60,000 images to learn from and 10,000 to test on, 28×28 pixels, " +
      "grey, made from the product photos of a shop, ten classes in equal numbers.",
    licence:
      "MIT, © Zalando SE. The photos behind it are the shop's, so no image of it is kept with the model.",
    limits: [
      "It has seen product photos only: one garment, cut out, upright, on plain ground. On photos of people, of " +
      "several things, or of anything that is none of the ten classes, it still answers with one of them.",
      "The garments are what one European shop sold before 2017.",
      "Some labels of the data set are wrong, and shirts, T-shirts, pullovers and coats overlap: people who were " +
      "asked got 83.5 % right.",
    ],
    mayBeShown: false,
  },
  "silhouettes": {
    summary:
      "Silhouettes: garments drawn by code (`shared/silhouettes/silhouettes.ts`), in the classes and the size of " +
      "Fashion-MNIST, 12,000 to learn from and 2,000 to test on. They are for trying things out; they are no photos.",
    licence: "MIT, as this project.",
    limits: ["It has never seen a photo: it is of no use for anything but trying the program out."],
    mayBeShown: true,
  },
};

/** What is known of a data set; of an unknown one, nothing may be shown. */
export function dataFacts(name: string): DataFacts {
  return Object.hasOwn(FACTS, name) ? FACTS[name]! : {
    summary: `${code(name)}, a data set that this project knows nothing about.`,
    licence: "Unknown to this project: ask whoever made the data set.",
    limits: [
      "It has seen nothing but images like those of its data set; whatever is none of its classes, it still " +
      "calls one of them.",
    ],
    mayBeShown: false,
  };
}

function code(name: string): string {
  return `\`${name.replaceAll("`", "'")}\``;
}
