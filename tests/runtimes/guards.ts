/**
 * What a server withstands and shows, as suites of requests for every runtime. Each suite is for a server with
 * the variables that it names.
 *
 * @module
 */
import { assert, assertEquals, assertGreater, assertMatch, assertStringIncludes } from "@std/assert";
import { PIXELS } from "../helpers/http.ts";
import { encodePng } from "../helpers/png_encoder.ts";
import type { Send } from "./requests.ts";

export interface Suite {
  variables: Record<string, string>;
  requests: Record<string, (send: Send) => Promise<void>>;
}

const BYTES = "application/octet-stream";
const KEYS = ["first-key-0123456789", "second-key-9876543210"];

function post(
  send: Send,
  body: BodyInit,
  { type = BYTES, query = "", headers = {} } = {},
): Promise<Response> {
  return send(`/v1/classify${query}`, {
    method: "POST",
    headers: { "content-type": type, ...headers },
    body,
  });
}

async function assertProblem(response: Response, status: number, detail: string): Promise<void> {
  const text = await response.text();
  assertEquals(response.status, status, text);
  assertEquals(response.headers.get("content-type"), "application/problem+json");
  assertStringIncludes(JSON.parse(text).detail, detail);
  assert(!/\n\s+at |file:|\.ts\b|\.js\b/.test(text), `a stack or a path in ${text}`);
}

function grey(
  width: number,
  height: number,
  format: { depth: number; colour: number } = { depth: 8, colour: 0 },
): Uint8Array<ArrayBuffer> {
  return encodePng({
    width,
    height,
    ...format,
    interlaced: false,
    filters: [0],
    sample: (x, y) => x * y % 251 * (format.depth === 16 ? 257 : 1),
  });
}

async function status(promise: Promise<Response>): Promise<number> {
  const response = await promise;
  await response.arrayBuffer();
  return response.status;
}

/** Sends the same request many times at once. */
function atOnce(send: Send, count: number, body: BodyInit, type?: string): Promise<Response[]> {
  return Promise.all(Array.from({ length: count }, async () => {
    const response = await post(send, body, type === undefined ? {} : { type });
    // Read at once: a connection that waits to be read may be closed by then.
    return new Response(await response.arrayBuffer(), response);
  }));
}

/** A server with small limits. */
export const LIMITS: Suite = {
  variables: {
    MAX_BODY_BYTES: "500000",
    MAX_BATCH_SIZE: "4",
    MAX_PIXELS: "10000",
    MAX_TOP_K: "5",
    MAX_CONCURRENCY: "2",
  },
  requests: {
    "holds to the limits that its variables set": async (send) => {
      assertEquals(
        await status(post(send, new Uint8Array([...PIXELS, ...PIXELS, ...PIXELS, ...PIXELS]))),
        200,
      );
      await assertProblem(await post(send, new Uint8Array(5 * 784)), 413, "at most 4 images");
      await assertProblem(await post(send, new Uint8Array(500_001)), 413, "at most 500000 bytes");
      assertEquals(await status(post(send, grey(100, 100), { type: "image/png" })), 200);
      await assertProblem(await post(send, grey(101, 100), { type: "image/png" }), 413, "10000 pixels");
      assertEquals(await status(post(send, PIXELS, { query: "?top_k=5" })), 200);
      await assertProblem(await post(send, PIXELS, { query: "?top_k=6" }), 400, "in 1..5");
    },

    "answers 503 with Retry-After above MAX_CONCURRENCY requests at a time, and recovers": async (send) => {
      // 16-bit RGBA takes long to decode. Whether requests overlap is up to the machine: of 40 at a time, in 10
      // rounds, some do.
      const png = grey(100, 100, { depth: 16, colour: 6 });
      let busy = 0;
      for (let round = 0; round < 10 && busy === 0; round++) {
        const responses = await atOnce(send, 40, png, "image/png");
        const refused = responses.filter(({ status }) => status !== 200);
        for (const response of refused) {
          assertEquals(response.headers.get("retry-after"), "1");
          await assertProblem(response, 503, "of at most 2 requests are active");
        }
        busy += refused.length;
        assertGreater(responses.length, refused.length, "some requests are answered");
      }
      assertGreater(busy, 0, "40 requests at a time are too many");
      assertEquals(await status(post(send, PIXELS)), 200);
    },
  },
};

