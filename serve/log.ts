/**
 * The log: one JSON object per line, which the platforms' tools can search.
 *
 * @module
 */
import { InputError } from "../shared/errors.ts";
import { LOG_LEVELS, type LogLevel } from "./config.ts";

/** Writes an entry, or nothing if its level is below the server's. */
export type Log = ((level: LogLevel, message: string, fields?: Record<string, unknown>) => void) & {
  /** Whether entries of a level are written. */
  enabled(level: LogLevel): boolean;
};

/**
 * Makes a log.
 *
 * @param level the lowest level that is written
 * @param write receives a line without the line break
 * @param common fields of every entry
 */
export function createLog(
  level: LogLevel,
  write: (line: string) => void,
  common: Record<string, unknown> = {},
): Log {
  const lowest = LOG_LEVELS.indexOf(level);
  const enabled = (level: LogLevel): boolean => LOG_LEVELS.indexOf(level) >= lowest;
  return Object.assign(
    (level: LogLevel, message: string, fields?: Record<string, unknown>): void => {
      if (enabled(level)) {
        write(JSON.stringify({ time: new Date().toISOString(), level, message, ...common, ...fields }));
      }
    },
    { enabled },
  );
}

/** An error as a field: its stack, and those of its causes; a user's mistake needs none. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof InputError) return [error.message, error.hint].filter(Boolean).join(". ");
  const own = error.stack ?? `${error.name}: ${error.message}`;
  return error.cause === undefined ? own : `${own}\nCaused by: ${describeError(error.cause)}`;
}
