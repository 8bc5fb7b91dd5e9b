/**
 * `GET /v1/models`: the models of the server. And Triton's extension for repositories
 * (https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_model_repository.md): an index,
 * and loading and unloading.
 *
 * @module
 */
import type { Context, Handler } from "hono";
import { toSnakeCase } from "../../shared/naming.ts";
import { type AppEnv, finish } from "../context.ts";
import { parseJson } from "../decode/json.ts";
import { readBody } from "../middleware/body.ts";
import { clientOf } from "../middleware/rate_limit.ts";
import { RepositoryIndexRequest } from "../openapi/schemas.ts";
import { validate } from "../openapi/validate.ts";
import type { Service } from "../protocols/protocol.ts";
import { refusing } from "./answer.ts";

export function models({ models }: Service): Handler<AppEnv> {
  return async (c): Promise<Response> => {
    await models.ready();
    const list = models.list().map(({ statistics: _, ...status }) => status);
    return c.json(toSnakeCase({ models: list }) as Record<string, unknown>);
  };
}

export function repositoryIndex(service: Service): Handler<AppEnv> {
  return (c) => finish(c, () => index(c, service));
}

async function index(c: Context<AppEnv>, { models, config, admission }: Service): Promise<Response> {
  using body = await readBody(c.req.raw, config, { bodies: admission.bodies, client: clientOf(c) });
  const { bytes } = body;
  const { ready = false } = bytes.length === 0
    ? {}
    : await refusing(() =>
      Promise.resolve(validate(RepositoryIndexRequest, parseJson(bytes), "the request"))
    );
  await models.ready();
  const list = models.list().filter(({ isReady }) => isReady || !ready);
  return c.json(list.map(({ name, version, isReady, reason }) => ({
    name,
    version,
    state: isReady ? "READY" : "UNAVAILABLE",
    reason,
  })));
}

export function loadModel({ repository }: Service): Handler<AppEnv> {
  return async (c): Promise<Response> => {
    await repository.load(c.req.param("model")!);
    return c.json({});
  };
}

export function unloadModel({ repository }: Service): Handler<AppEnv> {
  return async (c): Promise<Response> => {
    await repository.unload(c.req.param("model")!);
    return c.json({});
  };
}
