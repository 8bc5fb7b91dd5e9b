/**
 * What is beside the model that ships with the project.
 *
 * @module
 */
import card from "../shared/artifacts/fashion-mnist/MODEL_CARD.md" with { type: "text" };
import confusion from "../shared/artifacts/fashion-mnist/confusion_matrix.svg" with { type: "text" };
import examples from "../shared/artifacts/fashion-mnist/examples.json" with { type: "text" };
import familiarity from "../shared/artifacts/fashion-mnist/familiarity.svg" with { type: "text" };
import weights from "../shared/artifacts/fashion-mnist/first_weights.svg" with { type: "text" };
import curves from "../shared/artifacts/fashion-mnist/learning_curves.svg" with { type: "text" };
import reliability from "../shared/artifacts/fashion-mnist/reliability.svg" with { type: "text" };
import type { ModelFiles } from "./model_files.ts";

/** The model card, its plots and the examples of the playground. */
export const shippedFiles: ModelFiles = {
  card,
  plots: {
    "learning_curves.svg": curves,
    "confusion_matrix.svg": confusion,
    "reliability.svg": reliability,
    "familiarity.svg": familiarity,
    "first_weights.svg": weights,
  },
  examples,
};
