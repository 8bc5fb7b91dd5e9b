/**
 * Connects the controls of the page, as far as they need no state of it.
 *
 * @module
 */
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { type CodeOptions, LANGUAGES } from "./code.ts";
import { hasKey, setKey } from "./key.ts";
import { fileOf } from "./pictures.ts";
import { send } from "./server.ts";
import { element } from "./show.ts";

export function onClick(id: string, act: () => void): void {
  document.getElementById(id)?.addEventListener("click", act);
}

export function onChoice(name: string, act: (value: string) => void): void {
  for (const button of document.querySelectorAll<HTMLInputElement>(`input[name="${name}"]`)) {
    button.addEventListener("change", () => act(button.value));
  }
}

/** Calls back with files that are dropped anywhere, or pasted. */
export function listenToFiles(open: (file: File | undefined) => void): void {
  const page = document.documentElement;
  addEventListener("dragover", (event) => {
    event.preventDefault();
    page.classList.add("dropping");
  });
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) page.classList.remove("dropping");
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    page.classList.remove("dropping");
    open(fileOf(event.dataTransfer));
  });
  addEventListener("paste", (event) => {
    const file = fileOf(event.clipboardData);
    if (!file) return;
    event.preventDefault();
    open(file);
  });
  const input = element<HTMLInputElement>("file");
  onClick("open", () => input.click());
  input.addEventListener("change", () => {
    open(input.files?.[0]);
    // The same file may be chosen again.
    input.value = "";
  });
}

/** Calls back when the server has accepted a key. */
export function listenToKey(accepted: () => void, fail: (error: unknown) => void): void {
  const form = document.getElementById("key");
  if (!form) return;
  form.hidden = hasKey();
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const field = element<HTMLInputElement>("key-text");
    setKey(field.value.trim());
    try {
      await send("/v1/model", { headers: { authorization: `Bearer ${field.value.trim()}` } });
      field.value = "";
      form.hidden = true;
      accepted();
    } catch (error) {
      fail(error);
    }
  });
}

/** Shows the explanation of the control that has the pointer or the focus, or was touched. */
export function listenForHelp(): void {
  const help = element("help");
  const show = ({ target }: Event): void => {
    // The explanation is that of the control, and the pointer may be on its label.
    const control = (target as Element).closest?.("[aria-description]") ??
      (target as Element).closest?.("label")?.querySelector("[aria-description]");
    const text = control?.ariaDescription;
    if (text) help.textContent = text;
  };
  for (const type of ["pointerover", "focusin", "click"]) addEventListener(type, show);
}

/** The code that is shown. */
export class CodeView {
  readonly #options: Omit<CodeOptions, "file">;

  constructor(options: Omit<CodeOptions, "file">) {
    this.#options = options;
    for (const button of document.querySelectorAll<HTMLElement>(".copy")) {
      button.addEventListener("click", () => copy(button));
    }
  }

  /** @param note what the code does differently from the page */
  show(file: CodeOptions["file"], note: string): void {
    element("file-name").textContent = file.name;
    for (const [id, { code }] of Object.entries(LANGUAGES)) {
      document.querySelector(`#code-${id} code`)!.textContent = code({ ...this.#options, file });
    }
    element("code-note").textContent = note;
  }
}

async function copy(button: HTMLElement): Promise<void> {
  const code = button.parentElement!.querySelector("code")!.textContent!;
  const isDone = await navigator.clipboard?.writeText(code).then(() => true, () => false);
  button.textContent = isDone ? "Copied" : "Cannot copy";
  setTimeout(() => button.textContent = "Copy", 1500);
}

/** Saves a file. */
export function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser has the file by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
