/**
 * Checks that a value of unknown origin has the shape that the program counts on, and says where it has not:
 * `test.accuracy must be a number in 0..1: current value is "high"`.
 *
 * @module
 */

/** Answers with the value, now typed, or throws. `path` names it, as `epochs[3].trainLoss`. */
export type Check<T> = (value: unknown, path: string) => T;

/** A number in `[min, max]`, and by default any finite one. */
export function number(min = -Number.MAX_VALUE, max = Number.MAX_VALUE): Check<number> {
  return (value, path) => {
    const range = max < Number.MAX_VALUE
      ? ` in ${min}..${max}`
      : min > -Number.MAX_VALUE
      ? ` from ${min} up`
      : "";
    if (typeof value !== "number") throw wrong(TypeError, path, `a number${range}`, value);
    if (!(value >= min && value <= max)) throw wrong(RangeError, path, `a number${range}`, value);
    return value;
  };
}

/** A whole number in `[min, max]`. */
export function whole(min = 0, max = Number.MAX_SAFE_INTEGER): Check<number> {
  return (value, path) => {
    const expected = max < Number.MAX_SAFE_INTEGER
      ? `a whole number in ${min}..${max}`
      : `a whole number from ${min} up`;
    if (typeof value !== "number") throw wrong(TypeError, path, expected, value);
    if (!Number.isInteger(value) || value < min || value > max) {
      throw wrong(RangeError, path, expected, value);
    }
    return value;
  };
}

/** Any text. */
export const text: Check<string> = (value, path) => {
  if (typeof value !== "string") throw wrong(TypeError, path, "text", value);
  return value;
};

/** A list, each item checked; `length` if it must have one. */
export function list<T>(item: Check<T>, length?: number): Check<T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw wrong(TypeError, path, "a list", value);
    if (length !== undefined && value.length !== length) {
      throw wrong(TypeError, path, `a list of ${length}`, `a list of ${value.length}`);
    }
    return value.map((entry, i) => item(entry, `${path}[${i}]`));
  };
}

/** An object whose fields need no further look. */
export const anything: Check<Record<string, unknown>> = (value, path) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw wrong(TypeError, path, "an object", value);
  }
  return value as Record<string, unknown>;
};

type Fields = Record<string, Check<unknown>>;
type Checked<F extends Fields> = { [K in keyof F]: ReturnType<F[K]> };

/** An object with these fields, and with those of `optional` if they are there; others are dropped. */
export function object<F extends Fields, O extends Fields = Record<never, never>>(
  fields: F,
  optional?: O,
): Check<Checked<F> & Partial<Checked<O>>> {
  return (value, path) => {
    const source = anything(value, path);
    const result: Record<string, unknown> = {};
    for (const [key, check] of Object.entries({ ...fields, ...optional })) {
      if (!Object.hasOwn(source, key) && !Object.hasOwn(fields, key)) continue;
      result[key] = check(source[key], path === "" ? key : `${path}.${key}`);
    }
    return result as Checked<F> & Partial<Checked<O>>;
  };
}

function wrong(
  Kind: new (message: string) => Error,
  path: string,
  expected: string,
  value: unknown,
): Error {
  const shown = value === undefined ? "nothing" : JSON.stringify(value) ?? String(value);
  const short = shown.length > 80 ? `${shown.slice(0, 80)}…` : shown;
  return new Kind(`${path || "it"} must be ${expected}: current value is ${short}`);
}
