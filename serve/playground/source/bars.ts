/**
 * The list of classes with a bar each, the most probable first.
 *
 * Rows move to their new places rather than change their texts, and classes whose shown percentages are equal keep
 * their order, so that nothing flickers while one draws or while the camera is on.
 *
 * @module
 */
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { BARS } from "../names.ts";
import { certainty } from "./certainty.ts";

const MOVE_MS = 200;

/** Where a row was on screen. */
interface Place {
  top: number;
  scale: string;
}

export class Bars {
  readonly #list: HTMLElement;
  readonly #labels: readonly string[];
  readonly #rows = new Map<number, HTMLElement>();
  readonly #motion = matchMedia("(prefers-reduced-motion: reduce)");
  /** Indices of all classes, in the order in which they are shown. */
  #order: number[];
  #probabilities: Float32Array | undefined;
  #count = BARS;
  /** When rows were last shown, in ms. */
  #renderedMs = 0;

  constructor(list: HTMLElement, labels: readonly string[]) {
    this.#list = list;
    this.#labels = labels;
    this.#order = [...labels.keys()];
    for (const [i, row] of [...list.children].entries()) this.#rows.set(i, row as HTMLElement);
  }

  /** Whether all classes are shown. */
  set isOpen(value: boolean) {
    this.#count = value ? this.#labels.length : BARS;
    this.#render();
  }

  /** @param probabilities `[classes]`; undefined empties all bars, and the classes are in the model's order */
  show(probabilities: Float32Array | undefined, top: number): void {
    this.#probabilities = probabilities?.slice();
    if (probabilities) {
      const shown = (i: number): number => i === top ? 2000 : Math.round(1000 * probabilities[i]!);
      // The sort is stable.
      this.#order.sort((a, b) => shown(b) - shown(a));
    } else this.#order.sort((a, b) => a - b);
    this.#render();
  }

  #render(): void {
    const rows = this.#order.slice(0, this.#count).map((i) => this.#row(i));
    // Rows that are still moving would lie over each other, as from the camera; a thousand take longer than they move.
    const now = performance.now();
    const isCalm = now - this.#renderedMs > MOVE_MS && rows.length <= BARS && !this.#motion.matches;
    this.#renderedMs = now;
    const before = isCalm ? this.#places() : undefined;
    const hasMoved = rows.length !== this.#list.children.length ||
      rows.some((row, i) => row !== this.#list.children[i]);
    for (const animation of this.#list.getAnimations({ subtree: true })) animation.cancel();
    for (const [at, row] of rows.entries()) {
      const i = this.#order[at]!;
      const share = this.#probabilities?.[i];
      row.className = at === 0 && share !== undefined ? "top" : "";
      row.querySelector("b")!.style.transform = `scaleX(${share ?? 0})`;
      row.lastElementChild!.textContent = share === undefined ? "–" : certainty(share);
    }
    if (hasMoved) this.#list.replaceChildren(...rows);
    if (before) this.#animate(rows, before);
  }

  #row(i: number): HTMLElement {
    let row = this.#rows.get(i);
    if (!row) {
      row = document.createElement("li");
      const [label, bar, value] = ["span", "i", "span"].map((tag) => document.createElement(tag));
      label!.dir = "auto";
      label!.textContent = this.#labels[i]!;
      bar!.append(document.createElement("b"));
      row.append(label!, bar!, value!);
      this.#rows.set(i, row);
    }
    return row;
  }

  /** Where the rows are now, in the middle of an animation too. */
  #places(): Map<Element, Place> {
    return new Map([...this.#list.children].map((row) => [row, {
      top: row.getBoundingClientRect().top,
      scale: getComputedStyle(row.querySelector("b")!).transform,
    }]));
  }

  #animate(rows: readonly HTMLElement[], before: ReadonlyMap<Element, Place>): void {
    const options = { duration: MOVE_MS, easing: "ease-out" };
    const moves = rows.map((row) => (before.get(row)?.top ?? NaN) - row.getBoundingClientRect().top);
    for (const [i, row] of rows.entries()) {
      const bar = row.querySelector("b")!;
      const place = before.get(row);
      if (!place) row.animate({ opacity: [0, 1] }, options);
      else if (Math.abs(moves[i]!) > 0.5) {
        row.animate({ transform: [`translateY(${moves[i]}px)`, "none"] }, options);
      }
      const scale = getComputedStyle(bar).transform;
      if (place && place.scale !== scale) bar.animate({ transform: [place.scale, scale] }, options);
    }
  }
}
