import { assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { drainable } from "../../serve/drain.ts";
import { type HttpServer, keepListening } from "../../serve/keep_listening.ts";
import { PIXELS } from "../helpers/http.ts";
import { Connection, headOf, stopWhileSending } from "./connections.ts";
import { MAIN, start } from "./deno_server.ts";

/** A `SHUTDOWN_TIMEOUT_MS` that no test reaches. */
const NEVER = "600000";

Deno.test("serve/main.ts finishes active requests when it is stopped, and answers others meanwhile", async () => {
  await using server = await start([...MAIN], { PORT: "0", SHUTDOWN_TIMEOUT_MS: NEVER });
  using idle = await Connection.open(server.url);
  using active = await Connection.open(server.url);
  await active.send(headOf(784, "expect: 100-continue\r\n"));
  // The server answers this once the application reads the body, so the request is active.
  assertMatch(await active.receive(/\r\n\r\n/), /^HTTP\/1.1 100 /);
  const stopped = server.stop("SIGINT");
  await server.until(/"message":"stop"/);
  const other = await fetch(`${server.url}/healthz`);
  assertEquals([other.status, other.headers.get("connection")], [200, "close"]);
  await other.body?.cancel();
  await active.send(PIXELS);
  assertMatch(await active.receive(), /HTTP\/1.1 200 .*connection: close.*"predictions":/s);
  assertEquals(await idle.receive(), "", "an idle connection is closed");
  assertEquals((await stopped).code, 0);
});

Deno.test("serve/main.ts answers all requests that were sent before it is stopped", async () => {
  await using server = await start([...MAIN, "--port=0"], { QUEUE_TIMEOUT_MS: NEVER });
  assertEquals(await stopWhileSending(server, 64), { code: 0, statuses: Array(64).fill("200") });
});

Deno.test("serve/main.ts ends in a stated time while a client holds an unfinished body", async () => {
  await using server = await start([...MAIN, "--port=0"], { SHUTDOWN_TIMEOUT_MS: "500" });
  using active = await Connection.open(server.url);
  await active.send(headOf(784, "expect: 100-continue\r\n"));
  await active.receive(/\r\n\r\n/);
  await active.send(PIXELS.subarray(1));
  // Where the server does not end, the test must.
  const watchdog = setTimeout(() => server.stop("SIGKILL"), 60_000);
  const { code } = await server.stop("SIGTERM");
  clearTimeout(watchdog);
  assertEquals(code, 0);
  assertMatch(server.output(), /"message":"stopped","unanswered":1/);
});

Deno.test({
  name: "serve/main.ts goes on when idle connections have taken all file descriptors",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using server = await start([...MAIN, "--port=0"], { SHUTDOWN_TIMEOUT_MS: "500" }, undefined, 160);
    using active = await Connection.open(server.url);
    await active.send(headOf(784));
    const idle: Connection[] = [];
    // The server may refuse connections while it starts to listen again.
    for (let i = 0; i < 300; i++) {
      const connection = await Connection.open(server.url).catch(() => undefined);
      if (connection) idle.push(connection);
    }
    await server.until(/"message":"accept failed".*Too many open files/);
    const ask = async (): Promise<number> => {
      while (true) {
        try {
          const response = await fetch(`${server.url}/v1/model`);
          await response.body?.cancel();
          return response.status;
        } catch {
          if (isOver) return 0;
          // Reset with those that were about to be accepted when the descriptors ran out.
        }
      }
    };
    let isOver = false;
    const watchdog = setTimeout(() => {
      isOver = true;
      return server.stop("SIGKILL");
    }, 60_000);
    assertEquals(await ask(), 200, "while the other connections stay open");
    clearTimeout(watchdog);
    for (const connection of idle) connection[Symbol.dispose]();
    assertEquals((await server.stop("SIGTERM")).code, 0);
  },
});

Deno.test({
  name: "serve/main.ts logs an error that nobody handles, and goes on",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using server = await start(["run", "-A", "tests/helpers/rejecting_server.ts", "--port=0"]);
    const ask = async (): Promise<string> => await (await fetch(`${server.url}/livez`)).text();
    const answer = await ask();
    Deno.kill(server.pid, "SIGUSR2");
    await server.until(/"message":"failure","error":"Error: forgotten on purpose/);
    assertEquals(await ask(), answer);
    assertEquals((await server.stop("SIGTERM")).code, 0);
  },
});

Deno.test("drainable() answers requests until it was idle for a moment, and refuses later ones", async () => {
  const { fetch: ask, drain } = drainable(() => new Response("answer"));
  const info = { remoteAddr: { hostname: "127.0.0.1" } };
  const send = async (): Promise<[number, string | null]> => {
    const { status, headers } = await ask(new Request("http://localhost/"), info);
    return [status, headers.get("connection")];
  };
  assertEquals(await send(), [200, null]);
  const drained = drain(60_000);
  // As those that were sent before the signal, and arrive after it.
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals(await send(), [200, "close"]);
  assertEquals(await drained, 0);
  assertEquals(await send(), [503, "close"]);
});

/** A server that fails or ends when the test says so. */
function fakeServer(): HttpServer & { fail(error: Error): void; closed: PromiseWithResolvers<void> } {
  const { promise: finished, resolve, reject } = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  return {
    finished,
    fail: reject,
    closed,
    shutdown: async (): Promise<void> => {
      resolve();
      await closed.promise;
    },
  };
}

Deno.test("keepListening() throws the first error, and a later one if it persists", async () => {
  const taken = new Deno.errors.AddrInUse("taken");
  const refuse = (): never => {
    throw taken;
  };
  assertThrows(() => keepListening(refuse, () => {}), Deno.errors.AddrInUse);
  const first = fakeServer();
  let calls = 0;
  const server = keepListening(() => calls++ === 0 ? first : refuse(), () => {}, 0);
  first.fail(new Error("too many open files"));
  assertEquals(await assertRejects(() => server.finished), taken);
});

Deno.test("keepListening() replaces a server that fails, and closes both when it ends", async () => {
  const failed = fakeServer(), next = fakeServer();
  const listening = Promise.withResolvers<void>(), reports: unknown[] = [];
  let calls = 0;
  const server = keepListening(() => {
    calls++;
    if (calls === 1) return failed;
    // The address is taken for a moment.
    if (calls === 2) throw new Deno.errors.AddrInUse("taken");
    listening.resolve();
    return next;
  }, (reason) => reports.push(reason));
  const failure = new Error("too many open files");
  failed.fail(failure);
  await listening.promise;
  assertEquals(reports, [failure]);
  let isOver = false;
  const over = server.shutdown().then(() => isOver = true);
  next.closed.resolve();
  await server.finished;
  assertEquals(isOver, false, "the failed server still has requests");
  failed.closed.resolve();
  await over;
});
