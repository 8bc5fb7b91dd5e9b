/**
 * Trains image classifiers with TensorFlow.js and exports them as ONNX.
 *
 * @module
 */
export { train, type TrainOptions, type TrainResult } from "./artifact/run.ts";
export { type Artifact, writeArtifact } from "./artifact/artifact.ts";
export type { ModelInfo } from "./artifact/export.ts";
export { type Backend, type BackendName, BACKENDS, type GemmName, GEMMS, useBackend } from "./backend/mod.ts";
export {
  type Dataset,
  type DatasetName,
  type DatasetOptions,
  type DatasetProgress,
  DATASETS,
  loadDataset,
  type Split,
} from "./dataset/mod.ts";
export { createDataset, type DatasetSource, type SplitSource } from "./dataset/create.ts";
export type { Features } from "./dataset/types.ts";
export {
  type Backbone,
  type BackboneOptions,
  type BackboneSource,
  type Normalization,
  type Store,
} from "./backbone/backbone.ts";
export { openBackbone, type OpenOptions } from "./backbone/open.ts";
export type { FeatureTensor } from "./backbone/features.ts";
export type { DownloadOptions } from "./dataset/download.ts";
export type { BeforeAfter, Bin, Calibration } from "./evaluation/calibration.ts";
export type { ClassScore, Evaluation } from "./evaluation/evaluation.ts";
export type { Mistake } from "./evaluation/mistakes.ts";
export type {
  EpochSummary,
  Score,
  StartEvent,
  StepEvent,
  TrainingListener,
  TrainingState,
} from "./learning/events.ts";
export { type Advice, adviseRecipe } from "./learning/advice.ts";
export type { FoldEvent } from "./learning/cross_validation.ts";
export type { FitOptions, FitResult } from "./learning/fit.ts";
export type { LinearWeights, Mlp } from "./learning/mlp.ts";
export type { Numbers } from "./learning/numbers.ts";
export { OPTIMIZERS, type Recipe, type RecipeName, RECIPES, SCHEDULES } from "./learning/recipe.ts";
export type { Preprocessing } from "../shared/image.ts";
export type { KeptScore } from "./evaluation/familiarity.ts";
export type { FamiliarityScore } from "./familiarity/graph.ts";
export type { FamiliarityMetrics } from "./familiarity/measure.ts";
export type { Familiarity, ImageShape, Metrics, Provenance, Reference } from "../shared/contract.ts";
export { InputError, type InputErrorCode, type InputErrorOptions } from "../shared/errors.ts";
