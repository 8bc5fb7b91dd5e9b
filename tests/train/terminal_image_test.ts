import { assertEquals } from "@std/assert";
import { drawImages } from "../../train/cli/terminal_image.ts";

Deno.test("drawImages() puts two rows of pixels into a line and the label below", () => {
  const image = { pixels: new Uint8Array([0, 255, 255, 0, 255, 0, 0, 64]), label: "x" };
  // Columns of the upper pair of rows: black over white, white over black; of the lower: half, an eighth.
  assertEquals(drawImages([image, image], 2), ["▒▒  ▒▒", "▒░  ▒░", "x   x"].join("\n"));
});
