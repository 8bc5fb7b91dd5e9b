/**
 * A folder that git ignores, for pictures that show images which must not be passed on.
 *
 * @param name of the model
 */
export function unsharedFolder(name: string): string {
  // The name is that of an ONNX graph, which may hold anything.
  return `${new URL("../../data/reports", import.meta.url).pathname}/${name.replace(/[^\w.-]|^\.+/g, "_")}`;
}
