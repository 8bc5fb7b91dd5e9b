/**
 * Writes YAML 1.2 (https://yaml.org/spec/1.2.2/) for configuration files that people read.
 *
 * @module
 */

/** What {@linkcode formatYaml} writes. */
export type Yaml = string | number | boolean | readonly Yaml[] | { readonly [key: string]: Yaml };

/** Strings that need no quotes: no other type, no indicator, no colon or number sign. */
const PLAIN = /^(?!(?:true|false|null|yes|no|on|off|y|n)$)[a-z/][\w./-]*$/i;

/**
 * A document in block style.
 *
 * @example
 * ```ts
 * import { formatYaml } from "./yaml.ts";
 *
 * console.assert(formatYaml({ kind: "Pod", ports: [{ port: 80 }] }) === "kind: Pod\nports:\n  - port: 80\n");
 * ```
 */
export function formatYaml(value: Yaml): string {
  return `${lines(value).join("\n")}\n`;
}

function lines(value: Yaml): string[] {
  if (isList(value)) {
    return value.flatMap((item) => lines(item).map((line, i) => `${i === 0 ? "- " : "  "}${line}`));
  }
  if (typeof value !== "object") return [scalar(value)];
  return Object.entries(value).flatMap(([key, child]) =>
    typeof child === "object"
      ? [`${scalar(key)}:`, ...lines(child).map((line) => `  ${line}`)]
      : [`${scalar(key)}: ${scalar(child)}`]
  );
}

function scalar(value: string | number | boolean): string {
  // A double-quoted string of YAML has the escapes of JSON.
  return typeof value === "string" && !PLAIN.test(value) ? JSON.stringify(value) : String(value);
}

function isList(value: Yaml): value is readonly Yaml[] {
  return Array.isArray(value);
}
