/**
 * The page's script: from what is drawn or chosen, over what the model sees, to what it says.
 *
 * @module
 */
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { hasContent, type Image } from "../../../shared/image.ts";
import { ORT_WASM_BYTES } from "../names.ts";
import { BrowserRunner } from "./browser.ts";
import { curlFor } from "./curl.ts";
import { heatMaps } from "./heat_map.ts";
import { hasKey, setKey } from "./key.ts";
import { keepOffline } from "./offline.ts";
import type { PageModel } from "./page_model.ts";
import { Camera, decode, fileOf } from "./pictures.ts";
import { type Answer, KeyTrouble, type Runner, Trouble } from "./runner.ts";
import { firstSample, listSamples } from "./samples.ts";
import { paintHeat, paintPixels } from "./paint.ts";
import { see } from "./see.ts";
import { send, ServerRunner } from "./server.ts";
import { argMax } from "../../../shared/softmax.ts";
import { element, say, showAnswer, showMessage, showRow } from "./show.ts";
import { Stage, type Tool } from "./stage.ts";

type Where = "server" | "browser" | "both";

/** Time without a change after which the heat map is computed, in ms. */
const REST_MS = 250;
const PLACE = "selvedge.where";

const model: PageModel = JSON.parse(element("playground").dataset.model!);
const { labels, input } = model;
const server = new ServerRunner(model);
let browser: Promise<BrowserRunner> | undefined;
let where: Where = "server";
let pixels: Uint8Array<ArrayBuffer> | undefined;

const stage = new Stage(element<HTMLCanvasElement>("drawing"), look);
const camera = new Camera(element<HTMLVideoElement>("video"));
const inputCanvas = element<HTMLCanvasElement>("input");
const heatCanvas = element<HTMLCanvasElement>("heat");

/** Looks at the picture again, and asks about it. */
function look(): void {
  const image = stage.image();
  element("hint").hidden = image !== undefined;
  element<HTMLButtonElement>("undo").disabled = !stage.canUndo;
  const view = { crop: isChecked("crop"), invert: isChecked("invert") };
  pixels = image && see(image, model, view);
  paintPixels(inputCanvas, pixels, input);
  const isBlank = pixels !== undefined && !hasContent(pixels, input.channels);
  showMessage(isBlank ? "Nothing stands out from the background, so there is nothing to classify." : "");
  if (isBlank) pixels = undefined;
  // The map of the picture before would be wrong.
  paintHeat(heatCanvas, undefined, pixels, input);
  heatCanvas.dataset.for = "";
  delete heatCanvas.dataset.cells;
  ask();
}

function isChecked(id: string): boolean {
  return element<HTMLInputElement>(id).checked;
}

let isAsking = false;
let isStale = false;

/** Asks about the newest pixels; while an answer is awaited, those in between are left out. */
async function ask(): Promise<void> {
  isStale = true;
  if (isAsking) return;
  isAsking = true;
  try {
    while (isStale) {
      isStale = false;
      await answer();
    }
  } finally {
    isAsking = false;
  }
}

let resting: ReturnType<typeof setTimeout> | undefined;

async function answer(): Promise<void> {
  clearTimeout(resting);
  const asked = pixels;
  if (!asked || (model.needsKey && !hasKey() && where !== "browser")) {
    showAnswer(labels, undefined);
    for (const id of ["server", "browser"] as const) showRow(id, labels, "–");
    resting = setTimeout(rest, REST_MS, undefined, undefined, undefined);
    return;
  }
  const [fromServer, fromBrowser] = await Promise.all([
    where === "browser" ? undefined : attempt("server", Promise.resolve(server), asked),
    where === "server" ? undefined : attempt("browser", loadBrowser(), asked),
  ]);
  if (where === "browser") showRow("server", labels, "not asked");
  if (where === "server") showRow("browser", labels, browser ? "not asked" : "not loaded");
  if (fromServer && fromBrowser) compare(fromServer.answer, fromBrowser.answer);
  const { answer, runner } = fromServer ?? fromBrowser ?? {};
  showAnswer(labels, answer?.probabilities);
  resting = setTimeout(rest, REST_MS, asked, answer, runner);
}

async function attempt(
  id: "server" | "browser",
  loading: Promise<Runner>,
  asked: Uint8Array<ArrayBuffer>,
): Promise<{ answer: Answer; runner: Runner } | undefined> {
  try {
    const runner = await loading;
    const answer = await runner.run(asked);
    showRow(id, labels, answer);
    return { answer, runner };
  } catch (error) {
    showRow(id, labels, "no answer");
    tell(error);
    return undefined;
  }
}

function compare(a: Answer, b: Answer): void {
  const difference = Math.max(...a.probabilities.map((p, i) => Math.abs(p - b.probabilities[i]!)));
  const same = argMax(a.probabilities) === argMax(b.probabilities) ? "The same label" : "Different labels";
  const amount = difference === 0
    ? "are equal to the last bit"
    : `differ by ${difference.toExponential(0)} at most`;
  element("where-text").textContent = `${same}, from the same file; the probabilities ${amount}.`;
}

