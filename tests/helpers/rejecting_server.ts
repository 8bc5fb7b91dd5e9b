/** serve/main.ts with a bug: a signal rejects a promise that nobody awaits. */
Deno.addSignalListener("SIGUSR2", () => void Promise.reject(new Error("forgotten on purpose")));
await import("../../serve/main.ts");
