/**
 * The models of a server, as the routes use them.
 *
 * @module
 */
import type { Classifier } from "../../shared/inference/classifier.ts";
import type { Engine } from "../engine.ts";
import { Problem } from "../problem.ts";
import type { Statistics } from "../statistics.ts";

/** A model with its statistics. */
export interface ServedModel {
  readonly engine: Engine;
  readonly statistics: Statistics;
}

/** A model that stays loaded until the request is answered. */
export interface Lease extends ServedModel, Disposable {}

/** The state of a model, which is known without loading it. */
export interface ModelStatus {
  name: string;
  /** Empty if the model was never loaded. */
  version: string;
  /** Whether requests for it can be answered, after loading it if necessary. */
  isReady: boolean;
  /** Whether it is in memory. */
  isLoaded: boolean;
  /** Whether requests that name the model, but no version, get this one. */
  isCurrent: boolean;
  /** Why the model, or the newest file in its place, is not used; otherwise empty. */
  reason: string;
  statistics: Statistics;
}

/** Changes which models a server has. */
export interface Repository {
  /**
   * Loads a model from its file, or unloads all its versions, until the opposite is requested.
   *
   * @throws {Problem} 404 if there is no such model, 400 if it cannot be used, or if the server has a single model
   */
  load(name: string): Promise<void>;
  unload(name: string): Promise<void>;
}

export interface Models extends Repository {
  /**
   * Leases a model for the duration of a request.
   *
   * @param name the default model if absent
   * @param version the current one if absent
   * @throws {Problem} 404 if there is no such model
   */
  lease(name?: string, version?: string): Lease;
  /** Whether requests can be answered: a model has passed its checks. */
  ready(): Promise<{ ready: boolean; reason?: string }>;
  /**
   * Whether requests for one model can be answered.
   *
   * @throws {Problem} 404 if there is no such model
   */
  isReady(name: string, version?: string): Promise<boolean>;
  /** Loaded models. */
  loaded(): Classifier[];
  /** All models, by name and version. */
  list(): ModelStatus[];
}

/** Makes a model that is loaded when it is first needed. */
export type MakeModel = (options: {
  load: () => Promise<Classifier>;
  /** Receives the reason if it cannot be loaded; by default it is logged. */
  report?: (error: unknown) => void;
  /** The statistics of an earlier file of the same model. */
  statistics?: Statistics;
}) => ServedModel;

/** A server of one model, whatever its name; routes compare the names once it is loaded. */
export class SingleModel implements Models {
  readonly #lease: Lease;

  constructor(model: ServedModel) {
    this.#lease = { ...model, [Symbol.dispose]: (): void => {} };
  }

  lease(): Lease {
    return this.#lease;
  }

  ready(): Promise<{ ready: boolean; reason?: string }> {
    return this.#lease.engine.ready();
  }

  async isReady(name: string, version?: string): Promise<boolean> {
    if (!(await this.ready()).ready) return false;
    checkIdentity(this.#lease.engine.loaded!, name, version);
    return true;
  }

  loaded(): Classifier[] {
    const { loaded } = this.#lease.engine;
    return loaded ? [loaded] : [];
  }

  list(): ModelStatus[] {
    const { statistics } = this.#lease;
    return this.loaded().map(({ description: { name, version } }) => ({
      ...{ name, version, statistics },
      ...{ isReady: true, isLoaded: true, isCurrent: true, reason: "" },
    }));
  }

  load(): Promise<void> {
    return Promise.reject(fixed());
  }

  unload(): Promise<void> {
    return Promise.reject(fixed());
  }
}

function fixed(): Problem {
  return new Problem(
    400,
    "Cannot load or unload models as this server has a single one, without a folder MODELS",
  );
}

/** @throws {Problem} 404 if a request names another model or version */
export function checkIdentity({ description }: Classifier, name: string, version: string | undefined): void {
  if (name !== description.name) throw unknown("model", name, description.name);
  if (version !== undefined && version !== description.version) {
    throw unknown("version", version, description.version);
  }
}

/** @param known the models or versions that the server has */
export function unknown(what: "model" | "version", asked: string, known: string): Problem {
  return new Problem(
    404,
    `Unknown ${what} ${JSON.stringify(asked.slice(0, 80))}: this server has ${JSON.stringify(known)}`,
  );
}
