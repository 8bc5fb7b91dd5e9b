/** Pictures for the terminal: two rows of pixels to a line, as a character is twice as high as it is wide. */

const SHADES = " ░▒▓█";

/**
 * Draws images side by side, each with its label below.
 *
 * @param images each `[height, width]`, 0..255, all of one size
 */
export function drawImages(images: readonly { pixels: Uint8Array; label: string }[], width: number): string {
  const height = images[0]!.pixels.length / width;
  const lines: string[] = [];
  for (let y = 0; y < height; y += 2) {
    lines.push(
      images.map(({ pixels }) => {
        let line = "";
        for (let x = 0; x < width; x++) {
          const above = pixels[y * width + x]!, below = pixels[(y + 1) * width + x] ?? above;
          line += SHADES[Math.round((above + below) / 510 * (SHADES.length - 1))];
        }
        return line;
      }).join("  ").trimEnd(),
    );
  }
  lines.push(images.map(({ label }) => label.padEnd(width)).join("  ").trimEnd());
  return lines.join("\n");
}
