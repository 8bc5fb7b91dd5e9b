/**
 * Class names from a file: one a line, or a JSON array of strings.
 *
 * @module
 */
import { InputError } from "../../shared/errors.ts";
import { MAX_CLASSES, MIN_CLASSES } from "./limits.ts";

/**
 * Reads class names, in the order of the label numbers.
 *
 * @param name name of the file in errors
 * @throws {InputError} if the text is neither lines nor a JSON array of strings
 * @throws {InputError} if there are too few or too many names, an empty one, or one twice
 */
export function parseLabels(text: string, name: string): string[] {
  const whole = text.replace(/^\uFEFF/, "");
  const labels = whole.trimStart().startsWith("[")
    ? parseJson(whole, name)
    : whole.replace(/\s+$/, "").split(/\r?\n/);
  const all = labels.map((label) => label.trim().normalize("NFC"));
  if (all.length < MIN_CLASSES || all.length > MAX_CLASSES) {
    throw new InputError(
      "invalid-value",
      `Cannot use the labels "${name}" as there must be ${MIN_CLASSES} to ${MAX_CLASSES}: ` +
        `current number is ${all.length}`,
    );
  }
  for (const [i, label] of all.entries()) {
    if (label === "") {
      throw new InputError(
        "invalid-value",
        `Cannot use the labels "${name}" as none may be empty: label ${i} is`,
      );
    }
    const first = all.indexOf(label);
    if (first !== i) {
      throw new InputError(
        "invalid-value",
        `Cannot use the labels "${name}" as they must differ: labels ${first} and ${i} are both "${label}"`,
      );
    }
  }
  return all;
}

/**
 * Reads {@linkcode parseLabels}' text from a file.
 *
 * @throws {InputError} if it cannot be read
 */
export async function readLabels(path: string): Promise<string[]> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (cause) {
    const why = cause instanceof Deno.errors.NotFound ? "there is no such file" : (cause as Error).message;
    throw new InputError("invalid-value", `Cannot read the labels "${path}" as ${why}`, { cause });
  }
  return parseLabels(text, path);
}

function parseJson(text: string, name: string): string[] {
  const wanted = `Cannot use the labels "${name}" as they must be one a line, or a JSON array of strings`;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new InputError("invalid-format", `${wanted}: ${(cause as Error).message}`, { cause });
  }
  const labels = value as unknown[];
  const wrong = labels.find((label) => typeof label !== "string");
  if (wrong !== undefined) {
    throw new InputError("invalid-format", `${wanted}: one is ${JSON.stringify(wrong)}`);
  }
  return labels as string[];
}
