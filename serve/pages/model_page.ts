/**
 * The model as a page to read: its card, or what the ONNX file says about it where there is no card.
 *
 * @module
 */
import type { ModelDescription } from "../../shared/contract.ts";
import { dataFacts } from "../../shared/data_facts.ts";
import { count, percent } from "../../shared/format.ts";
import type { PublicFiles } from "../model_files.ts";
import { renderMarkdown } from "./markdown.ts";

/** Renders it as HTML. */
export function modelPage(description: ModelDescription, { card, plots }: PublicFiles): string {
  const text = card ?? describe(description);
  return renderMarkdown(text, {
    link: (address) => address,
    image: (file) => Object.hasOwn(plots, file) ? `/model/${file}` : undefined,
  }) + renderMarkdown(PROGRAMS, { link: (address) => address, image: () => undefined });
}

const PROGRAMS = `
## For programs

[/v1/model](/v1/model) has these facts as JSON, and [/v1/model/file](/v1/model/file) is the ONNX file. Both need an
API key where the server asks for one.
`;

function describe({ name, version, labels, input, metrics, provenance }: ModelDescription): string {
  const { dataset, backbone } = provenance;
  const facts = dataset && dataFacts(dataset.name);
  const rows = [
    ["version", `\`${version}\``],
    ["input", `${input.width} × ${input.height} pixels, ${colours(input.channels)}`],
    [
      "classes",
      `${count(labels.length)}: ${labels.slice(0, MAX_LABELS).map(escape).join(", ")}${more(labels)}`,
    ],
    ...(metrics
      ? [["accuracy", `${percent(metrics.test.accuracy, 2)} of ${count(metrics.test.images)} test images`]]
      : []),
    ...(backbone ? [["backbone", escape(backbone.name)]] : []),
  ];
  return [
    `# ${escape(name)}`,
    "An image classifier. There is no model card beside its file; this is what the file says.",
    `|  |  |\n| --- | --- |\n${rows.map((row) => `| ${row.join(" | ").replace(/\n/g, " ")} |`).join("\n")}`,
    ...(facts
      ? [
        `## Data\n\n${facts.summary}`,
        `Licence: ${facts.licence}`,
        `## Limits\n\n${facts.limits.map((limit) => `- ${limit}`).join("\n")}`,
      ]
      : []),
  ].join("\n\n");
}

const MAX_LABELS = 100;

function more(labels: readonly string[]): string {
  return labels.length > MAX_LABELS ? ` and ${count(labels.length - MAX_LABELS)} more` : "";
}

/** What the channels of an image are. */
export function colours(channels: number): string {
  return channels === 1 ? "grey" : channels === 3 ? "colour" : `${channels} channels`;
}

function escape(text: string): string {
  return text.replace(/[\\`*_[\]<>#|~&]/g, "\\$&").replace(/\s+/g, " ");
}
