/**
 * Keeps what the page is made of. Files that may change come from the network while there is one; the model
 * and ONNX Runtime, which have their version in their address, are fetched once. Nothing else is touched.
 *
 * @module
 */
/// <reference lib="webworker" />
import { EXAMPLES_PATH, MODEL_FILE, ORT_WASM, ROOM } from "../names.ts";

const worker = self as unknown as ServiceWorkerGlobalScope;
const CACHE = "selvedge";
/** The first view: with these the page starts without network. */
const SHELL = ["/", `${ROOM}main.js`, `${ROOM}icon.svg`];

worker.addEventListener("install", (event) => {
  event.waitUntil((async () => {
    const cache = await caches.open(CACHE);
    await cache.addAll(SHELL);
    // Not every model has examples.
    await cache.add(EXAMPLES_PATH).catch(() => {});
    await worker.skipWaiting();
  })());
});

worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()));

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (
    url.pathname === `${ROOM}${ORT_WASM}` || (url.pathname === MODEL_FILE && url.searchParams.has("version"))
  ) {
    event.respondWith(once(request, url));
  } else if (url.pathname === "/" || url.pathname === EXAMPLES_PATH || url.pathname.startsWith(ROOM)) {
    event.respondWith(fresh(request, url));
  }
});

/** From the cache, else from the network. Other versions of the same are dropped. */
async function once(request: Request, url: URL): Promise<Response> {
  const cache = await caches.open(CACHE);
  // By its address alone: with or without the key, it is the same file.
  const known = await cache.match(url.href, { ignoreVary: true });
  if (known) return known;
  const response = await fetch(request);
  if (response.ok) {
    const isOther = ({ pathname }: URL): boolean =>
      url.pathname === MODEL_FILE ? pathname === MODEL_FILE : pathname.endsWith(".wasm");
    for (const { url: old } of await cache.keys()) {
      if (isOther(new URL(old))) await cache.delete(old);
    }
    await cache.put(url.href, response.clone());
  }
  return response;
}

/** From the network, else from the cache. */
async function fresh(request: Request, url: URL): Promise<Response> {
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(url.origin + url.pathname, response.clone());
    return response;
  } catch (error) {
    const known = await cache.match(url.origin + url.pathname, { ignoreVary: true });
    if (known) return known;
    throw error;
  }
}
