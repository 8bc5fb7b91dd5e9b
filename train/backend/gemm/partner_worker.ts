/**
 * The second thread: multiplies what it is given, and sleeps.
 *
 * @module
 */
import { parentPort, workerData } from "node:worker_threads";
import { shared } from "./binaries.ts";
import { COMMAND, FIRST, HEADER, type PartnerData, STATE } from "./partner_protocol.ts";

/** How often to look before falling asleep: the next product comes within a tenth of a millisecond, mostly. */
const SPINS = 20_000;

const { memory } = workerData as PartnerData;
const { exports } = new WebAssembly.Instance(new WebAssembly.Module(shared), { env: { memory } });
const { gemm, scratchBytes } = exports as unknown as {
  gemm(...args: number[]): void;
  scratchBytes(): number;
};
const control = new Int32Array(memory.buffer, 0, HEADER);
const scratch = HEADER * 4;
control[FIRST] = Math.ceil((scratch + scratchBytes()) / 64) * 16;
Atomics.store(control, STATE, COMMAND.wait);
parentPort!.postMessage("ready");

for (;;) {
  for (let i = 0; i < SPINS && Atomics.load(control, STATE) === COMMAND.wait; i++);
  while (Atomics.load(control, STATE) === COMMAND.wait) Atomics.wait(control, STATE, COMMAND.wait);
  if (Atomics.load(control, STATE) === COMMAND.end) break;
  const [a, b, c, m, n, k, lda, ldb, ldc, transposeA, transposeB, bias, relu] = control.subarray(1);
  gemm(
    ...[a!, b!, c!, m!, n!, k!, lda!, ldb!, ldc!, transposeA!, transposeB!, bias!],
    ...[relu ? 0 : -Infinity, scratch],
  );
  Atomics.store(control, STATE, COMMAND.wait);
  Atomics.notify(control, STATE);
}
