/**
 * The settings of a server: each variable with its default, unit, range and reason. `docs/deploy.md` shows the same
 * table, and a test compares the two.
 *
 * The limits fit the smallest runtime, a Cloudflare isolate: 128 MB of memory for all the requests that it answers at
 * a time, on one thread (https://developers.cloudflare.com/workers/platform/limits/, as of November 2026).
 *
 * @module
 */
import * as v from "valibot";
import { InputError } from "../shared/errors.ts";

/** Levels of the log, from the most verbose. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = typeof LOG_LEVELS[number];

/** The builds of ONNX Runtime. */
const RUNTIMES = ["wasm", "native"] as const;
export type Runtime = typeof RUNTIMES[number];

/** The settings of a server. */
export interface Config {
  /** Port to listen on, 0 for any free one. */
  port: number;
  /** Address to listen on. The default is loopback, so that opening the server to others is a decision. */
  host: string;
  /** Threads that answer on the port, 0 for one per core. */
  workers: number;
  /** Name or path of a model, as `shared/models.ts` finds it; empty for the shipped model. */
  model: string;
  /** A folder with one folder for each model; empty to serve the single model that `model` names. */
  models: string;
  /** Time between two looks for changes in that folder, in ms; 0 never looks. */
  modelsPollMs: number;
  /** Bytes that the loaded models of that folder may take together, estimated as three times their files. */
  modelsMemoryBytes: number;
  /** SHA-256 that the model's file must have, as 64 hexadecimal digits; empty for any. */
  modelSha256: string;
  runtime: Runtime;
  /** Accepted bearer tokens; without any, everyone has access. */
  apiKeys: readonly string[];
  /** Origins whose pages may call the server, or `*`. */
  corsOrigins: readonly string[];
  /** Requests per minute of one key or address, which is also the largest burst; 0 for no limit. */
  rateLimitPerMinute: number;
  /** Lower-case name of the header in which a proxy puts the client's address; empty to use the connection's. */
  clientAddressHeader: string;
  /**
   * Number of proxies in front of the server that append an address to {@linkcode Config.clientAddressHeader}. Only what
   * they appended is trusted: the client itself may have sent the addresses before that.
   */
  trustedProxies: number;
  logLevel: LogLevel;
  /**
   * Bytes of a body. A phone's photograph of 12 megapixels has 2 to 6 MB as JPEG, and a third more as base64 in
   * JSON. While it is decoded there are two copies of it, still a small part of an isolate's memory.
   */
  maxBodyBytes: number;
  /** Time for a body to arrive, in ms: 8 MiB at 140 kB/s, which mobile networks mostly reach. */
  bodyTimeoutMs: number;
  /**
   * Pixels of a decoded image file: Full HD fits. JPEGs of up to 64 million pixels are scaled down while they are
   * decoded, to what the model needs. Decoding takes up to 12 bytes a pixel (16-bit red, green, blue and alpha and
   * the result), 25 MB here; a file of a few kB can ask for it.
   */
  maxPixels: number;
  /**
   * Images of a request. They take about 50 µs each on one core, so a full batch delays others by 13 ms; more than
   * 64 at a time do not get cheaper.
   */
  maxBatchSize: number;
  /** Folder for feedback; empty to take none. */
  feedbackStore: string;
  /** Pictures of feedback that are kept: enough to train on, and to list with each new one. */
  feedbackMaxPictures: number;
  /** Bytes of all pictures of feedback. */
  feedbackMaxBytes: number;
  /** Days after which a picture of feedback is deleted. */
  feedbackMaxDays: number;
  /** Classes per image in a response: more are a download, not a ranking. */
  maxTopK: number;
  /** Requests processed at a time. A core does this many in 20 ms, so more would only wait. */
  maxConcurrency: number;
  /** How long a request may wait for the model, in ms: most clients give up soon after. */
  queueTimeoutMs: number;
  /** How long the end of the process waits for active requests, in ms: less than the 10 s that Docker waits. */
  shutdownTimeoutMs: number;
}

/** Classes in a response if `top_k` is not set: enough to see the alternatives. */
export const DEFAULT_TOP_K = 3;

/** The message of a schema completes "it must be …". */
type Schema<T> = v.GenericSchema<string, T>;

interface Setting<T> {
  name: string;
  default: string;
  help: string;
  /** Whether the value stays out of error messages. */
  secret?: true;
  schema: Schema<T>;
}

