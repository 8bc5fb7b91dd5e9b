/**
 * Values that a JSON Schema allows, and values that differ from them in one place, for property tests.
 *
 * @module
 */
import fc from "fast-check";
import type { Json } from "../../serve/openapi/operation.ts";

/** Arbitraries for schemas that say less than what is wanted, by name, as for relations between fields. */
export type Overrides = Record<string, fc.Arbitrary<unknown>>;

/** More elements would only take longer. */
const MORE = 3;

/** @param schemas the schemas that references name */
export function allowedBy(
  schema: Json,
  schemas: Record<string, Json>,
  overrides: Overrides,
): fc.Arbitrary<unknown> {
  const arbitrary = (schema: Json): fc.Arbitrary<unknown> => allowedBy(schema, schemas, overrides);
  if ("$ref" in schema) {
    const name = String(schema["$ref"]).split("/").at(-1)!;
    return overrides[name] ?? arbitrary(schemas[name]!);
  }
  if ("const" in schema) return fc.constant(schema["const"]);
  if ("enum" in schema) return fc.constantFrom(...schema["enum"] as unknown[]);
  const either = (schema["anyOf"] ?? schema["oneOf"]) as Json[] | undefined;
  if (either) return fc.oneof(...either.map(arbitrary));
  switch (schema["type"]) {
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "integer":
      return fc.integer({ min: bound(schema, "minimum", -1e6), max: bound(schema, "maximum", 1e6) });
    case "number":
      return fc.double({
        min: bound(schema, "minimum", -1e6),
        max: bound(schema, "maximum", 1e6),
        noNaN: true,
      });
    case "string":
      return fc.string({ minLength: bound(schema, "minLength", 0), unit: "grapheme" });
    case "array":
      return fc.array(arbitrary(schema["items"] as Json), {
        minLength: bound(schema, "minItems", 0),
        maxLength: Math.min(bound(schema, "maxItems", Infinity), bound(schema, "minItems", 0) + MORE),
      });
    case "object":
      return object(schema, arbitrary);
  }
  throw new Error(`no arbitrary for ${JSON.stringify(schema)}`);
}

function bound(schema: Json, key: string, fallback: number): number {
  return (schema[key] as number | undefined) ?? fallback;
}

function object(schema: Json, arbitrary: (schema: Json) => fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const properties = Object.entries((schema["properties"] ?? {}) as Record<string, Json>)
    .filter(([, property]) => !("not" in property));
  const known = fc.record(
    Object.fromEntries(properties.map(([key, property]) => [key, arbitrary(property)])),
    { requiredKeys: (schema["required"] ?? []) as string[] },
  );
  const rest = schema["additionalProperties"];
  if (rest === false) return known;
  const values = typeof rest === "object" ? arbitrary(rest as Json) : fc.jsonValue();
  const names = new Set(Object.keys((schema["properties"] ?? {}) as Json));
  const key = fc.string({ minLength: 1, maxLength: 9 }).filter((key) =>
    !names.has(key) && key !== "__proto__"
  );
  return fc.tuple(fc.dictionary(key, values, { maxKeys: 2 }), known).map(([more, known]) => ({
    ...more,
    ...known as Json,
  }));
}

const OTHER_VALUES = [null, "x", "", -1, 0.5, 1e9, true, [], {}, [[]], { a: 1 }];

/** Replaces, removes or adds one part of each value, so that a schema rejects most of them. */
export function changed(values: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.tuple(values, fc.array(fc.nat(), { minLength: 12, maxLength: 12 })).map(([value, choices]) =>
    change(structuredClone(value), choices, 0)
  );
}

function change(value: unknown, choices: number[], depth: number): unknown {
  const choice = choices[depth]!;
  const keys = typeof value === "object" && value !== null ? Object.keys(value) : [];
  if (depth > 8 || keys.length === 0 || choice % 4 === 0) {
    return OTHER_VALUES[(choice >> 2) % OTHER_VALUES.length];
  }
  const parent = value as Record<string, unknown>;
  const key = keys[(choice >> 2) % keys.length]!;
  if (choice % 4 === 1 && Array.isArray(value)) value.splice(Number(key), 1);
  else if (choice % 4 === 1) delete parent[key];
  else if (choice % 4 === 2 && !Array.isArray(value)) parent["unexpected"] = 1;
  else parent[key] = change(parent[key], choices, depth + 1);
  return value;
}
