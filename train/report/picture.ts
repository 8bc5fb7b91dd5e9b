/**
 * Pictures: a Vega-Lite description goes in, an SVG comes out, without a browser. One file serves light and
 * dark: Vega writes the light colours as attributes, which any viewer shows, and a style sheet inside the
 * file puts a dark colour in the place of each where the reader prefers it.
 *
 * Vega takes a third of a second to load, so it is loaded when the first picture is drawn.
 *
 * @module
 */
import type { Config, TopLevelSpec } from "vega-lite";

/** A picture to be drawn. */
export interface Picture {
  /** One line, for people and for screen readers. */
  title: string;
  /** What to look for. */
  subtitle?: string | string[];
  /** Vega-Lite, without title, colours of the ground, or fonts. */
  spec: Record<string, unknown>;
}

/** The colours, by what they are for; every one has a counterpart in {@linkcode DARK}. */
export const PAPER = "#ffffff";
export const INK = "#1f2328";
/** Secondary text. */
export const MUTED = "#59636e";
export const RULE = "#d8dee4";
/** Correct, or first. */
export const BLUE = "#0969da";
/** Wrong, or second; distinguishable from blue with colour blindness. */
export const ORANGE = "#bc4c00";
/** Writing on a strong colour: the same in light and dark mode, so it is spelt differently from {@linkcode PAPER}. */
export const ON_COLOUR = "#fff";

/** For lines that belong to different runs. */
export const SERIES = [
  BLUE,
  ORANGE,
  "#1a7f37",
  "#8250df",
  "#9a6700",
  "#bf3989",
  "#1b7c83",
  "#57606a",
] as const;

const DARK: Record<string, string> = {
  [PAPER]: "#0d1117",
  [INK]: "#f0f6fc",
  [MUTED]: "#9198a1",
  [RULE]: "#2f353d",
  [BLUE]: "#4493f8",
  [ORANGE]: "#f0883e",
  [SERIES[2]]: "#3fb950",
  [SERIES[3]]: "#ab7df8",
  [SERIES[4]]: "#d29922",
  [SERIES[5]]: "#db61a2",
  [SERIES[6]]: "#39c5cf",
  [SERIES[7]]: "#8b949e",
};

const FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', sans-serif";

const CONFIG: Config = {
  aria: false,
  background: PAPER,
  padding: 16,
  font: FONT,
  view: { stroke: null },
  title: {
    anchor: "start",
    color: INK,
    fontSize: 16,
    fontWeight: 600,
    offset: 14,
    subtitleColor: MUTED,
    subtitleFontSize: 12,
    subtitlePadding: 5,
    subtitleLineHeight: 16,
  },
  axis: {
    domainColor: RULE,
    gridColor: RULE,
    labelColor: MUTED,
    labelFontSize: 11,
    tickColor: RULE,
    titleColor: MUTED,
    titleFontSize: 12,
    titleFontWeight: "normal",
    titlePadding: 8,
  },
  legend: { labelColor: INK, labelFontSize: 12, title: null, symbolStrokeWidth: 2 },
  header: { labelColor: INK, labelFontSize: 13, titleColor: INK },
};

/**
 * Draws a picture.
 *
 * @returns SVG; the same for the same picture
 */
export async function drawPicture({ title, subtitle, spec }: Picture): Promise<string> {
  const [vega, { compile }] = await Promise.all([import("vega"), import("vega-lite")]);
  const full = {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    title: { text: title, ...(subtitle && { subtitle }) },
    config: CONFIG,
    ...spec,
  } as unknown as TopLevelSpec;
  // Vega numbers the definitions of all pictures consecutively, but the same picture must give the same text.
  vega.resetSVGDefIds();
  // Without a canvas Vega takes every character to be 0.8 em wide, which leaves holes beside all words. The
  // hook is meant for this, but Vega's types do not have it.
  (vega as unknown as { textMetrics: { width: MeasureText } }).textMetrics.width = measureText;
  const view = new vega.View(vega.parse(compile(full).spec), { renderer: "none", logLevel: vega.Error });
  const svg = await view.toSVG();
  view.finalize();
  return finish(svg, title);
}

type MeasureText = (item: { fontSize?: number }, text: unknown) => number;

/** A guess that suits the common sans-serif fonts, in pixels. */
function measureText({ fontSize = 11 }: { fontSize?: number }, text: unknown): number {
  return 0.57 * fontSize * String(text ?? "").length;
}

function finish(svg: string, title: string): string {
  const used = Object.entries(DARK).filter(([light]) => svg.includes(`"${light}"`));
  const dark = used.map(([light, dark]) =>
    `[fill="${light}"]{fill:${dark}}[stroke="${light}"]{stroke:${dark}}`
  ).join("");
  const head = `<title>${escapeXml(title)}</title><style>@media (prefers-color-scheme:dark){${dark}}</style>`;
  return svg
    .replace(/<svg [^>]*>/, (tag) => `${tag.replace(/ class="marks"/, ' role="img"')}${head}`)
    // A hundredth of a pixel is finer than any screen; further digits only enlarge the files.
    .replace(
      / (?:d|transform|x|y|x2|y2|width|height)="[^"]*"/g,
      (attribute) =>
        attribute.replace(/-?\d+\.\d{3,}(?:e-\d+)?/g, (n) => String(Math.round(Number(n) * 100) / 100)),
    )
    // Empty paths for pointer events, which a picture in a document does not receive.
    .replace(/<path class="(?:background|foreground)" aria-hidden="true" d=""[^>]*\/>/g, "")
    .replace(/<path class="background" aria-hidden="true" d="M0,0h0v0h0Z"[^>]*\/>/g, "")
    .concat("\n");
}

function escapeXml(text: string): string {
  return text.replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]!);
}
