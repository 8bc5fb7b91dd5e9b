import { assertEquals, assertMatch } from "@std/assert";
import { PIXELS } from "../helpers/http.ts";
import { inTemporaryFolder } from "../helpers/temporary_folder.ts";
import { Connection, headOf } from "./connections.ts";
import { MAIN, start } from "./deno_server.ts";

/** The program, by its path or on the PATH. */
const NGINX = Deno.env.get("NGINX_BIN") || "nginx";
const installed = await isInstalled();

async function isInstalled(): Promise<boolean> {
  try {
    return (await new Deno.Command(NGINX, { args: ["-v"], stderr: "null" }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** A port that was free a moment ago. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Our configuration with other ports, times of one second, and only files in a folder of the test. */
async function configuration(folder: string, port: number, upstream: string): Promise<string> {
  const text = await Deno.readTextFile(new URL("../../serve/deploy/nginx.conf", import.meta.url));
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) =>
    `${name}_temp_path ${folder}/${name};`
  );
  return `daemon off;\npid ${folder}/pid;\nerror_log ${folder}/error.log;\n` +
    text.replace("http {", `http {\n${paths.join("\n")}`)
      .replace(/(client_header|client_body|send|keepalive)_timeout \d+s/g, "$1_timeout 1s")
      .replace("listen 8080", `listen 127.0.0.1:${port}`)
      .replace("server 127.0.0.1:8000", `server ${new URL(upstream).host}`);
}

Deno.test({
  name: `serve/deploy/nginx.conf limits connections in front of a server (needs nginx: ${NGINX})`,
  ignore: !installed,
  fn: async (t) => {
    await using server = await start([...MAIN, "--port=0"], {
      CLIENT_ADDRESS_HEADER: "x-real-ip",
      RATE_LIMIT_PER_MINUTE: "2",
      LOG_LEVEL: "debug",
    });
    await inTemporaryFolder(async (folder) => {
      const port = freePort();
      const url = `http://127.0.0.1:${port}`;
      await Deno.writeTextFile(`${folder}/nginx.conf`, await configuration(folder, port, server.url));
      const nginx = new Deno.Command(NGINX, {
        args: ["-p", folder, "-e", `${folder}/error.log`, "-c", `${folder}/nginx.conf`],
        stderr: "inherit",
      }).spawn();
      try {
        while (!await fetch(`${url}/livez`).then((response) => response.ok, () => false));
        await t.step("requests are answered, and limited by the address that nginx sees", async () => {
          const statuses: number[] = [];
          for (const address of ["203.0.113.1", "203.0.113.2", "203.0.113.3"]) {
            const response = await fetch(`${url}/v1/classify`, {
              method: "POST",
              headers: { "content-type": "application/octet-stream", "x-real-ip": address },
              body: PIXELS,
            });
            statuses.push(response.status);
            await response.body?.cancel();
          }
          assertEquals(statuses, [200, 200, 429]);
        });
        await t.step("idle connections, half heads and half bodies are closed", async () => {
          const sent = [
            "",
            "POST /v1/classify HTT",
            "GET /livez HTTP/1.1\r\nhost: a\r\n\r\n",
            headOf(784) + "abc",
          ];
          const received = await Promise.all(sent.map(async (text) => {
            using connection = await Connection.open(url);
            await connection.send(text);
            return await connection.receive();
          }));
          assertEquals(received.map((text) => text.slice(0, 12)), ["", "", "HTTP/1.1 200", ""]);
        });
        await t.step("the server does not see requests before they are complete", () => {
          assertEquals(server.output().match(/"http\.route":"\/v1\/classify"/g)?.length, 3);
        });
        await t.step("an address has a maximum of active requests", async () => {
          const slow = await Promise.all(Array.from({ length: 32 }, () => Connection.open(url)));
          await Promise.all(
            slow.map((connection) => connection.send(headOf(784, "expect: 100-continue\r\n"))),
          );
          for (const connection of slow) assertMatch(await connection.receive(/\r\n\r\n/), / 100 /);
          const response = await fetch(`${url}/livez`);
          await response.body?.cancel();
          assertEquals(response.status, 429);
          for (const connection of slow) connection[Symbol.dispose]();
        });
        await t.step("a body that is too large gets 413", async () => {
          using connection = await Connection.open(url);
          await connection.send(headOf(9 * 1024 * 1024));
          assertMatch(await connection.receive(/\r\n/), /^HTTP\/1.1 413 /);
        });
      } finally {
        nginx.kill("SIGTERM");
        await nginx.status;
      }
    });
  },
});
