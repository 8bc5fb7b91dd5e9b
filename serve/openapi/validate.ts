/**
 * Validates what a client sends, with error messages in the style of this project.
 *
 * @module
 */
import { InputError } from "../../shared/errors.ts";
import * as v from "valibot";

/**
 * Checks a value.
 *
 * @param what the name of the value, as in "Cannot read the request"
 * @throws {InputError} `invalid-value`, which names the first thing that is wrong
 */
export function validate<T>(schema: v.GenericSchema<unknown, T>, value: unknown, what: string): T {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  throw new InputError("invalid-value", `Cannot read ${what} as ${explain(result.issues[0])}`);
}

function explain(issue: v.BaseIssue<unknown>): string {
  const path = (issue.path ?? []).map(({ key }) => typeof key === "number" ? `[${key}]` : `.${key}`).join("");
  const name = path === "" ? "it" : JSON.stringify(path.replace(/^\./, ""));
  if (issue.type === "strict_object" && issue.expected === "never") return `${name} is unknown`;
  if (issue.received === "undefined") return `${name} is missing`;
  return `${name} must be ${expectation(issue)}: current value is ${issue.received.slice(0, 60)}`;
}

const WORDS: Record<string, string> = {
  Object: "an object",
  string: "a string",
  number: "a number",
  boolean: "true or false",
};

function expectation({ type, expected, message }: v.BaseIssue<unknown>): string {
  if (type === "custom" || type === "never") return message;
  if (type === "integer") return "an integer";
  if (type === "non_empty") return "not empty";
  if (expected === null) return "another value";
  const parts = expected.replace(/^\(|\)$/g, "").split(" | ").filter((part) => part !== "null");
  return parts.map((part) => WORDS[part] ?? part.replace(/^>=/, "at least ")).join(" or ");
}
