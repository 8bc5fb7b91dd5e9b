/**
 * The one error type for what users and clients do wrong. Everything else that is thrown is a bug: the commands
 * print its stack, and the server logs it and answers 500.
 *
 * @module
 */

/** What is wrong with the input; a closed set, so that callers can branch on it. */
export type InputErrorCode =
  /** Bytes or text that cannot be parsed: a broken picture, malformed JSON. */
  | "invalid-format"
  /** A value out of its range, or of the wrong type. */
  | "invalid-value"
  /** A tensor or an image of another shape than the model takes. */
  | "invalid-shape"
  /** A blank picture: nothing stands out from the background. */
  | "no-content"
  /** Well-formed, but not supported: an image format, an ONNX operator. */
  | "unsupported"
  /** Over a stated limit of bytes, pixels, images or time. */
  | "too-large"
  /** A file, model or class that does not exist. */
  | "not-found"
  /** What is to be created exists already, or belongs to another run. */
  | "conflict"
  /** A download, a device or a library that cannot be reached now. */
  | "unavailable"
  /** A mistake in the command line. */
  | "usage";

/** What an {@linkcode InputError} can carry beside its message. */
export interface InputErrorOptions extends ErrorOptions {
  /** How to fix it: a sentence, shown after the message. */
  hint?: string;
}

/**
 * Wrong input from a user or a client. The message says what happened and what was expected, in the form
 * *Cannot read X as Y must be Z: current value is W*; the hint says how to fix it.
 *
 * @example
 * ```ts
 * import { InputError } from "./errors.ts";
 *
 * const error = new InputError("invalid-value", "Cannot crop as the width must be positive: current value is 0", {
 *   hint: "Give a width of at least 1 pixel",
 * });
 * console.assert(error.code === "invalid-value");
 * ```
 */
export class InputError extends Error {
  /** For messages and logs. */
  override name = "InputError";
  /** What is wrong with the input. */
  readonly code: InputErrorCode;
  /** How to fix it. */
  readonly hint: string | undefined;

  /** Takes a message that says what happened and what was expected. */
  constructor(code: InputErrorCode, message: string, { hint, ...options }: InputErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.hint = hint;
  }
}
