/**
 * The one mapping between names in TypeScript (`bestEpoch`) and names in files and on the wire (`best_epoch`).
 *
 * @module
 */

/**
 * Renames the keys of all objects within a JSON value from camelCase to snake_case.
 *
 * @example
 * ```ts
 * import { toSnakeCase } from "./naming.ts";
 *
 * console.assert(JSON.stringify(toSnakeCase({ bestEpoch: 3 })) === '{"best_epoch":3}');
 * ```
 */
export function toSnakeCase(value: unknown): unknown {
  return rename(value, (key) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
}

/** The inverse of {@linkcode toSnakeCase}. */
export function toCamelCase(value: unknown): unknown {
  return rename(value, (key) => key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()));
}

function rename(value: unknown, key: (key: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => rename(item, key));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [key(name), rename(item, key)]));
}
