/**
 * The contents of a folder of pictures: one sub-folder per class, as torchvision's ImageFolder reads it, either
 * directly or within `train`, `test` and `validation` (or `val`). Class folders may have sub-folders.
 * Nothing outside the folder is read: links that lead out are skipped.
 *
 * @module
 */
import { InputError } from "../../shared/errors.ts";
import { isAbsolute, join, relative, sep } from "node:path";
import { MAX_CLASSES, MIN_CLASSES } from "./limits.ts";

/** One file that is to be read. */
export interface ImageFile {
  /** From the folder on. */
  path: string;
  /** Index into the listing's labels. */
  label: number;
}

/** One file that is not read, and why. */
export interface Skipped {
  /** From the folder on. */
  path: string;
  reason: string;
}

/** The files of a folder, in the order of their paths. */
export interface Listing {
  /** The folder, without links. */
  root: string;
  /** The classes' names, sorted, in Unicode's composed form (NFC). */
  labels: string[];
  train: ImageFile[];
  /** Absent if the folder has no splits. */
  test?: ImageFile[];
  /** Absent if the folder has none. */
  validation?: ImageFile[];
  skipped: Skipped[];
}

const SPLITS = ["train", "test", "validation", "val"];
/** Files of operating systems and archivers. Names that start with a dot are ignored too. */
const LITTER = new Set(["thumbs.db", "desktop.ini", "__macosx", "@eadir"]);

/**
 * Lists a folder.
 *
 * @throws {InputError} if it cannot be read, or is not laid out as it must be; the message says what to do
 */
export async function listImages(folder: string): Promise<Listing> {
  const walk: Walk = { root: await Deno.realPath(folder), shown: folder, skipped: [] };
  const top = await entriesOf(walk, "");
  const { folders } = top;
  const has = (name: string): boolean => folders.includes(name);
  const others = folders.filter((name) => !SPLITS.includes(name));
  if (has("train") && has("test") && others.length > 0) {
    throw refusal(
      walk,
      `the only folder beside "train" and "test" may be "validation": there is ${quote(others)}`,
      "Move class folders into both, and everything else elsewhere",
    );
  }
  if (has("validation") && has("val") && others.length === 0) {
    throw refusal(walk, 'it must have one validation split: there are "validation" and "val"', "Remove one");
  }
  // A class may be called "train" too, if there are others beside it.
  if (!has("train") || others.length > 0) {
    const classes = await listClasses(walk, "", top);
    return number(classes, { train: classes }, walk);
  }
  const train = await listClasses(walk, "train");
  const test = has("test") ? await listClasses(walk, "test") : undefined;
  const held = ["validation", "val"].find(has);
  const validation = held === undefined ? undefined : await listClasses(walk, held);
  if (test) compare(walk, train, test, "test");
  if (validation) compare(walk, train, validation, held!);
  return number(train, { train, ...(test && { test }), ...(validation && { validation }) }, walk);
}

interface Walk {
  /** Without links. */
  root: string;
  /** As the user wrote it, for messages. */
  shown: string;
  skipped: Skipped[];
}

/** Names in a folder. */
interface Entries {
  folders: string[];
  files: string[];
}

/** A class's name → its files. */
type Classes = Map<string, string[]>;

async function listClasses(walk: Walk, folder: string, entries?: Entries): Promise<Classes> {
  const { folders, files } = entries ?? await entriesOf(walk, folder);
  for (const name of files) {
    // A README may be there, but a picture was meant to be in a class.
    if (/\.(png|jpe?g|webp)$/i.test(name)) {
      walk.skipped.push({ path: join(folder, name), reason: "it is not in a class folder" });
    }
  }
  const classes: Classes = new Map();
  const seen = new Map<string, string>();
  for (const name of folders) {
    // File systems differ in which of these they distinguish; such a data set could not be copied between them.
    const key = name.normalize("NFKC").toLowerCase().trim();
    const twin = seen.get(key);
    if (twin !== undefined) {
      throw refusal(
        walk,
        `class folders must differ by more than case, spaces and Unicode form: ` +
          `there are ${quote([twin, name])} in "${folder || "."}"`,
        "Put their images into one of them",
      );
    }
    seen.set(key, name);
    const path = join(folder, name);
    const images = await filesIn(walk, path);
    if (images.length === 0) {
      throw refusal(
        walk,
        `each class folder must contain images: "${path}" has none`,
        "Add some or remove it",
      );
    }
    classes.set(name.normalize("NFC"), images);
  }
  if (classes.size < MIN_CLASSES) {
    throw refusal(
      walk,
      `${folder ? `"${folder}"` : "it"} must have at least ${MIN_CLASSES} class folders with images: ` +
        (classes.size === 0 ? "there are none" : `there is only ${quote([...classes.keys()])}`),
      "Make a folder for each class and put its PNG, JPEG or WebP files in",
    );
  }
  if (classes.size > MAX_CLASSES) {
    throw refusal(
      walk,
      `${folder ? `"${folder}"` : "it"} must have at most ${MAX_CLASSES} class folders: ` +
        `there are ${classes.size}`,
      "Is the folder one level too deep, or too high?",
    );
  }
  return classes;
}

