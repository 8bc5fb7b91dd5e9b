/**
 * Numbers of named variables, to and from the device.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";

/** By the name of the variable. */
export type Numbers = Map<string, Float32Array<ArrayBuffer>>;

/** Reads variables from the device. */
export async function readNumbers(variables: Map<string, tf.Variable>): Promise<Numbers> {
  return new Map(
    await Promise.all(
      // Copies, as a backend may hand out a view of memory that it will write to again.
      Array.from(
        variables,
        async ([name, variable]) => [name, new Float32Array(await variable.data())] as const,
      ),
    ),
  );
}

/**
 * Puts numbers onto the device.
 *
 * @throws {RangeError} if there are none for a variable, or too many or too few
 */
export function writeNumbers(variables: Map<string, tf.Variable>, numbers: Numbers): void {
  for (const [name, variable] of variables) {
    const values = numbers.get(name);
    if (values?.length !== variable.size) {
      throw new RangeError(
        `Cannot take over "${name}" as it must have ${variable.size} numbers: current count is ` +
          `${values?.length ?? "none"}`,
      );
    }
    tf.tidy(() => variable.assign(tf.tensor(values, variable.shape)));
  }
}
