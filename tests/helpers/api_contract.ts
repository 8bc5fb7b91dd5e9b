/**
 * Checks answers against an OpenAPI document, for tests.
 *
 * @module
 */
import { assert } from "@std/assert";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { Document } from "../../serve/openapi/document.ts";
import type { Json } from "../../serve/openapi/operation.ts";

const ID = "https://selvedge.test/";

/** An OpenAPI document that answers can be compared with. */
export class ApiContract {
  readonly #ajv = new Ajv2020({ strict: true, allowUnionTypes: true, strictTypes: false });

  constructor(readonly document: Document) {
    this.#ajv.addFormat("binary", true);
    for (const keyword of Object.keys(document)) this.#ajv.addKeyword(keyword);
    this.#ajv.addSchema({ $id: ID, ...document }, "document", false);
  }

  /** Whether a value is what a schema of the document describes. */
  accepts(name: string, value: unknown): boolean {
    return this.#ajv.getSchema(`${ID}#/components/schemas/${name}`)!(value) as boolean;
  }

  /**
   * Asserts that the document has the answer: its status by itself, its media type and its JSON.
   *
   * @param path as the document writes it
   */
  async check(method: string, path: string, response: Response): Promise<void> {
    const text = await response.text();
    const what = `${method} ${path}: ${response.status}`;
    const described = this.document.paths[path]?.[method.toLowerCase()]?.responses[response.status];
    assert(described, `${what} is not documented: ${text.slice(0, 200)}`);
    if (text === "" && !described.content) return;
    const mediaType = (response.headers.get("content-type") ?? "").split(";", 1)[0]!;
    const content = described.content?.[mediaType];
    assert(content, `${what} with ${mediaType} is not documented`);
    const name = String((content.schema as Json | undefined)?.$ref ?? "").split("/").at(-1)!;
    if (name === "" || !mediaType.endsWith("json")) return;
    const isDescribed = this.accepts(name, JSON.parse(text));
    assert(isDescribed, `${what} is not a ${name}: ${text.slice(0, 400)}`);
  }
}
