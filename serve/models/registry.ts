/**
 * Several models, which are replaced, added and removed while the server runs. A new file is checked next to the model
 * that is in use: its hash, the contract, and a real inference. Then it gets all new requests; those that are active
 * finish with the model that they began with, which is released after them. A file that fails its checks changes
 * nothing.
 *
 * Models that have passed their checks need not stay in memory: the least recently used ones make room for others, and
 * are loaded again by the next request.
 *
 * @module
 */
import { InputError } from "../../shared/errors.ts";
import type { Classifier } from "../../shared/inference/classifier.ts";
import { Problem } from "../problem.ts";
import { Statistics } from "../statistics.ts";
import {
  type Lease,
  type MakeModel,
  type Models,
  type ModelStatus,
  type ServedModel,
  unknown,
} from "./models.ts";

/** A model in memory consists of its file, its weights, and a copy of both while ONNX Runtime loads them. */
const MEMORY_PER_FILE_BYTE = 3;

/** A file of a model. */
export interface ModelFile {
  name: string;
  /** The folder's name; absent if the model is directly in the folder of its name. */
  version?: string;
  /** Changes with the content. */
  signature: string;
  bytes: number;
  /** Reads and checks it; the model has the name, and the version, that are given here. */
  load(): Promise<Classifier>;
}

/** Where models come from. */
export interface ModelSource {
  list(): Promise<ModelFile[]>;
}

/** What happens to models, for the log. */
export type ModelEvent = "model ready" | "model rejected" | "model removed" | "model unloaded";

export interface RegistryOptions {
  source: ModelSource;
  make: MakeModel;
  /** The model of requests that name none; empty for the only one. */
  defaultName?: string;
  /** Bytes that loaded models may take together, as estimated from their files. */
  memoryBytes?: number;
  /**
   * Whether models are loaded, and so checked, by the first request for them. By default all are checked at the start,
   * which is too slow on platforms with short-lived servers.
   */
  isLazy?: boolean;
  onEvent?: (event: ModelEvent, fields: Record<string, unknown>) => void;
}

/** A model made from one file, for as long as it is in memory. */
interface Instance {
  readonly model: ServedModel;
  readonly file: ModelFile;
  /** Requests that use it. */
  active: number;
  /** Whether it has been replaced, so that it is released after its last request. */
  isRetired: boolean;
  /** Whether it is loaded, or being loaded. */
  takesMemory: boolean;
  usedAt: number;
  /** Why it could not be loaded. */
  reason: string;
}

/** One version of a model. */
interface Entry {
  readonly name: string;
  /** The folder's name; empty without one. */
  readonly folder: string;
  readonly statistics: Statistics;
  instance: Instance;
  /** Whether the instance's file has passed its checks. */
  isChecked: boolean;
  /** The version that the model had when it was last loaded. */
  version: string;
  /** The file that failed its checks last, which is not tried again. */
  rejected?: string;
  reason: string;
}

export class ModelRegistry implements Models {
  readonly #options: RegistryOptions;
  readonly #models = new Map<string, Entry[]>();
  readonly #unloaded = new Set<string>();
  #refreshing: Promise<void> = Promise.resolve();
  readonly #started: Promise<void>;
  #clock = 0;
  /** Whether the loaded models exceed the memory limit because all of them have requests. */
  #isCrowded = false;

