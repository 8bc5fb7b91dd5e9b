/**
 * The forms of `GET /docs`, with which each request can be tried. `playground/source/docs.ts` shows and sends them.
 *
 * @module
 */
import { html } from "hono/html";
import type { Json, Operation } from "../openapi/operation.ts";

/** A form with the parameters and an example of the body. */
export function renderForm(
  method: string,
  path: string,
  { parameters = [], requestBody }: Operation,
): unknown {
  const content = requestBody?.content ?? {};
  const json = content["application/json"];
  const takesFile = Object.keys(content).some((type) =>
    type.startsWith("image/") || type.endsWith("octet-stream")
  );
  return html`
    <form class="try" data-method="${method.toUpperCase()}" data-path="${path}" hidden>
      <h4>Try it</h4>
      ${parameters.map(renderParameter)} ${json &&
        html`
          <label>Body, as JSON <textarea rows="6" spellcheck="false">${JSON.stringify(
            json["example"] ?? {},
            null,
            1,
          ).replace(/(?<=\d,)\s+(?=\d)/g, " ")}</textarea></label>
        `} ${takesFile &&
        html`
          <label>or a file <input type="file" /></label>
        `}
      <button>Send</button>
      <output></output>
    </form>
  `;
}

function renderParameter(parameter: Json): unknown {
  const { name, in: place, schema } = parameter as { name: string; in: string; schema: Json };
  const value = place === "path" ? (schema["examples"] as string[] | undefined)?.[0] ?? "" : "";
  return html`
    <label>${name} <input
        name="${name}"
        data-in="${place}"
        value="${value}"
        placeholder="${String(schema["default"] ?? "")}"
        autocomplete="off"
      /></label>
  `;
}
