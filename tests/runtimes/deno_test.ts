import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { get as httpGet, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import { ORT_WASM } from "../../serve/playground/names.ts";
import worker from "../../serve/worker.ts";
import { PIXELS } from "../helpers/http.ts";
import { tinyModel } from "../helpers/tiny_model.ts";
import { MAIN, run, start } from "./deno_server.ts";
import { contractRequests } from "./contract.ts";
import { requestAll, type Send } from "./requests.ts";

Deno.test("The worker answers in process", async (t) => {
  await requestAll(t, async (path, init) => await worker.fetch(new Request(`http://localhost${path}`, init)));
});

Deno.test("deno serve runs the worker", async (t) => {
  await using server = await start([
    "serve",
    "--allow-net=127.0.0.1",
    "--host=127.0.0.1",
    "--port=0",
    "serve/worker.ts",
  ]);
  await requestAll(t, (path, init) => fetch(`${server.url}${path}`, init));
});

Deno.test("serve/main.ts serves and stops on a signal", async (t) => {
  await using server = await start([...MAIN, "--port=0"]);
  const send: Send = (path, init) => fetch(`${server.url}${path}`, init);
  await requestAll(t, send);
  for (const [name, request] of Object.entries(contractRequests(5))) await t.step(name, () => request(send));
  assertEquals((await server.stop("SIGTERM")).code, 0);
});

Deno.test("serve/main.ts serves another model that keeps the contract", async () => {
  const file = await Deno.makeTempFile({ suffix: ".onnx" });
  await Deno.writeFile(file, tinyModel());
  await using server = await start([...MAIN, "--port=0"], { MODEL: file });
  const headers = { "content-type": "application/octet-stream" };
  const response = await fetch(`${server.url}/v1/classify`, {
    method: "POST",
    headers,
    body: Uint8Array.of(0, 9, 0, 0, 9, 0),
  });
  assertEquals((await response.json()).predictions[0].label, "middle");
  await Deno.remove(file);
});

Deno.test("serve/main.ts compresses what is text or WebAssembly, and nothing under /v2", async () => {
  await using server = await start([...MAIN, "--port=0"]);
  const { port } = new URL(server.url);
  // fetch() inflates, and does not show what it got.
  const get = async (path: string, acceptEncoding?: string): Promise<[IncomingHttpHeaders, Uint8Array]> => {
    const headers = acceptEncoding === undefined ? {} : { "accept-encoding": acceptEncoding };
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    httpGet({ host: "127.0.0.1", port, path, headers }, resolve).on("error", reject);
    const message = await promise;
    return [message.headers, new Uint8Array(await buffer(message))];
  };
  for (const path of ["/", "/docs", "/openapi.json", "/playground/main.js", `/playground/${ORT_WASM}`]) {
    const [plain, whole] = await get(path);
    assertEquals([plain["content-encoding"], plain.vary], [undefined, "Accept-Encoding"], path);
    for (const coding of ["gzip", "br;q=1.0, gzip;q=0.8, *;q=0.1", "*"]) {
      const [headers, content] = await get(path, coding);
      assertEquals([headers["content-encoding"], headers.vary], ["gzip", "Accept-Encoding"], path);
      assertEquals(headers.etag, plain.etag);
      assert(content.length < 0.5 * whole.length, `${path}: ${content.length} of ${whole.length}`);
      assertEquals(new Uint8Array(gunzipSync(content)), whole, path);
    }
    for (const coding of ["", "identity", "br", "gzip;q=0", "gzip;q=0, *"]) {
      assertEquals((await get(path, coding))[0]["content-encoding"], undefined, `${path} ${coding}`);
    }
  }
  for (const path of ["/v2/models/fashion-mnist", "/v2/models/stats", "/v1/model/file", "/livez"]) {
    assertEquals((await get(path, "gzip"))[0]["content-encoding"], undefined, path);
  }
});

Deno.test("serve/main.ts says what is wrong and exits with 2", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr;
  const cases: [string[], Record<string, string>, string][] = [
    [[`--port=${port}`], {}, `Cannot serve as port ${port} of 127.0.0.1 is in use`],
    [["--port=65536"], {}, 'Cannot read PORT as it must be an integer in 0..65535: current value is "65536"'],
    [["--port="], {}, "Cannot read --port as it is empty"],
    [[], { PORT: "http" }, 'current value is "http"'],
    [[], { MAX_PIXELS: "many" }, "Cannot read MAX_PIXELS as it must be an integer in 1..268435456"],
    [[], { API_KEYS: "short" }, "Cannot read API_KEYS as it must be keys of 16 to 200 letters"],
    [["--prot=1"], {}, "Unknown option '--prot'"],
    [["8000"], {}, "8000"],
    [
      ["--port=0"],
      { MODEL: "no-such-file.onnx" },
      'Cannot read model "no-such-file.onnx" as there is no such file',
    ],
  ];
  // One after the other: together they would wait, and say so, for Deno's lock on the packages.
  for (const [args, env, message] of cases) {
    const [code, stdout, stderr] = await run(args, env);
    assertEquals(code, 2, stderr);
    assertEquals(stdout, "");
    assertMatch(stderr, /^error: [^\n]+\n$/);
    assertStringIncludes(stderr, message);
  }
});

