/**
 * Pages to read and their files: `GET /model`, `GET /model/{file}` and `GET /guide/{page}`.
 *
 * @module
 */
import type { Context, Handler } from "hono";
import type { ModelDescription } from "../../shared/contract.ts";
import { EXAMPLES_FILE } from "../../shared/examples.ts";
import type { AppEnv } from "../context.ts";
import { filesOf, type PublicFiles } from "../model_files.ts";
import { guide } from "../pages/guides.ts";
import { modelPage } from "../pages/model_page.ts";
import { readingPage } from "../pages/reading.ts";
import { Problem } from "../problem.ts";
import { modelOf, type Service } from "../protocols/protocol.ts";

/** The files beside the model, without those of another model. */
export async function publicFiles(c: Context<AppEnv>, service: Service): Promise<PublicFiles> {
  const { description } = await modelOf(c, service);
  return filesOf(description, await service.files());
}

export function modelCard(service: Service): Handler<AppEnv> {
  const render = rememberLast(modelPage);
  return async (c): Promise<Response> => {
    const { description } = await modelOf(c, service);
    const content = render(description, await publicFiles(c, service));
    return await readingPage(`${description.name}: model card`, content, "/model");
  };
}

/** Renders again only if the model, its card or its plots have changed: a long card can take half a second. */
function rememberLast(render: typeof modelPage): typeof modelPage {
  let last: { description: ModelDescription; texts: string; content: string } | undefined;
  return (description, files) => {
    const texts = JSON.stringify([files.card, Object.keys(files.plots)]);
    if (last?.description !== description || last.texts !== texts) {
      last = { description, texts, content: render(description, files) };
    }
    return last.content;
  };
}

export function modelCardFile(service: Service): Handler<AppEnv, "/model/:file"> {
  return async (c): Promise<Response> => {
    const file = c.req.param("file");
    const { plots, examples } = await publicFiles(c, service);
    const headers = { "cache-control": "no-cache" };
    if (file === EXAMPLES_FILE && examples) return c.json(examples, 200, headers);
    if (!Object.hasOwn(plots, file)) throw new Problem(404, "The model has no such file");
    return new Response(plots[file], {
      headers: {
        ...headers,
        "content-type": "image/svg+xml",
        // The plots have styles of their own; a picture that is opened by itself runs nothing.
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
      },
    });
  };
}

export function guides(): Handler<AppEnv, "/guide/:page"> {
  return async (c): Promise<Response> => {
    const name = c.req.param("page");
    const found = guide(name);
    if (!found) throw new Problem(404, "There is no such page");
    return await readingPage(found.title, found.content, `/guide/${name}`);
  };
}