/** Done once the picture has not changed for {@linkcode REST_MS}. */
async function rest(asked?: Uint8Array<ArrayBuffer>, answer?: Answer, runner?: Runner): Promise<void> {
  if (stage.isDrawing) {
    resting = setTimeout(rest, REST_MS, asked, answer, runner);
    return;
  }
  const curl = document.getElementById("curl");
  if (curl) {
    curl.textContent = asked
      ? curlFor(asked, location.origin, model.needsKey)
      : "Draw or choose an image first";
  }
  say(labels, answer?.probabilities);
  if (asked && answer && runner) await showHeat(asked, answer, runner);
}

/** Shows which pixels matter, ever finer until the picture changes. */
async function showHeat(asked: Uint8Array<ArrayBuffer>, answer: Answer, runner: Runner): Promise<void> {
  const classIndex = argMax(answer.probabilities);
  const isCurrent = (): boolean => asked === pixels;
  if (!isCurrent()) return;
  try {
    for await (
      const map of heatMaps(runner, { pixels: asked, shape: input, answer, classIndex }, isCurrent)
    ) {
      paintHeat(heatCanvas, map, asked, input);
      heatCanvas.dataset.for = labels[classIndex]!;
      heatCanvas.dataset.cells = `${map.width}x${map.height}`;
    }
  } catch (error) {
    if (isCurrent()) tell(error);
  }
}

function tell(error: unknown): void {
  if (!(error instanceof Trouble)) throw error;
  showMessage(error.message);
  if (error instanceof KeyTrouble) askForKey();
}

function askForKey(): void {
  setKey("");
  const form = document.getElementById("key");
  if (!form) return;
  form.hidden = false;
  element("key-text").focus();
}

function loadBrowser(): Promise<BrowserRunner> {
  if (!browser) {
    showRow("browser", labels, "loading …");
    browser = BrowserRunner.load(model);
    // The next attempt may succeed.
    browser.catch(() => browser = undefined);
  }
  return browser;
}

const WHERE_TEXTS: Record<Where, string> = {
  server:
    `The image is sent to the server. Running in the browser downloads ${downloadMb()} MB once: the model and ONNX Runtime.`,
  browser: "Nothing leaves this browser. It works offline, also after you close the page.",
  both: "Both run the same file.",
};

function downloadMb(): number {
  return Math.round((ORT_WASM_BYTES + model.fileBytes) / 1e6);
}

function choose(value: string | null): void {
  if (value !== "server" && value !== "browser" && value !== "both") return;
  where = value;
  localStorage.setItem(PLACE, where);
  element("where-text").textContent = WHERE_TEXTS[where];
  document.querySelector<HTMLInputElement>(`input[name="where"][value="${where}"]`)!.checked = true;
  look();
}

async function open(file: Blob | undefined): Promise<void> {
  if (!file) return;
  stopCamera();
  try {
    show(await decode(file));
  } catch (error) {
    tell(error);
  }
}

function show(image: Image): void {
  stopCamera();
  stage.show(image);
}

function stopCamera(): void {
  camera.stop();
  element("camera").textContent = "Camera";
  element("shoot").hidden = true;
}

async function toggleCamera(): Promise<void> {
  if (camera.isOn) return stopCamera();
  try {
    await camera.start();
    element("camera").textContent = "Stop";
    element("shoot").hidden = false;
    element("shoot").focus();
  } catch (error) {
    tell(error);
  }
}

function onClick(id: string, act: () => void): void {
  element(id).addEventListener("click", act);
}

function onChoice(name: string, act: (value: string) => void): void {
  for (const button of document.querySelectorAll<HTMLInputElement>(`input[name="${name}"]`)) {
    button.addEventListener("change", () => act(button.value));
  }
}

function listenToDrops(): void {
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
}

function listenToKey(): void {
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
      look();
    } catch (error) {
      tell(error);
    }
  });
}

function start(): void {
  stage.tool = document.querySelector<HTMLInputElement>('input[name="tool"]:checked')!.value as Tool;
  onChoice("tool", (value) => stage.tool = value as Tool);
  element("size").addEventListener("input", (event) => {
    stage.size = Number((event.target as HTMLInputElement).value);
  });
  onClick("undo", () => stage.undo());
  onClick("clear", () => stage.clear());
  const file = element<HTMLInputElement>("file");
  onClick("open", () => file.click());
  file.addEventListener("change", () => {
    open(file.files?.[0]);
    // The same file may be chosen again.
    file.value = "";
  });
  onClick("camera", toggleCamera);
  onClick("shoot", () => show(camera.shoot()));
  for (const id of ["crop", "invert"]) element(id).addEventListener("change", look);
  onChoice("where", choose);
  document.getElementById("copy")?.addEventListener("click", async () => {
    const button = element("copy");
    const isDone = await navigator.clipboard?.writeText(element("curl").textContent!).then(
      () => true,
      () => false,
    );
    button.textContent = isDone ? "Copied" : "Cannot copy";
    setTimeout(() => button.textContent = "Copy", 1500);
  });
  listenToDrops();
  listenToKey();
  const list = document.querySelector<HTMLElement>("#samples ul");
  if (list) {
    listSamples(list, true, show);
    onClick("others", () => listSamples(list, false, show));
    // So that there is something to see.
    stage.show(firstSample());
  }
  paintHeat(heatCanvas, undefined, undefined, input);
  choose(localStorage.getItem(PLACE) ?? "server");
  keepOffline();
}

start();
