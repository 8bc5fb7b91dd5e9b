/**
 * Writes answers into the page.
 *
 * @module
 */
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import type { Answer } from "./runner.ts";

/** The element with an id, which page.ts has put there. */
export function element<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** Index of the greatest of some numbers. */
export function best(numbers: Float32Array): number {
  return numbers.indexOf(Math.max(...numbers));
}

/** 0.9731 as "97.3 %". */
export function percent(share: number): string {
  // What is not sure must not look so.
  const rounded = Math.round(share * 1000) / 10;
  return rounded === 100 && share < 1 ? "> 99.9 %" : `${rounded.toFixed(1)} %`;
}

/** Milliseconds to three digits. */
function duration(ms: number): string {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/**
 * Shows the label, and a bar for each class.
 *
 * @param probabilities `[classes]`, or undefined where there is nothing to say
 */
export function showAnswer(labels: readonly string[], probabilities: Float32Array | undefined): void {
  const top = probabilities ? best(probabilities) : -1;
  element("label").textContent = labels[top] ?? "–";
  element("score").textContent = probabilities ? percent(probabilities[top]!) : "";
  for (const [i, row] of [...element("bars").children].entries()) {
    const share = probabilities?.[i] ?? 0;
    row.className = i === top ? "top" : "";
    row.querySelector<HTMLElement>("b")!.style.transform = `scaleX(${share})`;
    row.lastElementChild!.textContent = probabilities ? percent(share) : "–";
  }
}

/** Says the answer to those who hear the page, once one has stopped drawing. */
export function say(labels: readonly string[], probabilities: Float32Array | undefined): void {
  const top = probabilities ? best(probabilities) : -1;
  element("said").textContent = probabilities ? `${labels[top]}, ${percent(probabilities[top]!)}` : "";
}

/**
 * Fills the server's or the browser's row of the table.
 *
 * @param answer a word is said instead of an answer
 */
export function showRow(id: "server" | "browser", labels: readonly string[], answer: Answer | string): void {
  const cells = [...element(id).querySelectorAll("td")];
  const texts = typeof answer === "string"
    ? [answer, "–", "–"]
    : [labels[best(answer.probabilities)]!, percent(Math.max(...answer.probabilities)), duration(answer.ms)];
  for (const [i, cell] of cells.entries()) cell.textContent = texts[i]!;
}

let hiding: ReturnType<typeof setTimeout> | undefined;

/** Shows what went wrong, over the picture, so that nothing moves. */
export function showMessage(text: string): void {
  const message = element("message");
  clearTimeout(hiding);
  message.textContent = text;
  message.hidden = text === "";
  if (text !== "") hiding = setTimeout(() => showMessage(""), 10_000);
}
