/**
 * Everything that goes wrong is answered in one form: a problem document (RFC 9457).
 *
 * @module
 */
import type { ErrorHandler } from "hono";

const TITLES = {
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  500: "Internal Server Error",
  503: "Service Unavailable",
} as const;

/** A failure that the client is told about. */
export class Problem extends Error {
  /**
   * @param status HTTP status code
   * @param detail what is wrong with this very request; it is sent to the client
   * @param headers sent along
   */
  constructor(
    readonly status: keyof typeof TITLES,
    readonly detail: string,
    readonly headers: Record<string, string> = {},
  ) {
    super(detail);
  }

  /** The answer. Its type is `about:blank`: the status says what kind of problem it is. */
  toResponse(): Response {
    const { status, detail, headers } = this;
    const body = JSON.stringify({ type: "about:blank", title: TITLES[status], status, detail });
    return new Response(body, {
      status,
      headers: { ...headers, "content-type": "application/problem+json" },
    });
  }
}

/**
 * Answers errors: a {@linkcode Problem} as it says; any other is our own fault, so the client learns nothing
 * of it and `report` all.
 */
export function problems(report: (error: unknown) => void): ErrorHandler {
  return (error): Response => {
    if (error instanceof Problem) return error.toResponse();
    report(error);
    return new Problem(500, "An error of the server's own, which has been logged").toResponse();
  };
}
