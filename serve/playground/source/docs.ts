/**
 * Sends the requests of `GET /docs` from the page. Without this script the page is there to read, with its forms hidden.
 *
 * @module
 */
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { setKey, withKey } from "./key.ts";

/** Longer answers would make the page slow. */
const MAX_CHARACTERS = 20_000;

const key = document.querySelector<HTMLFormElement>("#key")!;
key.hidden = false;
key.addEventListener("submit", (event) => event.preventDefault());
key.addEventListener("input", () => setKey(key.querySelector("input")!.value.trim()));

for (const form of document.querySelectorAll<HTMLFormElement>("form.try")) {
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const output = form.querySelector("output")!;
    output.textContent = "…";
    output.textContent = await send(form).catch((error) => String(error));
  });
}

/** Sends the request of a form; resolves to what is shown of the answer. */
async function send(form: HTMLFormElement): Promise<string> {
  const { method, path } = form.dataset;
  let url = path!;
  const query = new URLSearchParams(), headers: Record<string, string> = {};
  for (const { name, value, dataset } of form.querySelectorAll<HTMLInputElement>("input[data-in]")) {
    if (dataset["in"] === "path") url = url.replace(`{${name}}`, encodeURIComponent(value));
    else if (value !== "" && dataset["in"] === "query") query.set(name, value);
    else if (value !== "") headers[name] = value;
  }
  const file = form.querySelector<HTMLInputElement>("input[type=file]")?.files?.[0];
  const text = form.querySelector("textarea")?.value;
  const body = file ?? text;
  if (body !== undefined) {
    headers["content-type"] = file?.type || (file ? "application/octet-stream" : "application/json");
  }
  const start = performance.now();
  const response = await fetch(query.size > 0 ? `${url}?${query}` : url, {
    method: method!,
    headers: withKey(headers),
    ...(body !== undefined && { body }),
  });
  const content = await response.blob();
  const ms = (performance.now() - start).toFixed(0);
  const type = response.headers.get("content-type") ?? "";
  return `${response.status} ${response.statusText}, ${ms} ms, ${type || "no content"}\n\n${await show(
    content,
    type,
  )}`;
}

async function show(content: Blob, type: string): Promise<string> {
  if (!/^text\/|json|svg/.test(type)) return `${content.size} bytes`;
  const text = await content.text();
  const shown = type.includes("json") ? JSON.stringify(JSON.parse(text), null, 2) : text;
  return shown.length > MAX_CHARACTERS ? `${shown.slice(0, MAX_CHARACTERS)}…` : shown;
}
