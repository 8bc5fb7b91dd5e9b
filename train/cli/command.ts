/**
 * What the commands share: running one, its exit codes, and printing.
 *
 * @module
 */
import { InputError } from "../../shared/errors.ts";
import { type Command, helpText, type Options, parseArguments, type Values } from "./options.ts";
import { clearProgress } from "./progress.ts";

/** Exit codes; 69 and 130 are the customary ones of `sysexits.h` and of shells for Ctrl-C. */
const EXIT = { failure: 1, usage: 2, unavailable: 69, interrupted: 130 } as const;

/** Prints a line of results. */
export function print(line = ""): void {
  // deno-lint-ignore no-console
  console.log(line);
}

/** Prints a line that is not a result to stderr, so that `--json` and pipes stay clean. */
export function note(line = ""): void {
  // deno-lint-ignore no-console
  console.error(line);
}

/**
 * Runs a command: answers `--help`, stops it on Ctrl-C, and turns errors into an exit code: 2 for a wrong command
 * line, 69 for a missing data set or device, 130 for Ctrl-C, 1 otherwise. An {@linkcode InputError} is printed as
 * its message and hint; anything else is a bug and printed with its stack.
 */
export async function runCommand<O extends Options>(
  command: Command<O>,
  run: (values: Values<O>, operands: string[], signal: AbortSignal) => Promise<void>,
): Promise<void> {
  if (Deno.args.includes("--help") || Deno.args.includes("-h")) return print(helpText(command));
  const stop = new AbortController();
  const onInterrupt = (): void => {
    // A second Ctrl-C ends the process at once.
    if (stop.signal.aborted) Deno.exit(EXIT.interrupted);
    stop.abort();
  };
  Deno.addSignalListener("SIGINT", onInterrupt);
  try {
    const { values, operands } = parseArguments(command, Deno.args);
    await run(values, operands, stop.signal);
  } catch (error) {
    clearProgress();
    if (stop.signal.aborted) {
      note("Interrupted; existing files are unchanged");
      Deno.exit(EXIT.interrupted);
    }
    report(error);
    Deno.exit(exitCode(error));
  } finally {
    Deno.removeSignalListener("SIGINT", onInterrupt);
  }
}

/** Prints an error: wrong input as a line and a hint, a bug with its stack. */
function report(error: unknown): void {
  if (!(error instanceof InputError)) return note(`error: ${Deno.inspect(error)}`);
  note(`error: ${error.message}`);
  if (error.hint !== undefined) note(`hint: ${error.hint}`);
}

function exitCode(error: unknown): number {
  if (!(error instanceof InputError)) return EXIT.failure;
  return error.code === "usage" ? EXIT.usage : error.code === "unavailable" ? EXIT.unavailable : EXIT.failure;
}