const SETTINGS: { readonly [K in keyof Config]: Setting<Config[K]> } = {
  port: {
    name: "PORT",
    default: "8000",
    help: "Deno: port to listen on, 0 for any free one",
    schema: integer(0, 65535),
  },
  host: {
    name: "HOST",
    default: "127.0.0.1",
    help: "Deno: address to listen on; 0.0.0.0 opens the server to the network",
    schema: pattern(/^[\w.:-]{1,255}$/, "an address or a host name"),
  },
  workers: {
    name: "WORKERS",
    default: "1",
    help: "Deno: number of threads that answer on the port, 0 for one per core",
    schema: integer(0, 256),
  },
  model: {
    name: "MODEL",
    default: "",
    help:
      "Deno: name or path of another model that follows the model contract; with `MODELS`, the default model",
    schema: v.string(),
  },
  models: {
    name: "MODELS",
    default: "",
    help: "Deno: folder of models to serve, each as NAME/model.onnx or NAME/VERSION/model.onnx",
    schema: v.string(),
  },
  modelsPollMs: {
    name: "MODELS_POLL_MS",
    default: "2000",
    help: "Deno: time between two looks for changes in `MODELS`, in milliseconds; 0 never looks",
    schema: integer(0, 86_400_000),
  },
  modelsMemoryBytes: {
    name: "MODELS_MEMORY_BYTES",
    default: String(512 * 1024 * 1024),
    help: "Deno: bytes that loaded models of `MODELS` may take, estimated as three times their files",
    schema: integer(1, 2 ** 40),
  },
  modelSha256: {
    name: "MODEL_SHA256",
    default: "",
    help: "SHA-256 that the model's file must have; any other file is refused",
    schema: v.pipe(pattern(/^([0-9a-f]{64})?$/i, "64 hexadecimal digits"), v.toLowerCase()),
  },
  runtime: {
    name: "RUNTIME",
    default: "wasm",
    help: "Deno: `wasm`, or `native` for onnxruntime-node, which is installed separately",
    schema: oneOf(RUNTIMES),
  },
  apiKeys: {
    name: "API_KEYS",
    default: "",
    help: "Keys for `Authorization: Bearer`, separated by commas; without any, everyone has access",
    secret: true,
    // RFC 6750, section 2.1; shorter ones can be guessed.
    schema: list(
      (key) => /^[A-Za-z0-9\-._~+/]+=*$/.test(key) && /^.{16,200}$/.test(key),
      "keys of 16 to 200 letters, digits and -._~+/=, separated by commas",
    ),
  },
  corsOrigins: {
    name: "CORS_ORIGINS",
    default: "",
    help: "Origins whose pages may call the server, separated by commas, or `*` for all",
    schema: list(
      (origin, count) => (origin === "*" && count === 1) || URL.parse(origin)?.origin === origin,
      "* or origins such as https://example.org, separated by commas",
    ),
  },
  rateLimitPerMinute: {
    name: "RATE_LIMIT_PER_MINUTE",
    default: "0",
    help: "Requests per minute of one key or address, 0 for no limit; Cloudflare's binding takes precedence",
    schema: integer(0, 1_000_000),
  },
  clientAddressHeader: {
    name: "CLIENT_ADDRESS_HEADER",
    default: "",
    help: "Deno: header to which your proxy adds the client's address, such as X-Forwarded-For",
    schema: v.pipe(pattern(/^[A-Za-z0-9-]{0,64}$/, "the name of a header"), v.toLowerCase()),
  },
  trustedProxies: {
    name: "TRUSTED_PROXIES",
    default: "1",
    help: "Deno: number of proxies that add to that header; entries before theirs are ignored",
    schema: integer(1, 16),
  },
  logLevel: {
    name: "LOG_LEVEL",
    default: "info",
    help: "`debug`, `info` (one line per request), `warn` or `error`",
    schema: oneOf(LOG_LEVELS),
  },
  maxBodyBytes: {
    name: "MAX_BODY_BYTES",
    default: String(8 * 1024 * 1024),
    help: "Maximum size of a request body, in bytes",
    schema: integer(1, 256 * 1024 * 1024),
  },
  bodyTimeoutMs: {
    name: "BODY_TIMEOUT_MS",
    default: "60000",
    help: "Maximum time for a request body to arrive, in milliseconds",
    schema: integer(1, 600_000),
  },
  maxPixels: {
    name: "MAX_PIXELS",
    default: String(2 * 1024 * 1024),
    help: "Maximum size of a decoded image, width × height, in pixels",
    schema: integer(1, 1 << 28),
  },
  maxBatchSize: {
    name: "MAX_BATCH_SIZE",
    default: "256",
    help: "Maximum number of images per request",
    schema: integer(1, 65536),
  },
  feedbackStore: {
    name: "FEEDBACK_STORE",
    default: "",
    help: "Deno: folder that `POST /v1/feedback` fills with pictures; empty to take no feedback",
    schema: v.string(),
  },
  feedbackMaxPictures: {
    name: "FEEDBACK_MAX_PICTURES",
    default: "10000",
    help: "Maximum number of pictures that are kept as feedback",
    schema: integer(1, 1_000_000),
  },
  feedbackMaxBytes: {
    name: "FEEDBACK_MAX_BYTES",
    default: String(1024 * 1024 * 1024),
    help: "Maximum size of all pictures that are kept as feedback, in bytes",
    schema: integer(1, 2 ** 40),
  },
  feedbackMaxDays: {
    name: "FEEDBACK_MAX_DAYS",
    default: "30",
    help: "Days after which a picture that was kept as feedback is deleted",
    schema: integer(1, 3650),
  },
  maxTopK: {
    name: "MAX_TOP_K",
    default: "100",
    help: "Maximum number of classes per image in a response",
    schema: integer(1, 1_000_000),
  },
  maxConcurrency: {
    name: "MAX_CONCURRENCY",
    default: "256",
    help: "Maximum number of requests processed at a time",
    schema: integer(1, 65536),
  },
  queueTimeoutMs: {
    name: "QUEUE_TIMEOUT_MS",
    default: "1000",
    help: "Maximum time that a request may wait for the model, in milliseconds",
    schema: integer(1, 600_000),
  },
  shutdownTimeoutMs: {
    name: "SHUTDOWN_TIMEOUT_MS",
    default: "8000",
    help: "Deno: maximum time from SIGTERM or SIGINT to the end of the process, in milliseconds",
    schema: integer(1, 600_000),
  },
};

