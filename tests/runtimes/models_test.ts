import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { LABELS, LEFT, putModel, shiftedModel } from "../helpers/model_folder.ts";
import { inTemporaryFolder } from "../helpers/temporary_folder.ts";
import { Connection } from "./connections.ts";
import { MAIN, run, start } from "./deno_server.ts";

const KEY = "0123456789abcdef";

/** Classifies on a connection of its own, so that any thread of the server may answer. */
async function classify(
  url: string,
  name: string,
): Promise<{ status: number; label?: string; text: string }> {
  using connection = await Connection.open(url);
  await connection.send(
    `POST /v1/models/${name}/classify HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${KEY}\r\n` +
      `content-type: application/octet-stream\r\ncontent-length: ${LEFT.length}\r\n\r\n`,
    LEFT,
  );
  const text = await connection.receive(/\r\n\r\n.*\}$/s);
  const label = /"predictions":\[\{"label":"([^"]+)"/.exec(text)?.[1];
  return { status: Number(text.slice(9, 12)), text, ...(label !== undefined && { label }) };
}

Deno.test("serve/main.ts replaces models of a folder while it runs, without losing a request", async () => {
  await inTemporaryFolder(async (folder) => {
    await putModel(`${folder}/m`, shiftedModel(0));
    await using server = await start([...MAIN, "--port=0"], { MODELS: folder, MODELS_POLL_MS: "10" });
    for (const shift of [1, 2, 0]) {
      await putModel(`${folder}/m`, shiftedModel(shift));
      let answer;
      do {
        answer = await classify(server.url, "m");
        assertEquals(answer.status, 200, answer.text);
      } while (answer.label !== LABELS[shift]);
    }
    await putModel(`${folder}/m`, new Uint8Array(9));
    await server.until(/"message":"model rejected","model":"m","error":"Cannot read ONNX file/);
    assertEquals((await classify(server.url, "m")).label, LABELS[0]);
    await putModel(`${folder}/other`, shiftedModel(1));
    await server.until(/"message":"model ready","model":"other"/);
    assertEquals((await classify(server.url, "other")).label, LABELS[1]);
    assertEquals((await server.stop("SIGTERM")).code, 0);
  });
});

Deno.test({
  name: "serve/main.ts --workers 2 loads and unloads models in all threads (not on Windows)",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await inTemporaryFolder(async (folder) => {
      await putModel(`${folder}/m`, shiftedModel(0));
      const env = { MODELS: folder, MODELS_POLL_MS: "0", API_KEYS: KEY };
      await using server = await start([...MAIN, "--port=0", "--workers=2"], env);
      const change = async (action: string): Promise<[number, string]> => {
        const response = await fetch(`${server.url}/v2/repository/models/m/${action}`, {
          method: "POST",
          headers: { authorization: `Bearer ${KEY}` },
        });
        return [response.status, await response.text()];
      };
      /** Which of both threads answers is random. */
      const all = async (): Promise<Set<unknown>> => {
        const answers = await Promise.all(Array.from({ length: 64 }, () => classify(server.url, "m")));
        return new Set(answers.map(({ status, label }) => label ?? status));
      };
      assertEquals(await change("unload"), [200, "{}"]);
      assertEquals(await all(), new Set([404]));
      await putModel(`${folder}/m`, shiftedModel(1));
      assertEquals(await change("load"), [200, "{}"]);
      assertEquals(await all(), new Set([LABELS[1]]));
      await putModel(`${folder}/m`, new Uint8Array(9));
      const [status, text] = await change("load");
      assertEquals(status, 400);
      assertMatch(text, /^\{"error":"Cannot load the model \\"m\\": Cannot read ONNX file/);
      assertEquals(await all(), new Set([LABELS[1]]));
    });
  },
});

Deno.test("serve/main.ts says what is wrong with a folder of models and exits with 2", async () => {
  await inTemporaryFolder(async (folder) => {
    for (
      const [env, message] of [
        [{ MODELS: `${folder}/none` }, `Cannot read the folder of models "${folder}/none"`],
        [{ MODELS: folder, MODEL_SHA256: "a".repeat(64) }, "Cannot use MODEL_SHA256 together with MODELS"],
      ] as const
    ) {
      const [code, , stderr] = await run(["--port=0"], env);
      assertEquals(code, 2, stderr);
      assertStringIncludes(stderr, message);
    }
  });
});
