import { join } from "node:path";
import { fileURLToPath } from "node:url";

const REPORTS = fileURLToPath(new URL("../../data/reports", import.meta.url));

/**
 * A folder that git ignores, for plots that show images which must not be distributed.
 *
 * @param name of the model; as that of an ONNX graph, it may be any text
 */
export function privateFolder(name: string): string {
  return join(REPORTS, name.replace(/[^\w.-]|^\.+/g, "_"));
}
