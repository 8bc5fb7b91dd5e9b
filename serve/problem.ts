/**
 * Errors that clients see. Every protocol has its own form for them: a problem document (RFC 9457), or
 * `{"error": …}` in the Open Inference Protocol and on Hugging Face.
 *
 * @module
 */

/** Status → its title, and the default reason under which the metrics count it. */
const STATUSES = {
  400: ["Bad Request", "malformed"],
  401: ["Unauthorized", "unauthorized"],
  403: ["Forbidden", "forbidden"],
  404: ["Not Found", "not_found"],
  405: ["Method Not Allowed", "method"],
  408: ["Request Timeout", "body_timeout"],
  413: ["Content Too Large", "too_large"],
  415: ["Unsupported Media Type", "media_type"],
  416: ["Range Not Satisfiable", "range"],
  422: ["Unprocessable Content", "no_content"],
  429: ["Too Many Requests", "rate_limit"],
  500: ["Internal Server Error", "internal"],
  503: ["Service Unavailable", "unavailable"],
  507: ["Insufficient Storage", "store_full"],
} as const;

/** A status of a failed request. */
export type ProblemStatus = keyof typeof STATUSES;

/** A failure that the client is informed of. */
export class Problem extends Error {
  /**
   * @param status HTTP status code
   * @param detail what is wrong with this request; it is sent to the client
   * @param headers headers of the response
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
}

/** Turns a problem into a response; each protocol has one. */
export type ProblemFormat = (problem: Problem) => Response;

/** `application/problem+json`; the type is `about:blank`, as the status says what kind of problem it is. */
export const problemDocument: ProblemFormat = ({ status, title, detail, headers }) =>
  new Response(JSON.stringify({ type: "about:blank", title, status, detail }), {
    status,
    headers: { ...headers, "content-type": "application/problem+json" },
  });

/** `{"error": …}` */
export const plainError: ProblemFormat = ({ status, detail, headers }) =>
  Response.json({ error: detail }, { status, headers });

/** Why a request failed, as one word for the metrics; undefined if it did not. */
export function reasonOf(status: number, error?: Error): string | undefined {
  if (status < 400) return undefined;
  if (error instanceof Problem && error.status === status) return error.reason;
  return STATUSES[status as ProblemStatus]?.[1] ?? "other";
}

/**
 * Converts any thrown value to a problem. An error of another type is a bug: `report` receives it, and the client gets
 * no details.
 */
export function toProblem(error: unknown, report: (error: unknown) => void): Problem {
  if (error instanceof Problem) return error;
  report(error);
  return new Problem(500, "Internal server error: the log has the details");
}
