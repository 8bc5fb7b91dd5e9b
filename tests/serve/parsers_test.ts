import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseJson } from "../../serve/decode/json.ts";
import { filesOf } from "../../serve/decode/multipart.ts";

const bytesOf = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(text, (character) => character.charCodeAt(0));

/** The contents of a form's parts as RFC 2046, section 5.1.1, has them; none if it is malformed. */
function simpleFilesOf(body: string, boundary: string): string[] {
  // The line break before a delimiter belongs to it, and there need be none before the first.
  const [, ...parts] = `\r\n${body}`.split(`\r\n--${boundary}`);
  const last = parts.findIndex((part) => part.startsWith("--"));
  if (last < 0) return [];
  const contents: string[] = [];
  for (const part of parts.slice(0, last)) {
    // A part without content has no line break of its own after its headers.
    const end = `${part}\r\n`.indexOf("\r\n\r\n");
    if (end < 0 || !part.slice(0, end).includes("\r\nContent-Disposition: form-data; filename=f")) return [];
    contents.push(part.slice(end + 4));
  }
  return contents;
}

Deno.test("filesOf() finds the same parts as a search that looks at every byte", () => {
  const pieces = (...pieces: string[]): fc.Arbitrary<string> =>
    fc.array(fc.constantFrom(...pieces), { maxLength: 12 }).map((all) => all.join(""));
  const header = "\r\nContent-Disposition: form-data; filename=f";
  const boundary = fc.constantFrom("x", "-", "--", "xx", "x-x", "--x", "xyxyx", "0123456789".repeat(7));
  let found = 0;
  fc.assert(
    fc.property(
      boundary.chain((boundary) => {
        const delimiter = `--${boundary}`, start = delimiter.slice(0, -1);
        const content = pieces(
          "\r",
          "\n",
          "\r\n",
          "-",
          "x",
          `\r\n${start}`,
          delimiter,
          "\xff",
          "",
          "\r\n\r\n",
        );
        const part = fc.tuple(content, fc.constantFrom("", " ", "\t ", "-")).map(([content, padding]) =>
          `${delimiter}${padding}${header}\r\n\r\n${content}\r\n`
        );
        return fc.tuple(
          fc.constant(boundary),
          fc.oneof(fc.constant(""), content.map((text) => `${text}\r\n`)),
          fc.array(part, { maxLength: 4 }).map((all) => all.join("")),
          fc.constantFrom(`${delimiter}--`, `${delimiter}--\r\n`, `${delimiter}-`, delimiter, ""),
          content,
        );
      }),
      ([boundary, preamble, parts, end, epilogue]) => {
        const body = `${preamble}${parts}${end}${epilogue}`;
        const files = filesOf(bytesOf(body), `multipart/form-data; boundary=${boundary}`, 100)
          .map((bytes) => String.fromCharCode(...bytes));
        assertEquals(files, simpleFilesOf(body, boundary));
        found += files.length;
      },
    ),
    { numRuns: 3000 },
  );
  assertEquals(found > 500, true, `${found} files`);
});

Deno.test("parseJson() reads whatever JSON.parse does, strings full of brackets and quotes included", () => {
  const text = fc.array(fc.constantFrom("[", "]", "{", "}", ":", ",", '"', "\\", "a", "é", "\n"), {
    maxLength: 20,
  })
    .map((all) => all.join(""));
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { depthSize: "small" },
      text,
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
      fc.constantFrom(null, true, false),
      fc.array(tie("any"), { maxLength: 4 }),
      fc.dictionary(text, tie("any"), { maxKeys: 4 }),
    ),
  })).any;
  fc.assert(fc.property(value, fc.nat(2), (value, indent) => {
    const json = JSON.stringify(value, null, indent);
    assertEquals(parseJson(new TextEncoder().encode(json)), JSON.parse(json));
  }));
});

Deno.test("parseJson() counts the elements of arrays, however they are nested", () => {
  const count = (value: unknown): number =>
    Array.isArray(value) ? value.reduce((n, one) => n + count(one), 0) : 1;
  const sides = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(sides, fc.constantFrom(-3000, -1, 0, 1, 2, 3000), (sides, more) => {
      const nested = sides.reduceRight<unknown>((inner, side) => Array(side).fill(inner), 7);
      // Each element but the first follows a comma, and arrays on each level do too.
      const commas = JSON.stringify(nested).split(",").length - 1;
      assertEquals(commas, count(nested) - 1);
      const room = commas + more;
      const json = bytesOf(JSON.stringify({ padding: Array(65_537).fill(0), nested }));
      const read = (): unknown => parseJson(json, room);
      // 65,536 commas within the padding, and one after it.
      if (more >= 1) assertEquals((read() as { nested: unknown }).nested, nested);
      else {
        let message = "";
        try {
          read();
        } catch (error) {
          message = (error as Error).message;
        }
        assertEquals(message.includes(`must have at most ${65_536 + room} elements`), true, message);
      }
    }),
    { numRuns: 40 },
  );
});
