/**
 * The part of the page with code to copy. The script fills in the name of the picture that is on screen.
 *
 * @module
 */
import { html, raw } from "hono/html";
import type { Config } from "../config.ts";
import { type CodeOptions, LANGUAGES } from "./source/code.ts";

export function codeSection(options: CodeOptions, { corsOrigins, apiKeys }: Config): unknown {
  return html`<section id="code" aria-labelledby="code-title">
<h2 id="code-title">Use it in your program</h2>
<p>The code classifies the picture above. <button type="button" id="save">Save the picture</button> as <code id="file-name">${options.file.name}</code></p>
<fieldset class="choice" id="languages"><legend class="hidden">Language</legend>${
    Object.entries(LANGUAGES).map(([id, { title }], i) =>
      html`
        <label><input type="radio" name="language" value="${id}"${i === 0
          ? raw(" checked")
          : ""}><span>${title}</span></label>
      `
    )
  }
</fieldset>
${
    Object.entries(LANGUAGES).map(([id, { title, code }]) =>
      html`
        <div class="code" id="code-${id}">
        <pre tabindex="0" aria-label="Code: ${title}"><code>${code(
          options,
        )}</code></pre><button type="button" class="copy">Copy</button></div>
      `
    )
  }
<p id="code-note" class="soft"></p>
<ul class="notes">
<li>${corsNote(corsOrigins)}</li>
${
    apiKeys.length > 0
      ? html`<li>This server asks for an API key. Everybody can read a key in a public page: call the server from your own back end instead.</li>`
      : ""
  }
<li>Whole pages of 20 lines, also with the model in the browser: <a href="/guide/front-end">Use it in your page</a>. Batches, forms and other protocols: <a href="/docs">API</a>.</li>
</ul>
</section>`;
}

function corsNote(origins: readonly string[]): unknown {
  if (origins[0] === "*") return "Pages of every other origin may call this server.";
  return origins.length > 0
    ? html`Pages of ${origins.length} other ${
      origins.length === 1 ? "origin" : "origins"
    } may call this server: those in its variable <code>CORS_ORIGINS</code>.`
    : html`Pages of other origins may not call this server yet. To allow yours, start the server with <code>CORS_ORIGINS=https://your-site.example</code>; for a development server, for example <code>CORS_ORIGINS=http://localhost:5173</code>.`;
}
