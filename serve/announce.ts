/**
 * Says at the start what is open: whoever forgot a key should learn it from the log, not from strangers.
 *
 * @module
 */
import type { Config } from "./config.ts";
import type { Log } from "./log.ts";

export function announce(log: Log, { apiKeys, corsOrigins, rateLimit }: Config): void {
  if (apiKeys.length === 0) log("warn", "API keys are off, so everyone is let in; API_KEYS sets them");
  log("info", "start", { api_keys: apiKeys.length, cors_origins: corsOrigins, rate_limit: rateLimit });
}
