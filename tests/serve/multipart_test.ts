import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { decodeMultipart, filesOf } from "../../serve/decode/multipart.ts";
import { InputError } from "../../shared/errors.ts";

/** Reads a form of which each file is so many bytes that stand for its pixels. */
async function read(
  body: Uint8Array<ArrayBuffer> | string,
  contentType = "multipart/form-data; boundary=x",
): Promise<{ files: string[]; types: (string | undefined)[] }> {
  const files: string[] = [], types: (string | undefined)[] = [];
  await decodeMultipart(typeof body === "string" ? new TextEncoder().encode(body) : body, contentType, {
    imageSize: 1,
    maxBatchSize: 3,
    readPicture: (bytes, _, mediaType) => {
      files.push(new TextDecoder("latin1").decode(bytes));
      types.push(mediaType);
      return Promise.resolve();
    },
  });
  return { files, types };
}

const part = (content: string, name = "a"): string =>
  `--x\r\nContent-Disposition: form-data; name="${name}"; filename="f"\r\n\r\n${content}\r\n`;

Deno.test("decodeMultipart() reads what FormData writes", async () => {
  const file = fc.record({
    content: fc.uint8Array({ maxLength: 40 }),
    name: fc.string({ maxLength: 10 }),
    type: fc.constantFrom("", "image/png", "IMAGE/JPEG"),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(file, { minLength: 1, maxLength: 3 }), async (wanted) => {
      const form = new FormData();
      for (const { content, name, type } of wanted) form.append(name, new File([content], name, { type }));
      const encoded = new Response(form);
      const type = encoded.headers.get("content-type")!;
      const { files, types } = await read(new Uint8Array(await encoded.arrayBuffer()), type);
      assertEquals(files, wanted.map(({ content }) => new TextDecoder("latin1").decode(content)));
      for (const [i, { type }] of wanted.entries()) {
        if (type !== "") assertEquals(types[i], type.toLowerCase());
      }
    }),
  );
});

Deno.test("decodeMultipart() finds boundaries among bytes that resemble them", async () => {
  const text = (characters: string[], max: number): fc.Arbitrary<string> =>
    fc.array(fc.constantFrom(...characters), { minLength: 1, maxLength: max }).map((all) => all.join(""));
  await fc.assert(
    fc.property(
      text(["-", "x", "--"], 8),
      fc.array(text(["\r", "\n", "\r\n--", "-", "x", "xx"], 30), { maxLength: 3 }),
      (boundary, contents) => {
        // No line of a part may start with a delimiter (RFC 2046, section 5.1.1).
        const files = contents.filter((content) => !`\r\n${content}\r\n`.includes(`\r\n--${boundary}`));
        const parts = files.map((content) =>
          `--${boundary}\r\nContent-Disposition: form-data; name="a"; filename="f"\r\n\r\n${content}\r\n`
        );
        const body = new TextEncoder().encode(`${parts.join("")}--${boundary}--`);
        const found = filesOf(body, `multipart/form-data; boundary="${boundary}"`, 3);
        assertEquals(found.map((bytes) => new TextDecoder().decode(bytes)), files);
      },
    ),
    { numRuns: 2000 },
  );
});

Deno.test("decodeMultipart() reads forms as RFC 2046 allows them", async () => {
  const end = "--x--";
  assertEquals((await read(part("1") + part("2") + end)).files, ["1", "2"]);
  assertEquals((await read(`for readers of mail\r\n${part("1")}${end}\r\nand after`)).files, ["1"]);
  assertEquals((await read(part("\r\n--y\r\n\r\n") + end)).files, ["\r\n--y\r\n\r\n"]);
  assertEquals((await read(part("") + end)).files, [""]);
  // The line break after the headers is the delimiter's own.
  assertEquals((await read(part("1") + part("").slice(0, -2) + part("2") + end)).files, ["1", "", "2"]);
  assertEquals((await read(part("1") + end, 'multipart/form-data; charset=utf-8; BOUNDARY="x"')).files, [
    "1",
  ]);
  const cased =
    "--x\r\ncontent-type: image/PNG; a=b\r\ncontent-disposition: form-data;filename=f;name=a\r\n\r\n1";
  assertEquals(await read(`${cased}\r\n${end}`), { files: ["1"], types: ["image/png"] });
});

Deno.test("decodeMultipart() refuses what is no form of files", async () => {
  const head = "--x\r\nContent-Disposition: form-data; name=a; filename=f\r\n";
  const cases: [string, string][] = [
    ["", "malformed"],
    ["--y--", "malformed"],
    [part("1"), "malformed"],
    ["--x", "malformed"],
    [`${head}\r\n1`, "malformed"],
    [`${head}--x--`, "malformed"],
    // The headers of the first part do not end.
    [head + part("1") + "--x--", "malformed"],
    [`${head}${"a: b\r\n".repeat(5000)}\r\n1\r\n--x--`, "malformed"],
    ["--x\r\n\r\n1\r\n--x--", "no content-disposition"],
    ["--x--", "no files"],
    ['--x\r\nContent-Disposition: form-data; name="top_k"\r\n\r\n1\r\n--x--', '"top_k" is not'],
  ];
  for (const [body, message] of cases) await assertRejects(() => read(body), Error, message);
  await assertRejects(() => read(part("1"), "multipart/form-data"), InputError, "no boundary");
  await assertRejects(() => read(part("1").repeat(4) + "--x--"), InputError, "at most 3 images");
});

Deno.test("decodeMultipart() reads or refuses whatever it is given", async () => {
  const form = part("1") + part("2", "\xe9") + "--x--\r\n";
  const pieces = fc.array(
    fc.constantFrom("--x", "\r\n", "--", ":", ";", "form-data", "\r\n\r\n", part("3"), "x"),
  );
  await fc.assert(
    fc.asyncProperty(fc.nat(form.length), fc.nat(20), pieces, async (at, cut, pieces) => {
      const body = form.slice(0, at) + pieces.join("") + form.slice(at + cut);
      try {
        await read(body);
      } catch (error) {
        assert(/^Cannot (read|classify)/.test((error as Error).message), String(error));
      }
    }),
    { numRuns: 1000 },
  );
});
