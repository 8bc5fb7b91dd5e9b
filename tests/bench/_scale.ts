import { Generator } from "./load.ts";
import { drawSilhouette } from "/tmp/h/e15life/shared/silhouettes/silhouettes.ts";
const root = "/tmp/h/e15life/";
const start = async (workers: number, port: number) => {
  const c = new Deno.Command(Deno.execPath(), { cwd: root, args: ["run", "-A", "serve/main.ts", `--port=${port}`, `--workers=${workers}`], env: { LOG_LEVEL: "warn" }, stdout: "null", stderr: "null" }).spawn();
  while (!await fetch(`http://127.0.0.1:${port}/readyz`).then(async r => { await r.body?.cancel(); return r.ok; }, () => false)) await new Promise(r => setTimeout(r, 50));
  return c;
};
const jpeg = (await Deno.readFile(root + "fixtures/shirt.jpg"));
const bodies = { bytes: { body: drawSilhouette(9, 1).toBase64(), type: "application/octet-stream" }, jpeg: { body: jpeg.toBase64(), type: "image/jpeg" } };
const counts = (Deno.args[0] ?? "1,2").split(",").map(Number);
const servers = []; for (const w of counts) servers.push({ w, port: 18300 + w, c: await start(w, 18300 + w) });
{
  await using gens = new AsyncDisposableStack();
  const generators = Array.from({ length: Number(Deno.args[1] ?? 1) }, () => gens.use(new Generator()));
  for (const [name, b] of Object.entries(bodies)) {
    const rates: Record<number, number[]> = {};
    for (let round = 0; round < 7; round++) for (const s of servers) {
      const amount = name === "bytes" ? 1000 : 150;
      const out = await Promise.all(generators.map(g => g.fire({ url: `http://127.0.0.1:${s.port}/v1/classify`, connections: 32, amount, ...b })));
      if (round > 0) (rates[s.w] ??= []).push(out.reduce((a, o) => a + o.rate, 0));
      if (out.some(o => o.failed)) console.log("failed", out.map(o => o.failed));
    }
    console.log(name, Object.fromEntries(Object.entries(rates).map(([w, r]) => [w, r.map(Math.round)])));
  }
}
for (const s of servers) { s.c.kill("SIGTERM"); await s.c.status; }
