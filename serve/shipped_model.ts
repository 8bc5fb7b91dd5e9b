/**
 * The model that ships with the project. It is part of the program: the same import gives a `Uint8Array` in
 * Deno and, by a rule in wrangler.toml, an `ArrayBuffer` in workerd.
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
import model from "../shared/artifacts/fashion-mnist/model.onnx" with { type: "bytes" };

/** An ONNX file that follows the contract. */
export const shippedModel: Uint8Array<ArrayBuffer> = new Uint8Array(model);

/** What is beside it. */
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