/** A server with keys, and pages that may call it. */
export const ACCESS: Suite = {
  variables: { API_KEYS: KEYS.join(","), CORS_ORIGINS: "https://one.example,https://two.example" },
  requests: {
    "asks for a key": async (send) => {
      const closed = [
        "/v1/model",
        "/metrics",
        "/no-such-path",
        "/livez/",
        "/v2",
        "/v2/models/fashion-mnist",
        "/v2/models/ready",
        "/v2/models/stats",
        "/v2/models/fashion-mnist/stats/",
        "/v2/models/fashion-mnist/config",
        "/v2/models/a/b/ready",
      ];
      for (const path of closed) {
        const response = await send(path);
        assertEquals(response.headers.get("www-authenticate"), 'Bearer realm="selvedge"');
        assertEquals(response.status, 401, path);
        const { detail, error } = await response.json();
        assertStringIncludes(path.startsWith("/v2") ? error : detail, "An API key is required");
      }
      await assertProblem(await post(send, PIXELS), 401, "An API key is required");
    },

    "lets each of its keys in and no other": async (send) => {
      for (const key of KEYS) {
        for (const scheme of ["Bearer", "bearer"]) {
          const headers = { authorization: `${scheme} ${key}` };
          assertEquals(await status(post(send, PIXELS, { headers })), 200);
        }
      }
      const wrong = [
        `Bearer ${KEYS[0]}x`,
        `Bearer ${KEYS[0]!.slice(1)}`,
        `Bearer ${KEYS.join(",")}`,
        `Basic ${KEYS[0]}`,
        "Bearer",
        KEYS[0]!,
      ];
      for (const authorization of wrong) {
        const response = await post(send, PIXELS, { headers: { authorization } });
        assertStringIncludes(response.headers.get("www-authenticate")!, 'error="invalid_token"');
        await assertProblem(response, 401, "The API key is invalid");
      }
    },

    "tells everyone how it is": async (send) => {
      const version = (await (await send("/v1/model", {
        headers: { authorization: `Bearer ${KEYS[0]}` },
      })).json()).version;
      const model = "/v2/models/fashion-mnist";
      const probes = [
        "/v2/health/live",
        "/v2/health/ready",
        `${model}/ready`,
        `${model}/versions/${version}/ready`,
      ];
      const open = ["/", "/livez", "/readyz", "/healthz", ...probes, ...probes.map((path) => `${path}/`)];
      for (const path of open) assertEquals(await status(send(path)), 200, path);
      assertEquals(await status(send("/v2/models/none/ready")), 404);
    },

    "lets pages of its list call it": async (send) => {
      const preflight = await send("/v1/classify", {
        method: "OPTIONS",
        headers: {
          origin: "https://two.example",
          "access-control-request-method": "POST",
          "access-control-request-headers": "authorization,content-type",
        },
      });
      assertEquals(preflight.status, 204);
      assertEquals(preflight.headers.get("access-control-allow-origin"), "https://two.example");
      assertMatch(preflight.headers.get("access-control-allow-headers")!, /authorization.*content-type/i);
      assertStringIncludes(preflight.headers.get("access-control-allow-methods")!, "POST");
      const headers = { authorization: `Bearer ${KEYS[0]}`, origin: "https://one.example" };
      for (const body of [PIXELS, new Uint8Array(1)]) {
        const response = await post(send, body, { headers });
        assertEquals(response.headers.get("access-control-allow-origin"), "https://one.example");
        assertStringIncludes(response.headers.get("vary")!, "Origin");
        assertMatch(response.headers.get("access-control-expose-headers")!, /server-timing/i);
        await response.body?.cancel();
      }
    },

    "lets no other page call it": async (send) => {
      const headers = { authorization: `Bearer ${KEYS[0]}`, origin: "https://three.example" };
      const response = await post(send, PIXELS, { headers });
      assertEquals(response.headers.get("access-control-allow-origin"), null);
      await response.body?.cancel();
    },
  },
};

/** A server that limits how often one client may ask. */
export const RATE: Suite = {
  variables: { RATE_LIMIT_PER_MINUTE: "5" },
  requests: {
    "turns a client away that asks too often, and says when to come back": async (send) => {
      const statuses: number[] = [];
      for (let i = 0; i < 5; i++) statuses.push(await status(send("/v1/model")));
      assertEquals(statuses, Array(5).fill(200));
      const response = await send("/v1/model");
      assertMatch(response.headers.get("retry-after")!, /^[1-9][0-9]?$/);
      await assertProblem(response, 429, "Too many requests");
      assertEquals(await status(send("/livez")), 200, "probes are not counted");
    },
  },
};

/** A server whose model is another than expected. */
export const WRONG_MODEL: Suite = {
  variables: { MODEL_SHA256: "0".repeat(64) },
  requests: {
    "is alive but not ready": async (send) => {
      const headers = { "x-request-id": "known-id" };
      assertEquals(await status(send("/readyz", { headers })), 503);
      assertEquals(await status(send("/livez", { headers })), 200);
      assertEquals(await status(send("/healthz")), 200, "liveness, not readiness");
      for (const path of ["/readyz", "/v1/model", "/"]) {
        await assertProblem(await send(path), 503, "The model cannot be loaded");
      }
      const response = await post(send, PIXELS);
      assertEquals(response.headers.get("retry-after"), "1");
      await assertProblem(response, 503, "The model cannot be loaded");
    },
  },
};

