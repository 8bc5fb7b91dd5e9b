/**
 * Everything that whoever runs the server may set: each variable with its default, its reason, its unit and
 * the values it takes. `docs/deploy.md` shows the same table, and a test holds the two together.
 *
 * The limits are made for the smallest home, a Cloudflare isolate: 128 MB of memory for all the requests that
 * it answers at a time, on one thread (https://developers.cloudflare.com/workers/platform/limits/, as of
 * November 2026).
 *
 * @module
 */

/** Levels of the log, from the most talkative on. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = typeof LOG_LEVELS[number];

/** What runs the model. */
export const RUNTIMES = ["wasm", "native"] as const;
export type Runtime = typeof RUNTIMES[number];

/** The settings of a server. */
export interface Config {
  /** Port to listen on, 0 for any free one. */
  port: number;
  /** Address to listen on. Loopback, so that opening the server to others is a decision. */
  host: string;
  /** Name or path of a model, as `shared/models.ts` finds it; empty for the shipped model. */
  model: string;
  /** SHA-256 that the model's file must have, as 64 hexadecimal digits; empty for any. */
  modelSha256: string;
  runtime: Runtime;
  /** Bearer tokens that are let in; none lets in everyone. */
  apiKeys: readonly string[];
  /** Origins whose pages may call the server, or `*`. */
  corsOrigins: readonly string[];
  /** Requests a minute of one key or address, as many at once; 0 for no limit. */
  rateLimit: number;
  /** Lower-case name of the header in which a proxy puts the client's address; empty to use the connection's. */
  clientAddressHeader: string;
  logLevel: LogLevel;
  /**
   * Bytes of a body. The longest JSON of 256 28×28 images with four characters a number is 0.8 MB; the rest
   * is room for pictures, and still a small part of an isolate's memory.
   */
  maxBodyBytes: number;
  /** How long, in ms, a body may take to arrive: 4 MiB at 140 kB/s, which mobile networks mostly reach. */
  maxBodyMs: number;
  /**
   * Pixels of a picture: Full HD fits. Decoding takes up to 12 bytes a pixel (16-bit red, green, blue and
   * alpha and the result), 25 MB here; and a few kB can ask for it.
   */
  maxPixels: number;
  /**
   * Images of a request. They take about 50 µs each on one core, so this holds up others for 13 ms; more than
   * 64 at a time do not get cheaper.
   */
  maxBatch: number;
  /** Classes of an answer: more are a download, not a ranking. */
  maxTopK: number;
  /** Requests that are worked on at a time. A core does this many in 20 ms, so more would only wait. */
  maxConcurrency: number;
  /** How long, in ms, a request may wait for its turn: whoever asked has given up soon after. */
  maxQueueMs: number;
}

/** Classes of an answer where `top_k` does not say: enough to see what the model wavered between. */
export const DEFAULT_TOP_K = 3;

interface Setting<T> {
  name: string;
  default: string;
  help: string;
  /** Whether the value stays out of error messages. */
  secret?: true;
  /** What is accepted, to complete "it must be …". */
  accepts: string;
  /** The value, or undefined if the text is none. */
  parse(text: string): T | undefined;
}

