import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { startInspectedDeno, startInspectedWorkerd } from "../helpers/inspected_server.ts";
import { Connection } from "./connections.ts";

const HEAD = "POST /v1/classify HTTP/1.1\r\nhost: a\r\ncontent-type: application/octet-stream\r\n" +
  "transfer-encoding: chunked\r\n\r\n";

/** HTTP chunks of one size, and the end of the body. */
function chunked(count: number, size: number): string {
  return `${size.toString(16)}\r\n${"x".repeat(size)}\r\n`.repeat(count) + "0\r\n\r\n";
}

/** Sends a body and returns the response, which may come before all of it is sent. */
async function post(url: string, body: string): Promise<string> {
  using connection = await Connection.open(url);
  // The server closes the connection when it refuses the body.
  const sending = connection.send(HEAD, body).catch(() => {});
  const response = await connection.receive(/\r\n\r\n\{.*\}/s);
  await sending;
  return response;
}

for (const [name, start] of Object.entries({ Deno: startInspectedDeno, workerd: startInspectedWorkerd })) {
  Deno.test(`${name} refuses a body of many small HTTP chunks, and reads one of large ones`, async () => {
    await using server = await start();
    const response = await post(server.url, chunked(9000, 1));
    assertEquals(response.slice(9, 12), "400");
    assertStringIncludes(response.toLowerCase(), "connection: close");
    assertStringIncludes(response, "more than 8192 chunks must have at least 1024 bytes on average");
    // As many bytes as a body may have, in pieces of the smallest packets, are read: they are too many images.
    const large = await post(server.url, chunked(15_600, 536));
    assert(!large.includes("chunks"), large);
    assert(/^HTTP\/1.1 4/.test(large), large);
    const small = await post(server.url, chunked(784, 1));
    assertEquals(small.slice(9, 12), "422", "an image of one colour");
  });
}