/** A server as it comes. */
export const SHOWS: Suite = {
  variables: {},
  requests: {
    "is alive and ready": async (send) => {
      for (const path of ["/livez", "/readyz", "/healthz"]) {
        const response = await send(path);
        assertEquals(response.status, 200);
        assertEquals(await response.json(), { status: "ok" });
      }
    },

    "answers 40 requests at a time, which are fewer than MAX_CONCURRENCY": async (send) => {
      // Small ones: on a busy machine, 40 large ones may wait longer than QUEUE_TIMEOUT_MS.
      const statuses = (await atOnce(send, 40, PIXELS)).map(({ status }) => status);
      assertEquals(statuses, Array(40).fill(200));
    },

    "sends security headers with every answer": async (send) => {
      for (const path of ["/", "/v1/model", "/no-such-path"]) {
        const response = await send(path);
        for (const name of ["cross-origin-resource-policy", "referrer-policy", "content-security-policy"]) {
          assert(response.headers.get(name), `${name} of ${path}`);
        }
        assertEquals(response.headers.get("x-content-type-options"), "nosniff");
        assertEquals(response.headers.get("access-control-allow-origin"), null);
        await response.body?.cancel();
      }
    },

    "gives each request an id, or keeps a harmless one of the client's": async (send) => {
      const id = async (given?: string): Promise<string> => {
        const response = await send(
          "/livez",
          given === undefined ? {} : { headers: { "x-request-id": given } },
        );
        await response.body?.cancel();
        return response.headers.get("x-request-id")!;
      };
      const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
      assertMatch(await id(), uuid);
      assert(await id() !== await id());
      assertEquals(await id("order-66.b_7"), "order-66.b_7");
      for (const given of ["a b", '"}{', "x".repeat(129), "<script>"]) assertMatch(await id(given), uuid);
    },

    "says what took how long": async (send) => {
      const response = await post(send, PIXELS);
      await response.body?.cancel();
      assertMatch(
        response.headers.get("server-timing")!,
        /^decode;dur=[0-9.]+, queue;dur=[0-9.]+, inference;dur=[0-9.]+$/,
      );
    },
  },
};

/** The metrics, where one process is the whole server. */
export const METRICS: Suite = {
  variables: {},
  requests: {
    "counts what it does": async (send) => {
      await status(post(send, new Uint8Array([...PIXELS, ...PIXELS, ...PIXELS])));
      await status(post(send, new Uint8Array(783)));
      await status(send("/no-such-path"));
      const response = await send("/metrics");
      assertEquals(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
      const text = await response.text();
      assertPrometheus(text);
      const value = (line: string): number => {
        const found = text.split("\n").find((one) => one.startsWith(`${line} `));
        assert(found, `${line} in\n${text}`);
        return Number(found.split(" ").at(-1));
      };
      const requests = (method: string, route: string, status: number): number =>
        value(
          `http_server_request_duration_seconds_count{http_request_method="${method}"${route},` +
            `http_response_status_code="${status}"}`,
        );
      assertEquals(requests("POST", ',http_route="/v1/classify"', 200), 1);
      assertEquals(requests("POST", ',http_route="/v1/classify"', 400), 1);
      assertEquals(requests("GET", "", 404), 1);
      assertEquals(value('selvedge_rejections_total{error_type="malformed"}'), 1);
      assertEquals(value('selvedge_rejections_total{error_type="not_found"}'), 1);
      assertEquals(value("selvedge_images_total"), 3);
      assertEquals(value('selvedge_batch_size_bucket{le="2.0"}'), 0);
      assertEquals(value('selvedge_batch_size_bucket{le="4.0"}'), 1);
      assertEquals(value("selvedge_ready"), 1);
      for (const stage of ["decode", "queue", "inference"]) {
        assertEquals(value(`selvedge_stage_duration_seconds_count{selvedge_stage="${stage}"}`), 1);
      }
      const model =
        /^selvedge_model_info(\{selvedge_model_name="fashion-mnist",selvedge_model_version="[0-9a-f]{12}")\} 1$/m
          .exec(text)![1]!;
      assertEquals(value(`selvedge_prediction_confidence_count${model}}`), 3);
      const classes = [
        ...text.matchAll(/^selvedge_predictions_total\{.*,selvedge_class="(.+)"\} ([0-9]+)$/gm),
      ];
      assertEquals(classes.length, 10, "also those that were never predicted");
      assertEquals(classes.reduce((sum, [, , count]) => sum + Number(count), 0), 3);
    },
  },
};

/** https://prometheus.io/docs/instrumenting/exposition_formats/ */
function assertPrometheus(text: string): void {
  assert(text.endsWith("\n"));
  let last = "";
  for (const line of text.slice(0, -1).split("\n")) {
    const head = /^# (HELP|TYPE) ([a-z_]+) .+$/.exec(line);
    if (head) {
      last = head[2]!;
      continue;
    }
    assertMatch(line, /^[a-z_]+(\{[a-z_]+="[^"\n]*"(,[a-z_]+="[^"\n]*")*\})? [0-9.e+-]+$/);
    assert(line.startsWith(last), `${line} is under ${last}`);
  }
}

/** Runs a suite as steps of a test. */
export async function runSuite(t: Deno.TestContext, { requests }: Suite, send: Send): Promise<void> {
  for (const [name, request] of Object.entries(requests)) await t.step(name, () => request(send));
}
