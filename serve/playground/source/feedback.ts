/**
 * The form with which users say what a picture shows, fetched only where the server takes feedback.
 *
 * @module
 */
/// <reference lib="dom" />

const TEXT = "The server stores the picture with this label, to train a later model on.";

/**
 * Fills the form when it is opened, and sends what is chosen.
 *
 * @param send rejects with a message for the user
 */
export function listen(labels: readonly string[], send: (label: string) => Promise<void>): void {
  const details = document.querySelector<HTMLDetailsElement>("#wrong")!;
  const select = document.querySelector<HTMLSelectElement>("#right")!;
  const text = document.querySelector("#wrong-text")!;
  // Its event "toggle" comes later, and would undo what has been chosen by then.
  details.querySelector("summary")!.addEventListener("click", () => {
    if (details.open) return;
    text.textContent = TEXT;
    // A model may have thousands of labels.
    if (select.length === 1) select.append(...labels.map((label) => new Option(label)));
    select.value = "";
  });
  details.querySelector("form")!.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await send(select.value);
      text.textContent = `Stored as “${select.value}”. Thank you.`;
    } catch (error) {
      text.textContent = (error as Error).message;
    }
  });
}
