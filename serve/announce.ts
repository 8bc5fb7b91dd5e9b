/**
 * Logs at the start who has access, so that a forgotten API key shows up in the log.
 *
 * @module
 */
import type { Config } from "./config.ts";
import type { Log } from "./log.ts";

export function announce(log: Log, { apiKeys, corsOrigins, rateLimitPerMinute }: Config): void {
  if (apiKeys.length === 0) log("warn", "API keys are off: everyone has access; set API_KEYS to change that");
  log("info", "start", {
    api_keys: apiKeys.length,
    cors_origins: corsOrigins,
    rate_limit_per_minute: rateLimitPerMinute,
  });
}
