/**
 * Writes answers into the page.
 *
 * @module
 */
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { argMax } from "../../../shared/softmax.ts";
import { Bars } from "./bars.ts";
import { certainty, confidenceWord } from "./certainty.ts";
import type { PageModel } from "./page_model.ts";
import type { Answer } from "./runner.ts";

/** The element with an id, which page.ts has put there. */
export function element<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

const UNFAMILIAR = "This does not look like anything the model was trained on.";

/** Milliseconds to three digits. */
function duration(ms: number): string {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** The part of the page that shows the answer. */
export class AnswerView {
  readonly #labels: readonly string[];
  readonly #threshold: number | undefined;
  readonly bars: Bars;

  constructor({ labels, familiarity }: PageModel) {
    this.#labels = labels;
    this.#threshold = familiarity;
    this.bars = new Bars(element("bars"), labels);
  }

  /** Shows an answer; undefined where there is nothing to say. */
  show(answer: Answer | undefined): void {
    const probabilities = answer?.probabilities;
    const order = probabilities
      ? [...probabilities.keys()].sort((a, b) => probabilities[b]! - probabilities[a]!)
      : [];
    const [top = -1, ...others] = order;
    const isUnfamiliar = this.#isUnfamiliar(answer);
    element("label").textContent = this.#labels[top] ?? "–";
    element("score").textContent = probabilities ? certainty(probabilities[top]!) : "";
    element("confidence").textContent = !probabilities
      ? ""
      : isUnfamiliar
      ? "Do not rely on this answer"
      : confidenceWord(probabilities[top]!);
    element("next").replaceChildren(
      ...others.slice(0, 2).flatMap((i, at) => {
        const label = document.createElement("bdi");
        label.textContent = this.#labels[i]!;
        return [at === 0 ? "Next: " : ", ", label, ` ${certainty(probabilities![i]!)}`];
      }),
    );
    const banner = document.getElementById("unfamiliar");
    const text = isUnfamiliar ? UNFAMILIAR : "";
    if (banner && banner.textContent !== text) banner.textContent = text;
    element("answer").classList.toggle("unfamiliar", isUnfamiliar);
    this.bars.show(probabilities, top);
  }

  #isUnfamiliar(answer: Answer | undefined): boolean {
    const familiarity = answer?.familiarity?.[0];
    return this.#threshold !== undefined && familiarity !== undefined && familiarity < this.#threshold;
  }

  /** Says the answer to those who hear the page, once one has stopped drawing. */
  say(answer: Answer | undefined): void {
    const top = answer ? argMax(answer.probabilities) : -1;
    element("said").textContent = answer
      ? `${this.#labels[top]}, ${certainty(answer.probabilities[top]!)}`
      : "";
  }

  /**
   * Fills the server's or the browser's row of the table.
   *
   * @param answer a word is said instead of an answer
   */
  showRow(id: "server" | "browser", answer: Answer | string): void {
    const cells = [...element(id).querySelectorAll("td")];
    const texts = typeof answer === "string" ? [answer, "–", "–"] : [
      this.#labels[argMax(answer.probabilities)]!,
      certainty(Math.max(...answer.probabilities)),
      duration(answer.ms),
    ];
    for (const [i, cell] of cells.entries()) {
      cell.textContent = texts[i]!;
      cell.dir = "auto";
    }
  }
}

let hiding: ReturnType<typeof setTimeout> | undefined;

/** Shows what went wrong, over the picture, so that nothing moves. */
export function showMessage(text: string): void {
  const message = element("message");
  clearTimeout(hiding);
  if (message.textContent !== text) message.textContent = text;
  message.hidden = text === "";
  if (text !== "") hiding = setTimeout(() => showMessage(""), 10_000);
}
