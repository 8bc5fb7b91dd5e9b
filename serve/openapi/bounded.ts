/**
 * Arrays and objects of bounded size, as schemas. Valibot looks at every element before it counts them, which
 * for the 4 MB of JSON that a client may send takes seconds; here they are counted first.
 *
 * @module
 */
import * as v from "valibot";

type Schema = v.BaseSchema<unknown, unknown, v.BaseIssue<unknown>>;
type Json = Record<string, unknown>;

const PROMISES = new WeakMap<object, Json>();

/** Constraints of a schema that valibot does not know, as keys of JSON Schema. */
export function promiseOf(schema: object): Json | undefined {
  return PROMISES.get(schema);
}

/** An array of `min..max` elements. */
export function list<T extends Schema>(item: T, min: number, max: number): v.ArraySchema<T, undefined> {
  return guard(
    v.array(item),
    (value) => Array.isArray(value) && value.length >= min && value.length <= max,
    `an array of ${min} to ${max} elements`,
    { minItems: min, maxItems: max },
  );
}

/** An object of at most `max` keys, whose values are all of one kind. */
export function dictionary<T extends Schema>(
  value: T,
  max: number,
): v.RecordSchema<v.StringSchema<undefined>, T, undefined> {
  return guard(
    v.record(v.string(), value),
    (given) =>
      typeof given === "object" && given !== null && !Array.isArray(given) &&
      Object.keys(given).length <= max,
    `an object of at most ${max} keys`,
    { maxProperties: max },
  );
}

/**
 * An array of numbers by the thousand, which is declared here and checked by hand where it is read: a schema
 * takes ten times as long for each of them.
 *
 * @param promise its JSON Schema
 */
export function bulk(promise: Json): v.GenericSchema<unknown[]> {
  const schema = v.custom<unknown[]>((value) => Array.isArray(value), "an array");
  PROMISES.set(schema, promise);
  return schema;
}

/** An object; valibot's own schema takes arrays, too. */
export function object<T extends v.ObjectEntries>(entries: T): v.ObjectSchema<T, undefined> {
  return guard(v.object(entries), (value) => !Array.isArray(value), "an object", {});
}

/** A schema that is checked as before and documented with further keys of JSON Schema, which code enforces. */
export function documented<T extends Schema>(schema: T, promise: Json): T {
  const copy: T = { ...schema };
  PROMISES.set(copy, { ...PROMISES.get(schema), ...promise });
  return copy;
}

/** A schema that runs only if a value passes a cheap first check. */
function guard<T extends Schema>(
  schema: T,
  isRight: (value: unknown) => boolean,
  words: string,
  promise: Json,
): T {
  const first = v.custom<unknown>(isRight, words);
  const guarded: T = {
    ...schema,
    "~run"(dataset, config): v.OutputDataset<unknown, v.BaseIssue<unknown>> {
      const looked = first["~run"](dataset, config);
      return looked.issues ? looked : schema["~run"]({ value: looked.value }, config);
    },
  };
  PROMISES.set(guarded, promise);
  return guarded;
}
