/**
 * Reads named variables from the device and writes them back.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { InputError } from "../../shared/errors.ts";

/** Values by the names of their variables. */
export type Numbers = Map<string, Float32Array<ArrayBuffer>>;

/** Reads variables from the device. */
export async function readNumbers(variables: Map<string, tf.Variable>): Promise<Numbers> {
  return new Map(
    await Promise.all(
      // Copies, as a backend may return a view of memory that it reuses.
      Array.from(
        variables,
        async ([name, variable]) => [name, new Float32Array(await variable.data())] as const,
      ),
    ),
  );
}

/**
 * Writes numbers to the device.
 *
 * @throws {InputError} if a variable is missing, or has another size
 */
export function writeNumbers(variables: Map<string, tf.Variable>, numbers: Numbers): void {
  for (const [name, variable] of variables) {
    const values = numbers.get(name);
    if (values?.length !== variable.size) {
      throw new InputError(
        "invalid-shape",
        `Cannot restore "${name}" as it must have ${variable.size} numbers: current count is ` +
          `${values?.length ?? 0}`,
      );
    }
    tf.tidy(() => variable.assign(tf.tensor(values, variable.shape)));
  }
}
