/**
 * Keeps the page usable without network, where the browser allows that: over HTTPS, or on localhost.
 *
 * @module
 */
/// <reference lib="dom" />
import { ROOM } from "../names.ts";

const PATIENCE_MS = 3000;

/** Registers the service worker. Without one the page works as well, as long as there is a server. */
export function keepOffline(): void {
  navigator.serviceWorker?.register(`${ROOM}service_worker.js`, { scope: "/" }).catch(() => {});
}

/** Resolves when requests go through the service worker, or will not. */
export async function controlled(): Promise<void> {
  const { serviceWorker } = navigator;
  if (!serviceWorker || serviceWorker.controller) return;
  await Promise.race([
    new Promise((resolve) => serviceWorker.addEventListener("controllerchange", resolve, { once: true })),
    new Promise((resolve) => setTimeout(resolve, PATIENCE_MS)),
  ]);
}
