/**
 * Fashion-MNIST (https://github.com/zalandoresearch/fashion-mnist): 60,000 + 10,000 garments, 28×28, ten
 * classes. Looked up in the directory that the user names, then in the project's cache, else downloaded
 * into that cache once.
 *
 * A directory that the user names may contain any IDX files of that shape, plain or gzipped, so that a smaller or
 * changed set can be trained on. The cache contains only the official files: each is checked against its SHA-256.
 *
 * @module
 */
import { InputError } from "../../shared/errors.ts";
import { join } from "node:path";
import { digestSplits, sha256 } from "./digest.ts";
import { download, DownloadError, type RemoteFile } from "./download.ts";
import { type NamedBytes, readSplit } from "./idx.ts";
import type { Dataset, DatasetOptions, Split } from "./types.ts";
import { DATA_FOLDER } from "../files/data_folder.ts";

/** The class names, in the order of the label numbers. */
export const FASHION_MNIST_LABELS = [
  "T-shirt/top",
  "Trouser",
  "Pullover",
  "Dress",
  "Coat",
  "Sandal",
  "Shirt",
  "Sneaker",
  "Bag",
  "Ankle boot",
] as const;

/** Environment variable that names a directory with the files. */
export const FASHION_MNIST_DIR = "FASHION_MNIST_DIR";

/** The four files of the data set. */
export interface FashionMnistFiles {
  trainImages: RemoteFile;
  trainLabels: RemoteFile;
  testImages: RemoteFile;
  testLabels: RemoteFile;
}

/** Where the official files are kept; tests put their own in place. */
export interface FashionMnistSource {
  /** Environment variable that names the user's directory. */
  variable: string;
  /** Directory that downloads go to. */
  cache: string;
  /** Addresses that a file's name is appended to, tried in order. */
  mirrors: readonly string[];
  files: FashionMnistFiles;
  /** How long a connection may stay silent, in ms. */
  stallTimeout?: number;
}

const SHAPE = { height: 28, width: 28, classes: FASHION_MNIST_LABELS.length };

/** {@linkcode Dataset.sha256} of the official files. */
const OFFICIAL_SHA256 = "ca3ab2a37f845e1b8ae23cab1b51749a3011ba3bf1d9016176d75cbaabac376f";

const OFFICIAL: FashionMnistSource = {
  variable: FASHION_MNIST_DIR,
  cache: join(DATA_FOLDER, "fashion-mnist"),
  mirrors: [
    // The two addresses that Zalando's README gives; the encrypted one first.
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
  ],
  files: {
    trainImages: {
      name: "train-images-idx3-ubyte.gz",
      size: 26_421_880,
      sha256: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    },
    trainLabels: {
      name: "train-labels-idx1-ubyte.gz",
      size: 29_515,
      sha256: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    },
    testImages: {
      name: "t10k-images-idx3-ubyte.gz",
      size: 4_422_102,
      sha256: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    },
    testLabels: {
      name: "t10k-labels-idx1-ubyte.gz",
      size: 5_148,
      sha256: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
  },
};

/**
 * Loads Fashion-MNIST.
 *
 * @param options.data a directory with the four files; wins over the environment and never falls through
 * @throws {InputError} if a directory that the user named lacks a file
 * @throws {InputError} if a file there is not what it must be
 * @throws {InputError} if a file in the cache is not the official one
 * @throws {InputError} if there are neither files nor a network to get them from
 */
export async function loadFashionMnist(
  options: DatasetOptions = {},
  source: FashionMnistSource = OFFICIAL,
): Promise<Dataset> {
  if (options.data !== undefined) return await fromDirectory(options.data, "--data");
  const directory = Deno.env.get(source.variable);
  if (directory) return await fromDirectory(directory, source.variable);

  const { files } = source;
  const read = (file: RemoteFile): Promise<NamedBytes> => fromCache(file, source, options);
  // One after the other: one large file uses the whole bandwidth anyway, and progress stays readable.
  const trainImages = await read(files.trainImages);
  const trainLabels = await read(files.trainLabels);
  const testImages = await read(files.testImages);
  const testLabels = await read(files.testLabels);
  return assemble(
    await readSplit(trainImages, trainLabels, SHAPE),
    await readSplit(testImages, testLabels, SHAPE),
    source.cache,
  );
}

async function fromDirectory(directory: string, origin: string): Promise<Dataset> {
  const { files } = OFFICIAL;
  const read = (file: RemoteFile): Promise<NamedBytes> => findFile(directory, file.name, origin);
  return assemble(
    await readSplit(await read(files.trainImages), await read(files.trainLabels), SHAPE),
    await readSplit(await read(files.testImages), await read(files.testLabels), SHAPE),
    directory,
  );
}

function assemble(train: Split, test: Split, directory: string): Dataset {
  const digest = digestSplits(train, test);
  return {
    name: "fashion-mnist",
    labels: FASHION_MNIST_LABELS,
    channels: 1,
    height: SHAPE.height,
    width: SHAPE.width,
    train,
    test,
    sha256: digest,
    source: digest === OFFICIAL_SHA256 ? directory : `${directory} (not the official images)`,
  };
}

/** Reads `name` or, without its ending, the unpacked file. */
async function findFile(directory: string, name: string, origin: string): Promise<NamedBytes> {
  const plain = name.replace(/\.gz$/, "");
  for (const candidate of [name, plain]) {
    const path = `${directory}/${candidate}`;
    const bytes = await readIfThere(path);
    if (bytes) return { name: path, bytes };
  }
  throw new InputError(
    "not-found",
    `Cannot load Fashion-MNIST as the directory given by ${origin} must contain "${name}" or "${plain}": ` +
      `current directory is "${directory}"`,
  );
}

async function fromCache(
  file: RemoteFile,
  source: FashionMnistSource,
  options: DatasetOptions,
): Promise<NamedBytes> {
  const path = `${source.cache}/${file.name}`;
  const bytes = await readIfThere(path);
  if (bytes) {
    const found = sha256(bytes);
    if (found !== file.sha256) {
      throw new InputError(
        "invalid-value",
        `Cannot use "${path}" as its SHA-256 must be ${file.sha256}: current value is ${found}`,
        { hint: "Delete the file to download it again" },
      );
    }
    return { name: path, bytes };
  }
  const { onProgress, signal } = options;
  try {
    return {
      name: path,
      bytes: await download(file, source.mirrors, source.cache, {
        ...(source.stallTimeout === undefined ? {} : { stallTimeout: source.stallTimeout }),
        ...(signal === undefined ? {} : { signal }),
        ...(onProgress === undefined ? {} : {
          onProgress: (done: number) =>
            onProgress({ label: `Downloading ${file.name}`, done, total: file.size }),
        }),
      }),
    };
  } catch (cause) {
    if (!(cause instanceof DownloadError)) throw cause;
    throw new InputError(
      "unavailable",
      `Cannot load Fashion-MNIST as it is neither in "${source.cache}" nor could it be downloaded` +
        cause.reasons.map((reason) => `\n  ${reason}`).join(""),
      {
        cause,
        hint: `Name a directory that has the four files with --data DIR or ${FASHION_MNIST_DIR}, ` +
          "or train on garments drawn by code with --dataset silhouettes",
      },
    );
  }
}

async function readIfThere(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  }
}