  /** Starts to check the models; requests for a model that has not been checked load it first. */
  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#started = this.refresh();
    // `ready()` reports it.
    this.#started.catch(() => {});
  }

  lease(name: string = this.#defaultName(), version?: string): Lease {
    const { instance, statistics } = this.#find(name, version);
    instance.active++;
    instance.usedAt = ++this.#clock;
    return {
      engine: instance.model.engine,
      statistics,
      [Symbol.dispose]: (): void => {
        instance.active--;
        if (instance.isRetired) this.#release(instance);
        else if (this.#isCrowded) this.#makeRoom(0);
      },
    };
  }

  #defaultName(): string {
    const { defaultName = "" } = this.#options;
    if (defaultName !== "") return defaultName;
    const names = [...this.#models.keys()];
    if (names.length === 1) return names[0]!;
    throw new Problem(
      404,
      `This server has ${names.length} models and no default: GET /v1/models lists them, and MODEL names the default`,
    );
  }

  #find(name: string, version?: string): Entry {
    const entries = this.#models.get(name);
    if (!entries) throw unknown("model", name, [...this.#models.keys()].join(", "));
    if (this.#unloaded.has(name)) throw new Problem(404, `The model ${JSON.stringify(name)} is unloaded`);
    if (version === undefined) return currentOf(entries);
    const entry = entries.find((entry) => versionOf(entry) === version);
    if (!entry) throw unknown("version", version, entries.map(versionOf).join(", "));
    return entry;
  }

  async ready(): Promise<{ ready: boolean; reason?: string }> {
    try {
      await this.#started;
    } catch {
      return { ready: false, reason: "The models cannot be listed" };
    }
    const { defaultName = "" } = this.#options;
    const isReady = (name: string): boolean =>
      !this.#unloaded.has(name) && (this.#models.get(name)?.some(({ isChecked }) => isChecked) ?? false);
    const ready = defaultName === "" ? [...this.#models.keys()].some(isReady) : isReady(defaultName);
    return ready ? { ready } : { ready, reason: "No model can be used" };
  }

  async isReady(name: string, version?: string): Promise<boolean> {
    await this.#started.catch(() => {});
    return this.#find(name, version).isChecked;
  }

  loaded(): Classifier[] {
    return this.#entries().flatMap(({ instance }) => instance.model.engine.loaded ?? []);
  }

  list(): ModelStatus[] {
    return this.#entries().map((entry) => {
      const { name, instance, statistics, isChecked } = entry;
      const isUnloaded = this.#unloaded.has(name);
      return {
        ...{ name, version: versionOf(entry), statistics },
        isReady: isChecked && !isUnloaded,
        isLoaded: instance.model.engine.loaded !== undefined,
        isCurrent: currentOf(this.#models.get(name)!) === entry,
        reason: isUnloaded ? "unloaded" : entry.reason,
      };
    });
  }

  async load(name: string): Promise<void> {
    const wasUnloaded = this.#unloaded.delete(name);
    for (const entry of this.#models.get(name) ?? []) {
      if (!wasUnloaded) delete entry.rejected;
      else entry.isChecked = false;
    }
    await this.refresh();
    const entries = this.#models.get(name);
    if (!entries) throw unknown("model", name, [...this.#models.keys()].join(", "));
    const failed = entries.find(({ reason }) => reason !== "");
    if (failed) throw new Problem(400, `Cannot load the model ${JSON.stringify(name)}: ${failed.reason}`);
  }

  // deno-lint-ignore require-await -- other servers have to wait
  async unload(name: string): Promise<void> {
    const entries = this.#models.get(name);
    if (!entries) throw unknown("model", name, [...this.#models.keys()].join(", "));
    if (this.#unloaded.has(name)) return;
    this.#unloaded.add(name);
    for (const entry of entries) this.#evict(entry);
    this.#options.onEvent?.("model unloaded", { model: name });
  }

  /**
   * Compares the files with the models in use, and checks what is new.
   *
   * @throws what the source throws if it cannot list the files; then nothing has changed
   */
  refresh(): Promise<void> {
    // One after the other, so that a file is checked once.
    const refreshed = this.#refreshing.catch(() => {}).then(() => this.#refresh());
    this.#refreshing = refreshed;
    return refreshed;
  }

  async #refresh(): Promise<void> {
    const files = Map.groupBy(await this.#options.source.list(), ({ name }) => name);
    for (const [name, entries] of this.#models) {
      const left = new Set(files.get(name)?.map(({ version = "" }) => version));
      for (const entry of entries.filter(({ folder }) => !left.has(folder))) this.#remove(entry);
    }
    for (const name of [...files.keys()].sort()) {
      // In ascending order, so that the newest is the most recently used and is unloaded last.
      const sorted = files.get(name)!.sort((a, b) => compareFolders(a.version ?? "", b.version ?? ""));
      for (const file of sorted) this.#add(file);
      if (this.#unloaded.has(name)) continue;
      for (const file of sorted) await this.#check(file);
    }
  }

  /** Adds a model that is not known yet; it is not checked. */
  #add(file: ModelFile): void {
    const { name, version: folder = "" } = file;
    let entries = this.#models.get(name);
    if (!entries) this.#models.set(name, entries = []);
    if (entries.some((entry) => entry.folder === folder)) return;
    const statistics = new Statistics();
    const instance = this.#instance(file, statistics);
    entries.push({ name, folder, statistics, instance, isChecked: false, version: folder, reason: "" });
    entries.sort((a, b) => compareFolders(b.folder, a.folder));
  }

  /** Loads a file that is new or has not been checked, and replaces the one in use. */
  async #check(file: ModelFile): Promise<void> {
    const entry = this.#models.get(file.name)!.find(({ folder }) => folder === (file.version ?? ""))!;
    const isSame = entry.instance.file.signature === file.signature;
    if (entry.rejected === file.signature || (entry.isChecked && isSame)) return;
    const instance = isSame ? entry.instance : this.#instance(file, entry.statistics);
    if (this.#options.isLazy && !entry.instance.model.engine.loaded) {
      // No loaded model is replaced, so the next request checks the file.
      if (!isSame) this.#retire(entry.instance);
      entry.instance = instance;
      entry.isChecked = true;
      return;
    }
    try {
      const { description } = await instance.model.engine.classifier();
      entry.version = description.version;
    } catch {
      entry.rejected = file.signature;
      entry.reason = instance.reason;
      return;
    }
    const { instance: old } = entry;
    entry.instance = instance;
    instance.usedAt = ++this.#clock;
    entry.isChecked = true;
    entry.reason = "";
    delete entry.rejected;
    if (old !== instance) this.#retire(old);
    this.#options.onEvent?.("model ready", { model: entry.name, version: entry.version });
  }

  #remove(entry: Entry): void {
    const entries = this.#models.get(entry.name)!;
    entries.splice(entries.indexOf(entry), 1);
    if (entries.length === 0) this.#models.delete(entry.name);
    this.#retire(entry.instance);
    this.#options.onEvent?.("model removed", { model: entry.name, version: versionOf(entry) });
  }

  #instance(file: ModelFile, statistics: Statistics): Instance {
    const load = async (): Promise<Classifier> => {
      this.#makeRoom(file.bytes);
      instance.takesMemory = true;
      return await file.load();
    };
    const report = (error: unknown): void => {
      instance.takesMemory = false;
      instance.reason = messageOf(error);
      this.#options.onEvent?.("model rejected", {
        model: file.name,
        ...(file.version !== undefined && { version: file.version }),
        error: instance.reason,
      });
    };
    const instance: Instance = {
      model: this.#options.make({ load, report, statistics }),
      ...{ file, active: 0, isRetired: false, takesMemory: false, usedAt: ++this.#clock, reason: "" },
    };
    return instance;
  }

  /** Unloads the least recently used models without requests until another file fits, or none is left. */
  #makeRoom(bytes: number): void {
    const { memoryBytes = Infinity } = this.#options;
    const needed = MEMORY_PER_FILE_BYTE * bytes;
    if (needed > memoryBytes) {
      throw new InputError(
        "too-large",
        `Cannot load the model as it must need at most ${memoryBytes} bytes of memory: current value is ${needed}`,
      );
    }
    const loaded = this.#entries().filter(({ instance }) => instance.takesMemory);
    let total = needed;
    for (const { instance } of loaded) total += MEMORY_PER_FILE_BYTE * instance.file.bytes;
    this.#isCrowded = total > memoryBytes;
    loaded.sort((a, b) => a.instance.usedAt - b.instance.usedAt);
    for (const entry of loaded) {
      if (!this.#isCrowded) return;
      const { active, file, model } = entry.instance;
      // One that is being loaded is about to be used.
      if (active > 0 || model.engine.loaded === undefined) continue;
      this.#evict(entry);
      total -= MEMORY_PER_FILE_BYTE * file.bytes;
      this.#isCrowded = total > memoryBytes;
    }
  }

  /** Takes a model out of memory; the next request for it loads it again. */
  #evict(entry: Entry): void {
    const old = entry.instance;
    entry.instance = this.#instance(old.file, entry.statistics);
    entry.instance.usedAt = old.usedAt;
    this.#retire(old);
  }

  #retire(instance: Instance): void {
    instance.isRetired = true;
    this.#release(instance);
  }

  #release(instance: Instance): void {
    if (instance.active > 0) return;
    instance.takesMemory = false;
    instance.model.engine.close();
  }

  #entries(): Entry[] {
    return [...this.#models.values()].flat();
  }
}

/** The newest version that has passed its checks; a file directly in the model's folder counts as the newest. */
function currentOf(entries: Entry[]): Entry {
  return entries.find(({ isChecked }) => isChecked) ?? entries[0]!;
}

function versionOf({ folder, version }: Entry): string {
  return folder === "" ? version : folder;
}

/** By number where both are numbers; a model without a folder of its version is last. */
function compareFolders(a: string, b: string): number {
  if (a === "" || b === "") return Number(a === "") - Number(b === "");
  return a.localeCompare(b, "en", { numeric: true });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
