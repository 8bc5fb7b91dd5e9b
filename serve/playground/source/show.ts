/**
 * Writes answers into the page.
 *
 * @module
 */
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { percent } from "../../../shared/format.ts";
import { argMax } from "../../../shared/softmax.ts";
import type { Answer } from "./runner.ts";

/** The element with an id, which page.ts has put there. */
export function element<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** A probability as a percentage, where only certainty is 100 %. */
export function certainty(probability: number): string {
  const text = percent(probability);
  return text === "100.0 %" && probability < 1 ? "> 99.9 %" : text;
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
  const top = probabilities ? argMax(probabilities) : -1;
  element("label").textContent = labels[top] ?? "–";
  element("score").textContent = probabilities ? certainty(probabilities[top]!) : "";
  for (const [i, row] of [...element("bars").children].entries()) {
    const share = probabilities?.[i] ?? 0;
    row.className = i === top ? "top" : "";
    row.querySelector<HTMLElement>("b")!.style.transform = `scaleX(${share})`;
    row.lastElementChild!.textContent = probabilities ? certainty(share) : "–";
  }
}

/** Says the answer to those who hear the page, once one has stopped drawing. */
export function say(labels: readonly string[], probabilities: Float32Array | undefined): void {
  const top = probabilities ? argMax(probabilities) : -1;
  element("said").textContent = probabilities ? `${labels[top]}, ${certainty(probabilities[top]!)}` : "";
}

/**
 * Fills the server's or the browser's row of the table.
 *
 * @param answer a word is said instead of an answer
 */
export function showRow(id: "server" | "browser", labels: readonly string[], answer: Answer | string): void {
  const cells = [...element(id).querySelectorAll("td")];
  const texts = typeof answer === "string" ? [answer, "–", "–"] : [
    labels[argMax(answer.probabilities)]!,
    certainty(Math.max(...answer.probabilities)),
    duration(answer.ms),
  ];
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