/** Every variable, as the documentation shows it. */
export const VARIABLES: readonly { name: string; default: string; help: string }[] = Object.values(SETTINGS)
  .map(({ name, default: fallback, help }) => ({ name, default: fallback, help }));

/**
 * Reads the settings. A variable that is absent or empty has its default.
 *
 * @param env names and values; unknown names are ignored
 * @throws {InputError} `invalid-value` if a value is not accepted; the message does not repeat secrets
 */
export function readConfig(env: Record<string, string | undefined> = {}): Config {
  const read = ({ name, default: fallback, schema, secret }: Setting<unknown>): unknown => {
    const text = env[name]?.trim() || fallback;
    const result = v.safeParse(schema, text);
    if (result.success) return result.output;
    const current = secret ? "" : `: current value is ${JSON.stringify(text.slice(0, 200))}`;
    throw new InputError(
      "invalid-value",
      `Cannot read ${name} as it must be ${result.issues[0].message}${current}`,
    );
  };
  const entries = Object.entries(SETTINGS).map(([key, setting]) => [key, read(setting)]);
  const config = Object.fromEntries(entries) as Config;
  if (config.feedbackStore !== "") requireKeys(config, "FEEDBACK_STORE");
  return config;
}

/**
 * Feedback decides what the next model learns, so not everyone may send it.
 *
 * @param setting what was set
 * @throws {InputError} `invalid-value` if there are no keys
 */
export function requireKeys({ apiKeys }: Pick<Config, "apiKeys">, setting: string): void {
  if (apiKeys.length > 0) return;
  throw new InputError("invalid-value", `Cannot use ${setting} as feedback needs keys: set API_KEYS`);
}

function integer(min: number, max: number): Schema<number> {
  const message = `an integer in ${min}..${max}`;
  return v.pipe(
    pattern(/^[0-9]{1,15}$/, message),
    v.transform(Number),
    v.minValue(min, message),
    v.maxValue(max, message),
  );
}

function pattern(pattern: RegExp, message: string): Schema<string> {
  return v.pipe(v.string(), v.regex(pattern, message));
}

function oneOf<const T extends readonly string[]>(values: T): Schema<T[number]> {
  return v.pipe(v.string(), v.picklist(values, `one of ${values.join(", ")}`));
}

/** Items separated by commas; spaces around them and empty items are ignored. */
function list(isValid: (item: string, count: number) => boolean, message: string): Schema<string[]> {
  return v.pipe(
    v.string(),
    v.transform((text) => text.split(",").map((item) => item.trim()).filter((item) => item !== "")),
    v.check((items) => items.every((item) => isValid(item, items.length)), message),
  );
}