const SETTINGS: { readonly [K in keyof Config]: Setting<Config[K]> } = {
  port: integer("PORT", 8000, 0, 65535, "Deno: port to listen on, 0 for any free one"),
  host: {
    name: "HOST",
    default: "127.0.0.1",
    help: "Deno: address to listen on; 0.0.0.0 opens the server to others",
    accepts: "an address or a host name",
    parse: (text) => /^[\w.:-]{1,255}$/.test(text) ? text : undefined,
  },
  model: {
    name: "MODEL",
    default: "",
    help: "Deno: name or path of another model (an ONNX file that keeps the model contract)",
    accepts: "a path",
    parse: (text) => text,
  },
  modelSha256: {
    name: "MODEL_SHA256",
    default: "",
    help: "SHA-256 that the model's file must have; another file is not served",
    accepts: "64 hexadecimal digits",
    parse: (text) => /^([0-9a-f]{64})?$/i.test(text) ? text.toLowerCase() : undefined,
  },
  runtime: {
    name: "RUNTIME",
    default: "wasm",
    help: "Deno: `wasm`, or `native` for onnxruntime-node, which is installed separately",
    accepts: `one of ${RUNTIMES.join(", ")}`,
    parse: (text) => RUNTIMES.find((runtime) => runtime === text),
  },
  apiKeys: {
    name: "API_KEYS",
    default: "",
    help: "Keys for `Authorization: Bearer`, separated by commas; none lets in everyone",
    secret: true,
    accepts: "keys of 16 to 200 letters, digits and -._~+/=, separated by commas",
    // RFC 6750, section 2.1; shorter ones can be guessed.
    parse: (text) => list(text, (key) => /^[A-Za-z0-9\-._~+/]+=*$/.test(key) && /^.{16,200}$/.test(key)),
  },
  corsOrigins: {
    name: "CORS_ORIGINS",
    default: "",
    help: "Origins whose pages may call the server, separated by commas, or `*` for all",
    accepts: "* or origins such as https://example.org, separated by commas",
    parse: (text) => list(text, (origin) => text === "*" || URL.parse(origin)?.origin === origin),
  },
  rateLimit: integer(
    "RATE_LIMIT",
    0,
    0,
    1_000_000,
    "Requests a minute of one key or address, 0 for no limit; Cloudflare's binding goes before it",
  ),
  clientAddressHeader: {
    name: "CLIENT_ADDRESS_HEADER",
    default: "",
    help:
      "Deno: header in which your proxy puts the client's address; only if it overwrites what clients send",
    accepts: "the name of a header",
    parse: (text) => /^[A-Za-z0-9-]{0,64}$/.test(text) ? text.toLowerCase() : undefined,
  },
  logLevel: {
    name: "LOG_LEVEL",
    default: "info",
    help: "`debug`, `info` (a line a request), `warn` or `error`",
    accepts: `one of ${LOG_LEVELS.join(", ")}`,
    parse: (text) => LOG_LEVELS.find((level) => level === text),
  },
  maxBodyBytes: integer(
    "MAX_BODY_BYTES",
    4 * 1024 * 1024,
    1,
    256 * 1024 * 1024,
    "Bytes of a body",
  ),
  maxBodyMs: integer("MAX_BODY_MS", 30_000, 1, 600_000, "Milliseconds that a body may take to arrive"),
  maxPixels: integer("MAX_PIXELS", 2 * 1024 * 1024, 1, 1 << 28, "Pixels of a picture, width × height"),
  maxBatch: integer("MAX_BATCH", 256, 1, 65536, "Images of a request"),
  maxTopK: integer("MAX_TOP_K", 100, 1, 1_000_000, "Classes of an answer"),
  maxConcurrency: integer("MAX_CONCURRENCY", 256, 1, 65536, "Requests that are worked on at a time"),
  maxQueueMs: integer("MAX_QUEUE_MS", 1000, 1, 600_000, "Milliseconds that a request may wait for its turn"),
};

/** Every variable, as the documentation shows it. */
export const VARIABLES: readonly { name: string; default: string; help: string }[] = Object.values(SETTINGS)
  .map(({ name, default: fallback, help }) => ({ name, default: fallback, help }));

/**
 * Reads the settings. A variable that is absent or empty has its default.
 *
 * @param env names and values; others than ours are not looked at
 * @throws {RangeError} if a value is not accepted; the values of secrets are not repeated
 */
export function readConfig(env: Record<string, string | undefined> = {}): Config {
  const read = <T>(setting: Setting<T>): T => {
    const text = env[setting.name]?.trim() || setting.default;
    const value = setting.parse(text);
    if (value !== undefined) return value;
    const current = setting.secret ? "" : `: current value is ${JSON.stringify(text.slice(0, 200))}`;
    throw new RangeError(`Cannot read ${setting.name} as it must be ${setting.accepts}${current}`);
  };
  const entries = Object.entries(SETTINGS) as [keyof Config, Setting<unknown>][];
  return Object.fromEntries(entries.map(([key, setting]) => [key, read(setting)])) as unknown as Config;
}

function integer(name: string, fallback: number, min: number, max: number, help: string): Setting<number> {
  return {
    name,
    default: String(fallback),
    help,
    accepts: `an integer in ${min}..${max}`,
    parse: (text) => {
      const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : NaN;
      return value >= min && value <= max ? value : undefined;
    },
  };
}

function list(text: string, isRight: (item: string) => boolean): string[] | undefined {
  const items = text.split(",").map((item) => item.trim()).filter((item) => item !== "");
  return items.every(isRight) ? items : undefined;
}
