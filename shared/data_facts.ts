/**
 * Facts about the data sets that this project knows: for the model card, for the page of the server, and to decide
 * whether pictures may be shown.
 *
 * @module
 */

/** What is known of a data set. */
export interface DataFacts {
  /** Its name in words. */
  title: string;
  /** SHA-256 of its pixels and labels; absent if it is not fixed. */
  sha256?: string;
  /** What its images are, as a noun phrase; absent if this project does not know. */
  subject?: string;
  /** Some sentences, in Markdown. */
  summary: string;
  /** Under which terms it may be used. */
  licence: string;
  /** Limitations of a model trained on it, as list items. */
  limits: string[];
  /** Whether its images may be published beside the model, in git. */
  mayBeShown: boolean;
}

const FACTS: Record<string, DataFacts> = {
  "fashion-mnist": {
    title: "Fashion-MNIST",
    sha256: "ca3ab2a37f845e1b8ae23cab1b51749a3011ba3bf1d9016176d75cbaabac376f",
    subject: "small grey product photos of single garments on a plain background",
    summary:
      "[Fashion-MNIST](https://github.com/zalandoresearch/fashion-mnist) (Xiao, Rasul and Vollgraf, 2017, " +
      "<https://arxiv.org/abs/1708.07747>): 60,000 training and 10,000 test images, 28×28 pixels, " +
      "grey, made from the product photos of a shop, ten classes in equal numbers.",
    licence:
      "MIT, © Zalando SE. The original photos belong to the shop, so no image is distributed with the model.",
    limits: [
      "It was trained only on product photos: one garment, cut out, upright, on a plain background. For photos of people, of " +
      "several objects, or of anything outside the ten classes, it still returns one of them.",
      "The garments are from one European shop before 2017.",
      "Some labels of the data set are wrong, and shirts, T-shirts, pullovers and coats overlap: human " +
      "accuracy is 83.5 %.",
    ],
    mayBeShown: false,
  },
  "silhouettes": {
    title: "Silhouettes",
    subject: "drawings of garments that a program makes",
    summary:
      "Silhouettes: garments drawn by code (`shared/silhouettes/silhouettes.ts`), in the classes and the size of " +
      "Fashion-MNIST, 12,000 training and 2,000 test images. They are for trying things out; they are not photos.",
    licence: "MIT, as this project.",
    limits: ["It was not trained on photos: use it only to try the program out."],
    mayBeShown: true,
  },
};

/** What is known of a data set; of an unknown one, nothing may be shown. */
export function dataFacts(name: string): DataFacts {
  return Object.hasOwn(FACTS, name) ? FACTS[name]! : {
    title: name,
    summary: `${code(name)}, a data set that this project does not know.`,
    licence: "Unknown to this project: ask the authors of the data set.",
    limits: [
      "It was trained only on images like those of its data set. For any other image it still returns one of its " +
      "classes.",
    ],
    mayBeShown: false,
  };
}

function code(name: string): string {
  return `\`${name.replaceAll("`", "'")}\``;
}