/** All files of a class folder and of the folders in it. */
async function filesIn(walk: Walk, folder: string): Promise<string[]> {
  const { folders, files } = await entriesOf(walk, folder);
  const paths = files.map((name) => join(folder, name));
  for (const name of folders) paths.push(...await filesIn(walk, join(folder, name)));
  return paths.sort();
}

/** Names in a folder, sorted, without ignored names; links are followed to files within the root only. */
async function entriesOf(walk: Walk, folder: string): Promise<Entries> {
  const folders: string[] = [], files: string[] = [];
  try {
    for await (const entry of Deno.readDir(join(walk.root, folder))) {
      const { name } = entry;
      if (name.startsWith(".") || LITTER.has(name.toLowerCase())) continue;
      if (entry.isDirectory) folders.push(name);
      else if (entry.isFile) files.push(name);
      else {
        const path = join(folder, name);
        const reason = entry.isSymlink
          ? await faultOfLink(walk.root, path)
          : "it is neither a file nor a folder";
        if (reason === undefined) files.push(name);
        else walk.skipped.push({ path, reason });
      }
    }
  } catch (cause) {
    throw refusal(walk, `"${folder || "."}" ${whyUnreadable(cause)}`, undefined, cause);
  }
  return { folders: folders.sort(), files: files.sort() };
}

async function faultOfLink(root: string, path: string): Promise<string | undefined> {
  let target: string;
  try {
    target = await Deno.realPath(join(root, path));
  } catch {
    return "it is a broken link";
  }
  const inside = relative(root, target);
  if (inside === ".." || inside.startsWith(`..${sep}`) || isAbsolute(inside)) {
    return "it is a link out of the folder";
  }
  // A link to a folder could form a cycle.
  return (await Deno.stat(target)).isFile ? undefined : "it is a link to a folder";
}

/** Why a file or folder is unreadable, to follow its name. */
export function whyUnreadable(error: unknown): string {
  if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable) {
    return "is not readable: permission denied";
  }
  return `cannot be read: ${(error as Error).message}`;
}

function compare(walk: Walk, train: Classes, other: Classes, name: string): void {
  const missing = [...train.keys()].filter((label) => !other.has(label));
  const extra = [...other.keys()].filter((label) => !train.has(label));
  if (missing.length === 0 && extra.length === 0) return;
  throw refusal(
    walk,
    `"train" and "${name}" must have the same class folders: ` +
      [
        ...(missing.length > 0 ? [`only "train" has ${quote(missing)}`] : []),
        ...(extra.length > 0 ? [`only "${name}" has ${quote(extra)}`] : []),
      ].join(", "),
    "Rename or remove what does not match",
  );
}

/** Turns names into numbers. */
function number(
  classes: Classes,
  { train, test, validation }: { train: Classes; test?: Classes; validation?: Classes },
  { root, skipped }: Walk,
): Listing {
  const labels = [...classes.keys()].sort();
  const files = (split: Classes): ImageFile[] =>
    labels.flatMap((name, label) => split.get(name)!.map((path) => ({ path, label })));
  return {
    root,
    labels,
    train: files(train),
    ...(test && { test: files(test) }),
    ...(validation && { validation: files(validation) }),
    skipped,
  };
}

function refusal({ shown }: Walk, why: string, hint?: string, cause?: unknown): InputError {
  return new InputError("invalid-value", `Cannot use the folder "${shown}" as ${why}`, {
    cause,
    ...(hint !== undefined && { hint }),
  });
}

/** The first few, in quotation marks. */
function quote(names: string[]): string {
  const more = names.length > 5 ? ` and ${names.length - 5} more` : "";
  return names.slice(0, 5).map((name) => `"${name}"`).join(", ") + more;
}
