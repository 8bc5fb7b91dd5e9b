/**
 * What to answer where no route matches: 405 with `Allow` if the path exists for other methods (RFC 9110,
 * section 15.5.6), else 404. It runs only then, so routes that match pay nothing for it.
 *
 * @module
 */
import type { Hono, NotFoundHandler } from "hono";
import type { AppEnv } from "../context.ts";
import { Problem } from "./problem.ts";

// Hono's word for all methods; no route is registered for them.
const MIDDLEWARE = "ALL";

/** @param app has all its routes by the time of the first request */
export function notFound(app: Hono<AppEnv>): NotFoundHandler<AppEnv> {
  return (c): Response => {
    const { path } = c.req;
    const methods = app.routes.filter((route) => route.method !== MIDDLEWARE && matches(route.path, path))
      .map(({ method }) => method);
    if (methods.length === 0) {
      return new Problem(404, "There is nothing at this path; GET / tells what there is").toResponse(path);
    }
    // Hono answers HEAD wherever there is GET.
    const allow = methods.flatMap((method) => method === "GET" ? ["GET", "HEAD"] : [method]).join(", ");
    return new Problem(405, `This path answers ${allow}`, { allow }).toResponse(path);
  };
}

/** @param pattern a route's path, with `:name` for any one segment */
function matches(pattern: string, path: string): boolean {
  const segments = path.split("/");
  const wanted = pattern.split("/");
  return wanted.length === segments.length &&
    wanted.every((want, i) => want === segments[i] || (want.startsWith(":") && segments[i] !== ""));
}
