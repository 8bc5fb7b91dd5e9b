import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { jpegOfScans } from "../bench/costly_jpeg.ts";
import { COSTLIEST, costlyWebp } from "../bench/costly_pictures.ts";
import { A, ATTACK, B } from "./attack.ts";
import { Connection, headOf } from "./connections.ts";
import { MAIN, start } from "./deno_server.ts";
import { runSuite } from "./guards.ts";
import { startWorkerd } from "./workerd_server.ts";

Deno.test("serve/main.ts is not slowed down by one client", async (t) => {
  await using server = await start([...MAIN, "--port=0"], ATTACK.variables);
  await runSuite(t, ATTACK, (path, init) => fetch(`${server.url}${path}`, init));
});

Deno.test("workerd is not slowed down by one client", async (t) => {
  await using server = await startWorkerd({ attack: { variables: ATTACK.variables } });
  const { send } = server.workers["attack"]!;
  await runSuite(t, ATTACK, send);
  await t.step("by pictures that take long to decode", async () => {
    const size = { width: 1448, height: 1448 };
    const pictures = {
      "image/jpeg": [
        jpegOfScans({
          size: { width: 8000, height: 8000 },
          components: 3,
          progressive: false,
          coefficients: 1,
          scans: 1,
        }),
        jpegOfScans(COSTLIEST.jpeg),
      ],
      "image/webp": await Promise.all([0.05, 1].map((noise) => costlyWebp({ size, quality: 100, noise }))),
    };
    for (const [type, bodies] of Object.entries(pictures)) {
      for (const body of bodies) {
        const response = await send("/v1/classify", {
          method: "POST",
          headers: { "content-type": type },
          body,
        });
        await response.text();
        // Noise is no content.
        assert([200, 422].includes(response.status), `${type}: ${response.status}`);
      }
    }
  });
});

Deno.test("serve/main.ts refuses a body whose images would keep the model busy too long, while it arrives", async () => {
  // So much may be queued for the model, and twice that: 200 images take some ms, and reading them next to nothing.
  const variables = { CLIENT_ADDRESS_HEADER: "x-client", QUEUE_TIMEOUT_MS: "100", MAX_CONCURRENCY: "1000" };
  await using server = await start([...MAIN, "--port=0"], variables);
  const bytes = 200 * 784, started = 100_000;
  const pixels = new Uint8Array(bytes).map((_, i) => i * i % 251);
  for (let i = 0; i < 10; i++) {
    const response = await fetch(`${server.url}/v1/classify`, {
      method: "POST",
      headers: { "content-type": "application/octet-stream", "x-client": A },
      body: pixels,
    });
    await response.arrayBuffer();
    assertEquals(response.status, 200);
  }
  using stack = new DisposableStack();
  const open = async (client: string): Promise<Connection> => {
    const connection = stack.use(await Connection.open(server.url));
    await connection.send(headOf(bytes, `x-client: ${client}\r\n`), pixels.subarray(0, started));
    return connection;
  };
  const connections = await Promise.all(Array.from({ length: 100 }, () => open(A)));
  const response = await Promise.race(connections.map((connection) => connection.receive(/\r\n\r\n\{.*\}/s)));
  assertEquals(response.slice(9, 12), "503");
  assertStringIncludes(response.toLowerCase(), "\r\nretry-after: 1\r\n");
  assertStringIncludes(response, "too much work of this client is queued");
  const other = await open(B);
  await other.send(pixels.subarray(started));
  assertEquals((await other.receive(/\r\n\r\n\{.*\}/s)).slice(9, 12), "200");
});

/** Resident memory in MB, on Linux. */
async function memoryMb(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+([0-9]+) kB/m.exec(status)![1]) / 1000;
}

Deno.test({
  name: "serve/main.ts needs memory for what arrives, not for what is declared (Linux)",
  ignore: Deno.build.os !== "linux",
  async fn(): Promise<void> {
    await using server = await start([...MAIN, "--port=0"]);
    const address = { hostname: "127.0.0.1", port: Number(new URL(server.url).port) };
    const before = await memoryMb(server.pid);
    const connections: Deno.Conn[] = [];
    for (const [count, bytes] of [[200, 4 << 20], [400, 60_000], [100, 4096]] as const) {
      const head = `POST /v1/classify HTTP/1.1\r\nhost: a\r\ncontent-type: application/octet-stream\r\n` +
        `content-length: ${bytes}\r\nexpect: 100-continue\r\n\r\n`;
      for (let i = 0; i < count; i++) {
        const connection = await Deno.connect(address);
        connections.push(connection);
        await connection.write(new TextEncoder().encode(head));
        // The server answers this once the application reads the body.
        const answer = new Uint8Array(256);
        const length = await connection.read(answer) ?? 0;
        assertStringIncludes(new TextDecoder().decode(answer.subarray(0, length)), "100 Continue");
        await connection.write(Uint8Array.of(1));
      }
    }
    const response = await fetch(`${server.url}/livez`);
    assertEquals(await response.json(), { status: "ok" });
    const grown = await memoryMb(server.pid) - before;
    // 886 MB are declared.
    assert(grown < 150, `${Math.round(grown)} MB more`);
    for (const connection of connections) connection.close();
  },
});
