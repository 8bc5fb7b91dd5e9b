import { assert, assertEquals, assertThrows } from "@std/assert";
import { readConfig, VARIABLES } from "../../serve/config.ts";
import { InputError } from "../../shared/errors.ts";

Deno.test("readConfig() gives the defaults where nothing is set, or nothing but spaces", () => {
  const config = readConfig();
  assertEquals(config.port, 8000);
  assertEquals(config.apiKeys, []);
  assertEquals(config.maxBodyBytes, 8 * 1024 * 1024);
  assertEquals(readConfig(Object.fromEntries(VARIABLES.map(({ name }) => [name, " "]))), config);
  assertEquals(
    readConfig(Object.fromEntries(VARIABLES.map(({ name, default: value }) => [name, value]))),
    config,
  );
});

Deno.test("readConfig() reads every variable", () => {
  const env = {
    PORT: "0",
    HOST: "0.0.0.0",
    WORKERS: "8",
    MODEL: "my model.onnx",
    MODELS: "my models",
    MODELS_POLL_MS: "9",
    MODELS_MEMORY_BYTES: "10",
    MODEL_SHA256: "AB".repeat(32),
    RUNTIME: "native",
    API_KEYS: " 0123456789abcdef , fedcba9876543210==",
    CORS_ORIGINS: "https://a.example,http://localhost:3000",
    RATE_LIMIT_PER_MINUTE: "60",
    CLIENT_ADDRESS_HEADER: "X-Real-IP",
    TRUSTED_PROXIES: "2",
    LOG_LEVEL: "warn",
    MAX_BODY_BYTES: "1",
    BODY_TIMEOUT_MS: "7",
    MAX_PIXELS: "2",
    MAX_BATCH_SIZE: "3",
    FEEDBACK_STORE: "feedback",
    FEEDBACK_MAX_PICTURES: "8",
    FEEDBACK_MAX_BYTES: "9",
    FEEDBACK_MAX_DAYS: "10",
    MAX_TOP_K: "4",
    MAX_CONCURRENCY: "5",
    QUEUE_TIMEOUT_MS: "6",
    SHUTDOWN_TIMEOUT_MS: "2000",
  };
  assertEquals(Object.keys(env).sort(), VARIABLES.map(({ name }) => name).sort(), "none is forgotten here");
  assertEquals(readConfig({ ...env, OTHER: "ignored" }), {
    port: 0,
    host: "0.0.0.0",
    workers: 8,
    model: "my model.onnx",
    models: "my models",
    modelsPollMs: 9,
    modelsMemoryBytes: 10,
    modelSha256: "ab".repeat(32),
    runtime: "native",
    apiKeys: ["0123456789abcdef", "fedcba9876543210=="],
    corsOrigins: ["https://a.example", "http://localhost:3000"],
    rateLimitPerMinute: 60,
    clientAddressHeader: "x-real-ip",
    trustedProxies: 2,
    logLevel: "warn",
    maxBodyBytes: 1,
    bodyTimeoutMs: 7,
    maxPixels: 2,
    maxBatchSize: 3,
    feedbackStore: "feedback",
    feedbackMaxPictures: 8,
    feedbackMaxBytes: 9,
    feedbackMaxDays: 10,
    maxTopK: 4,
    maxConcurrency: 5,
    queueTimeoutMs: 6,
    shutdownTimeoutMs: 2000,
  });
});

Deno.test("readConfig() names the variable, its value and what is accepted", () => {
  const cases: [string, string, string][] = [
    ["PORT", "65536", 'Cannot read PORT as it must be an integer in 0..65535: current value is "65536"'],
    ["PORT", "8e3", 'current value is "8e3"'],
    ["MAX_BATCH_SIZE", "0", "an integer in 1..65536"],
    ["MAX_BATCH_SIZE", "-1", 'current value is "-1"'],
    ["QUEUE_TIMEOUT_MS", "1.5", "an integer in 1..600000"],
    ["RUNTIME", "gpu", 'one of wasm, native: current value is "gpu"'],
    ["LOG_LEVEL", "INFO", "one of debug, info, warn, error"],
    ["MODEL_SHA256", "abc", "64 hexadecimal digits"],
    ["CORS_ORIGINS", "https://a.example/", "origins such as https://example.org"],
    ["CORS_ORIGINS", "*,https://a.example", "* or origins"],
    ["CORS_ORIGINS", "null", "origins"],
    ["CLIENT_ADDRESS_HEADER", "x y", "the name of a header"],
    ["HOST", "a b", "an address or a host name"],
  ];
  for (const [name, value, message] of cases) {
    assertThrows(() => readConfig({ [name]: value }), InputError, message);
  }
});

Deno.test("readConfig() does not repeat a key that it refuses", () => {
  for (const key of ["short", "with space in the middle", "a".repeat(201)]) {
    const error = assertThrows(() => readConfig({ API_KEYS: key }), InputError, "Cannot read API_KEYS");
    assert(!error.message.includes(key));
  }
});

Deno.test("docs/deploy.md has the table of all variables", async () => {
  const text = await Deno.readTextFile(new URL("../../docs/deploy.md", import.meta.url));
  const rows = [...text.matchAll(/^\| `([A-Z_0-9]+)` +\| (.*?) +\| (.*?) +\|$/gm)].map(([, ...cells]) =>
    cells
  );
  const wanted = VARIABLES.map((
    { name, default: value, help },
  ) => [name, value === "" ? "" : `\`${value}\``, help]);
  assertEquals(rows, wanted);
});
