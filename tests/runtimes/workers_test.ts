import { assert, assertEquals, assertGreater, assertMatch, assertStringIncludes } from "@std/assert";
import { readConfig } from "../../serve/config.ts";
import { createLog } from "../../serve/log.ts";
import { mergeMetrics } from "../../serve/workers/merge_metrics.ts";
import { supervise } from "../../serve/workers/supervisor.ts";
import { Connection, stopWhileSending } from "./connections.ts";
import { MAIN, run, start } from "./deno_server.ts";

/** Windows does not share a port among sockets. */
const ignore = Deno.build.os === "windows";

/** Asks on a connection of its own. */
async function ask(url: string, path: string): Promise<string> {
  using connection = await Connection.open(url);
  await connection.send(`GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`);
  return (await connection.receive(/\r\n\r\n./)).split("\r\n\r\n")[1] ?? "";
}

Deno.test({
  name: "serve/main.ts --workers 2 answers on two threads, with the metrics of both (not on Windows)",
  ignore,
  fn: async () => {
    await using server = await start([...MAIN, "--port=0", "--workers=2"]);
    // The decoders run in threads that have no `location`.
    for (const type of ["png", "jpg", "webp"]) {
      const { status, body } = await fetch(`${server.url}/v1/classify`, {
        method: "POST",
        headers: { "content-type": `image/${type === "jpg" ? "jpeg" : type}` },
        body: await Deno.readFile(new URL(`../../fixtures/shirt.${type}`, import.meta.url)),
      });
      await body?.cancel();
      assertEquals(status, 200, type);
    }
    for (let i = 0; i < 64; i++) await ask(server.url, "/livez");
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    const counts = [...metrics.matchAll(/^\w+_count\{worker="(\d)",.*route="\/livez".*\} (\d+)$/gm)];
    assertEquals(counts.map(([, worker]) => worker), ["1", "2"], metrics);
    for (const [, , count] of counts) assertGreater(Number(count), 0);
    assertEquals(metrics.match(/^# TYPE selvedge_ready gauge$/gm)?.length, 1);
    assertEquals(metrics.match(/^selvedge_ready\{worker="[12]"\} 1$/gm)?.length, 2);
    const [code, , stderr] = await run([`--port=${new URL(server.url).port}`, "--workers=2"]);
    assertEquals(code, 2);
    assertStringIncludes(stderr, "is in use");
    assertEquals((await server.stop("SIGTERM")).code, 0);
  },
});

Deno.test({
  name: "serve/main.ts --workers 2 answers all requests that were sent before it is stopped (not on Windows)",
  ignore,
  fn: async () => {
    await using server = await start([...MAIN, "--port=0"], { WORKERS: "2", QUEUE_TIMEOUT_MS: "600000" });
    assertEquals(await stopWhileSending(server, 64), { code: 0, statuses: Array(64).fill("200") });
    assertMatch(server.output(), /"message":"stopped","unanswered":0/);
  },
});

Deno.test({
  name: "supervise() replaces a worker that fails (not on Windows)",
  ignore,
  fn: async () => {
    const lines: string[] = [];
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    listener.close();
    const supervisor = supervise({
      config: readConfig({ PORT: String(port), WORKERS: "2" }),
      log: createLog("info", (line) => lines.push(line)),
      program: new URL("../helpers/crashing_worker.ts", import.meta.url),
    });
    await supervisor.listening;
    const url = `http://127.0.0.1:${port}`;
    const seen = async (workers: Set<string>): Promise<void> => {
      while (workers.size > 0) workers.delete(await ask(url, "/").catch(() => ""));
    };
    await seen(new Set(["1", "2"]));
    const crashed = await ask(url, "/crash");
    await seen(new Set(["1", "2"]));
    assertEquals(
      lines.map((line) => JSON.parse(line)).map(({ message, worker }) => [message, String(worker)]),
      [
        ["worker failed", crashed],
      ],
    );
    assert(lines[0]!.includes("crashed on purpose"));
    assertEquals(await supervisor.stop(), 2);
  },
});

Deno.test("mergeMetrics() gives each line the label of its worker, under one head", () => {
  const text = (count: number): string =>
    "# HELP a_total A\n# TYPE a_total counter\n" +
    `a_total{path="{#}",x="1 2"} ${count}\na_total ${count}\n` +
    "# HELP empty Nothing\n# TYPE empty gauge\n";
  assertEquals(
    mergeMetrics(new Map([[1, text(1)], [2, text(2)], [3, ""]])),
    "# HELP a_total A\n# TYPE a_total counter\n" +
      'a_total{worker="1",path="{#}",x="1 2"} 1\na_total{worker="1"} 1\n' +
      'a_total{worker="2",path="{#}",x="1 2"} 2\na_total{worker="2"} 2\n' +
      "# HELP empty Nothing\n# TYPE empty gauge\n",
  );
});