Deno.test("serve/main.ts shows its help", async () => {
  const [code, stdout, stderr] = await run(["--help"]);
  assertEquals([code, stderr], [0, ""]);
  for (const word of ["--port", "--host", "MODEL", "API_KEYS", "MAX_BODY_BYTES"]) {
    assertStringIncludes(stdout, word);
  }
});

Deno.test("The worker answers requests that no client library sends", async () => {
  await using server = await start([...MAIN, "--port=0"]);
  const post = "POST /v1/classify HTTP/1.1\r\nhost: a\r\ncontent-type: application/octet-stream\r\n";
  const cases: [string, number][] = [
    ["TRACE / HTTP/1.1\r\nhost: a\r\n\r\n", 405],
    ["CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n", 404],
    // Deno's stream of an empty body is none of bytes.
    ["PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n", 405],
    ["OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n", 404],
    ["GET / HTTP/1.1\r\nhost: '\"<>\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nhost: a:99999\r\n\r\n", 400],
    ["GET /v1/model HTTP/1.1\r\nhost: [::\r\n\r\n", 200],
    ["GET /%ff%zz HTTP/1.1\r\nhost: a\r\n\r\n", 404],
    [`${post}content-length: -5\r\n\r\n`, 400],
    [`${post}content-length: 784\r\ncontent-length: 784\r\n\r\n${"a".repeat(783)}b`, 200],
    [`${post}content-length: 99999999999\r\n\r\n`, 413],
    [`${post}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`, 400],
    [post.replace("octet-stream", "\xff") + "content-length: 1\r\n\r\na", 415],
  ];
  for (const [request, status] of cases) {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(server.url).port) });
    await connection.write(Uint8Array.from(request, (character) => character.charCodeAt(0)));
    const answer = new Uint8Array(4096);
    const length = await connection.read(answer) ?? 0;
    assertMatch(
      new TextDecoder().decode(answer.subarray(0, length)),
      new RegExp(`^HTTP/1.1 ${status} `),
      request,
    );
  }
});

Deno.test("serve/main.ts disconnects clients that send too slowly, and keeps serving", async () => {
  await using server = await start([...MAIN, "--port=0"], { BODY_TIMEOUT_MS: "200" });
  const head = "POST /v1/classify HTTP/1.1\r\nhost: a\r\ncontent-type: application/octet-stream\r\n";
  const bodies = ["content-length: 784\r\n\r\nabc", "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"];
  for (const body of bodies) {
    // Leaving the loop over its answer closes it.
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(server.url).port) });
    await connection.write(new TextEncoder().encode(head + body));
    let answer = "";
    for await (const text of connection.readable.pipeThrough(new TextDecoderStream())) {
      answer += text;
      if (answer.endsWith("}")) break;
    }
    assertMatch(answer, /^HTTP\/1.1 408 [^]*connection: close[^]*must arrive within 200 ms/);
  }
  const response = await fetch(`${server.url}/v1/classify`, {
    method: "POST",
    headers: { "content-type": "application/octet-stream" },
    body: PIXELS,
  });
  assertEquals(response.status, 200);
  await response.body?.cancel();
});

Deno.test("serve/main.ts counts a client that stops in the middle of a body as 400", async () => {
  await using server = await start([...MAIN, "--port=0"]);
  const { hostname, port } = new URL(server.url);
  const head = "POST /v1/classify HTTP/1.1\r\nhost: a\r\ncontent-type: application/octet-stream\r\n";
  const bodies = [
    "content-length: 784\r\n\r\nabc",
    "content-length: 99999\r\n\r\nabc",
    "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
    "content-encoding: gzip\r\ncontent-length: 784\r\n\r\n\x1f",
  ];
  for (const body of bodies) {
    const connection = await Deno.connect({ hostname, port: Number(port) });
    await connection.write(new TextEncoder().encode(head + body));
    await connection.closeWrite();
    // The loop closes it.
    let answer = "";
    for await (const text of connection.readable.pipeThrough(new TextDecoderStream())) answer += text;
    assertMatch(answer, /^HTTP\/1.1 400 [^]*the connection was interrupted/);
  }
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  assertMatch(metrics, /^http_server_request_duration_seconds_count\{.*"\/v1\/classify".*"400"\} 4$/m);
  const lines = server.output().split("\n").filter((line) => line.includes('"message":"request"'));
  const logged = lines.map((line) => JSON.parse(line))
    .map((entry) => [entry["http.response.status_code"], entry["error.type"]]);
  assertEquals(logged.slice(0, 4), Array(4).fill([400, "interrupted"]));
});
