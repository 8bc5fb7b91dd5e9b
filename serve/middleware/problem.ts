/**
 * Everything that goes wrong is answered in one form: a problem document (RFC 9457).
 *
 * @module
 */
import type { ErrorHandler } from "hono";

/** Status → its title, and the reason under which the metrics count it where a problem does not say. */
const STATUSES = {
  400: ["Bad Request", "malformed"],
  401: ["Unauthorized", "unauthorized"],
  403: ["Forbidden", "forbidden"],
  404: ["Not Found", "not_found"],
  405: ["Method Not Allowed", "method"],
  408: ["Request Timeout", "body_time"],
  413: ["Content Too Large", "too_large"],
  415: ["Unsupported Media Type", "media_type"],
  422: ["Unprocessable Content", "unprocessable"],
  429: ["Too Many Requests", "rate_limit"],
  431: ["Request Header Fields Too Large", "header_too_large"],
  500: ["Internal Server Error", "internal"],
  501: ["Not Implemented", "not_implemented"],
  503: ["Service Unavailable", "unavailable"],
} as const;

/** Clients of the Open Inference Protocol and of Hugging Face look for `{"error": …}`. */
const PLAIN = /^\/(v2|models)(\/|$)/;

export type ProblemStatus = keyof typeof STATUSES;

/** A failure that the client is told about. */
export class Problem extends Error {
  /**
   * @param status HTTP status code
   * @param detail what is wrong with this very request; it is sent to the client
   * @param headers sent along
   * @param reason one word under which the metrics count it
   */
  constructor(
    readonly status: ProblemStatus,
    readonly detail: string,
    readonly headers: Record<string, string> = {},
    readonly reason: string = STATUSES[status][1],
  ) {
    super(detail);
  }

  /** The status in words. */
  get title(): string {
    return STATUSES[this.status][0];
  }

  /**
   * The answer. Its type is `about:blank`: the status says what kind of problem it is.
   *
   * @param path of the request: some protocols have a form of their own
   */
  toResponse(path = ""): Response {
    const { status, title, detail, headers } = this;
    if (PLAIN.test(path)) return Response.json({ error: detail }, { status, headers });
    const body = JSON.stringify({ type: "about:blank", title, status, detail });
    return new Response(body, {
      status,
      headers: { ...headers, "content-type": "application/problem+json" },
    });
  }
}

/** Why a request was turned away, as one word for the metrics; undefined if it was not. */
export function reasonOf(status: number, error?: Error): string | undefined {
  if (status < 400) return undefined;
  if (error instanceof Problem && error.status === status) return error.reason;
  return STATUSES[status as ProblemStatus]?.[1] ?? "other";
}

/**
 * Answers errors: a {@linkcode Problem} as it says; any other is our own fault, so the client learns nothing
 * of it and `report` all.
 */
export function problems(report: (error: unknown) => void): ErrorHandler {
  return (error, c): Response => {
    if (error instanceof Problem) return error.toResponse(c.req.path);
    report(error);
    return new Problem(500, "An error of the server's own, which has been logged").toResponse(c.req.path);
  };
}
