/**
 * Connections on which a test sends what no client library sends.
 *
 * @module
 */
import { PIXELS } from "../helpers/http.ts";
import type { Server } from "./deno_server.ts";

/** A TCP connection to a server. */
export class Connection implements Disposable {
  readonly #conn: Deno.Conn;
  #received = "";

  private constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  static async open(url: string): Promise<Connection> {
    return new Connection(await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(url).port) }));
  }

  async send(...parts: (string | Uint8Array)[]): Promise<void> {
    for (const part of parts) {
      const bytes = typeof part === "string" ? new TextEncoder().encode(part) : part;
      for (let sent = 0; sent < bytes.length;) sent += await this.#conn.write(bytes.subarray(sent));
    }
  }

  /** Everything received until it has a pattern, or until the other side closes or resets the connection. */
  async receive(pattern?: RegExp): Promise<string> {
    const buffer = new Uint8Array(65536);
    while (!pattern?.test(this.#received)) {
      const length = await this.#conn.read(buffer).catch(() => null);
      if (length === null) break;
      this.#received += new TextDecoder("latin1").decode(buffer.subarray(0, length));
    }
    return this.#received;
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }
}

/** The head of a request with raw pixels. */
export function headOf(bytes: number, headers = ""): string {
  return "POST /v1/classify HTTP/1.1\r\nhost: a\r\ncontent-type: application/octet-stream\r\n" +
    `content-length: ${bytes}\r\n${headers}\r\n`;
}

/**
 * Sends requests on connections of their own, and stops the server with SIGTERM at the same time.
 *
 * @returns the server's exit code, and the statuses of the responses
 */
export async function stopWhileSending(
  server: Server,
  count: number,
): Promise<{ code: number; statuses: string[] }> {
  await using stack = new AsyncDisposableStack();
  const connections = await Promise.all(Array.from({ length: count }, () => Connection.open(server.url)));
  for (const connection of connections) stack.use(connection);
  // While it is paused, nothing reaches the application, so the signal and all requests come at once.
  Deno.kill(server.pid, "SIGSTOP");
  await Promise.all(connections.map((connection) => connection.send(headOf(PIXELS.length), PIXELS)));
  const stopped = server.stop("SIGTERM");
  Deno.kill(server.pid, "SIGCONT");
  const answers = await Promise.all(connections.map((connection) => connection.receive()));
  return { code: (await stopped).code, statuses: answers.map((answer) => answer.slice(9, 12)) };
}
