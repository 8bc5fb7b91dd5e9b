/**
 * Logs at the start what an operator may not expect: who has access, so that a forgotten API key shows up in the log,
 * and a model card that is too long.
 *
 * @module
 */
import type { Config } from "./config.ts";
import type { Log } from "./log.ts";
import { MAX_MARKDOWN_LENGTH, type ModelFiles } from "./model_files.ts";

export function announce(log: Log, { apiKeys, corsOrigins, rateLimitPerMinute }: Config): void {
  if (apiKeys.length === 0) log("warn", "API keys are off: everyone has access; set API_KEYS to change that");
  log("info", "start", {
    api_keys: apiKeys.length,
    cors_origins: corsOrigins,
    rate_limit_per_minute: rateLimitPerMinute,
  });
}

/** Logs that the page of the model shows its card as plain text. */
export function announceCard(log: Log, { card = "" }: ModelFiles): void {
  if (card.length <= MAX_MARKDOWN_LENGTH) return;
  log(
    "warn",
    `The page /model shows the model card without formatting, as it has ${card.length} characters`,
    {
      limit: MAX_MARKDOWN_LENGTH,
    },
  );
}
