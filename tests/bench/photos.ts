/**
 * `deno task bench photos --model NAME`: serving photographs with a large model, beside FastAPI with the same file.
 *
 * @module
 */
import { decodePicture } from "../../shared/decode/picture.ts";
import { InputError } from "../../shared/errors.ts";
import { findModel } from "../../shared/models.ts";
import { print } from "../../train/cli/command.ts";
import { PHONE, phonePhoto } from "../helpers/phone_photo.ts";
import { encodeJpeg } from "../helpers/photo_encoders.js";
import { photo } from "../helpers/photos.ts";
import { isolateMemory } from "./isolate_memory.ts";
import { startGenerator } from "./load.ts";
import { cpuMicros, startServers } from "./servers.ts";
import { bundle } from "./workerd.ts";

const CONNECTIONS = [1, 4];
const ROUNDS = 3, WARM_UP = 10, AMOUNT = 24;
const WIDTH = 400, HEIGHT = 533;

/** JPEG files as people send them. */
async function photographs(): Promise<Record<string, Uint8Array<ArrayBuffer>>> {
  const small = await decodePicture(photo(WIDTH, HEIGHT, 1), { maxPixels: WIDTH * HEIGHT });
  const opaque = { ...small, channels: 4 as const, data: withAlpha(small.data) };
  return {
    [`${WIDTH}×${HEIGHT}`]: encodeJpeg(opaque),
    [`${PHONE.width}×${PHONE.height}`]: await phonePhoto({ quality: 95, auto_subsample: false }),
    [`${PHONE.width}×${PHONE.height}, progressive`]: await phonePhoto({
      quality: 95,
      auto_subsample: false,
      progressive: true,
    }),
  };
}

function withAlpha(rgb: Uint8Array): Uint8Array {
  return Uint8Array.from(
    { length: rgb.length / 3 * 4 },
    (_, i) => i % 4 === 3 ? 255 : rgb[(i >> 2) * 3 + i % 4]!,
  );
}

export async function benchPhotos(name: string | undefined, signal: AbortSignal): Promise<void> {
  if (name === undefined) {
    throw new InputError("usage", "Option --model is missing: photos needs a model of colour images");
  }
  const model = await findModel(name);
  const files = await photographs();
  await using stack = new AsyncDisposableStack();
  const folder = stack.adopt(await Deno.makeTempDir(), (path) => Deno.remove(path, { recursive: true }));
  print(`\nServing photographs with ${model}, ${((await Deno.stat(model)).size / 1e6).toFixed(1)} MB`);
  const path = "/v1/classify?top_k=10", type = "image/jpeg";
  const first = { path, type, body: Object.values(files)[0]! };
  const bundled = await bundle(`${folder}/size`, model);
  const size = bundled.reduce((sum, { bytes }) => sum + bytes, 0);
  print(`  Bundle: ${(size / 1e6).toFixed(1)} MB`);
  print("  Memory of a worker, MB: " + await isolateMemory(model, Object.values(files)));
  const servers = await startServers({ model, folder: `${folder}/worker`, first }, stack, signal);
  print("\n  Start of the process to its first answer, ms (median of 3)");
  for (const server of servers) print(`    ${server.name.padEnd(22)} ${server.startMs.toFixed(0)}`);
  await using generator = startGenerator();
  for (const [name, file] of Object.entries(files)) {
    const load = { type, body: file.toBase64() };
    for (const connections of CONNECTIONS) {
      print(`\n  JPEG of ${name}, ${(file.length / 1e6).toFixed(2)} MB, ${connections} at a time`);
      for (const server of servers) {
        const url = server.url + path;
        await generator.ask({ ...load, url, connections, amount: WARM_UP });
        let rate = 0, p50 = Infinity, cpu = Infinity, failed = 0;
        for (let round = 0; round < ROUNDS; round++) {
          signal.throwIfAborted();
          const before = await cpuMicros(server.pid);
          const outcome = await generator.ask({ ...load, url, connections, amount: AMOUNT });
          // What disturbs a round only slows it.
          rate = Math.max(rate, outcome.rate);
          p50 = Math.min(p50, outcome.p50);
          cpu = Math.min(cpu, (await cpuMicros(server.pid) - before) / AMOUNT / 1000);
          failed += outcome.failed;
        }
        print(
          `    ${server.name.padEnd(22)} ${rate.toFixed(1).padStart(6)} requests/s` +
            `  p50 ${p50.toFixed(0).padStart(4)} ms  CPU ${cpu.toFixed(0).padStart(4)} ms a request` +
            (failed > 0 ? `  ${failed} failed` : ""),
        );
      }
    }
  }
}
