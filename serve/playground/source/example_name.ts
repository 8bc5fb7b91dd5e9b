/**
 * The name that an example picture is saved by.
 *
 * @module
 */
import type { Example } from "../../../shared/examples.ts";
import type { NamedFile } from "./code.ts";

/** `T-shirt/top` is `t-shirt-top-1.png`. */
export function nameOfExample({ label, type }: Pick<Example, "label" | "type">, index: number): NamedFile {
  const word = label.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "") || "example";
  return { name: `${word}-${index + 1}.${type === "image/png" ? "png" : "jpg"}`, type };
}
