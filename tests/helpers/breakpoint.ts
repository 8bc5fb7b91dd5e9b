/**
 * Stops a command at a fixed point and waits there to be killed. It is loaded before the command:
 * `BREAKPOINT=step:17 deno run --preload tests/helpers/breakpoint.ts train/commands/train.ts …`
 *
 * - `step:N`: before step N of the optimizer, counted from the start of the process
 * - `before:NAME`: when a temporary file is complete and about to become `NAME`
 * - `after:NAME`: when it has become `NAME`
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";

const [kind, value = ""] = (Deno.env.get("BREAKPOINT") ?? "").split(":");

/** Blocks the whole process: nothing arrives on stdin. */
function stop(): void {
  Deno.stdout.writeSync(new TextEncoder().encode("reached the breakpoint\n"));
  Deno.stdin.readSync(new Uint8Array(1));
}

if (kind === "step") {
  let steps = 0;
  const { computeGradients } = tf.Optimizer.prototype;
  tf.Optimizer.prototype.computeGradients = function (...args): ReturnType<typeof computeGradients> {
    if (++steps === Number(value)) stop();
    return computeGradients.apply(this, args);
  };
} else if (kind === "before" || kind === "after") {
  const { rename } = Deno;
  Deno.rename = async (from, to): Promise<void> => {
    const isHere = String(to).endsWith(`/${value}`);
    if (isHere && kind === "before") stop();
    await rename(from, to);
    if (isHere && kind === "after") stop();
  };
}
