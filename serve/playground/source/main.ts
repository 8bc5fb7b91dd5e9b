/**
 * The page's script: from what is drawn or chosen, over what the model sees, to what it answers.
 *
 * @module
 */
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { argMax } from "../../../shared/softmax.ts";
import { ORT_WASM_BYTES, ROOM } from "../names.ts";
import { BrowserRunner } from "./browser.ts";
import type { NamedFile } from "./code.ts";
import { CodeView, listenForHelp, listenToFiles, listenToKey, onChoice, onClick, save } from "./controls.ts";
import { decode } from "./decode.ts";
import { heatMaps } from "./heat_map.ts";
import { hasKey, setKey, withKey } from "./key.ts";
import { keepOffline } from "./offline.ts";
import type { PageModel } from "./page_model.ts";
import { paintHeat, paintPixels } from "./paint.ts";
import { Camera } from "./pictures.ts";
import { type Answer, KeyTrouble, type Runner, Trouble } from "./runner.ts";
import { listExamples } from "./samples.ts";
import { see } from "./see.ts";
import { send, ServerRunner } from "./server.ts";
import { AnswerView, element, showMessage } from "./show.ts";
import { type Shown, Stage, type Tool } from "./stage.ts";

type Where = "server" | "browser" | "both";

/** Time without a change after which the heat map is computed, in ms. */
const REST_MS = 250;
/** Time from one picture of the camera to the next, in ms, where the server answers: it has others to answer. */
const SERVER_FRAME_MS = 200;
/** The camera's pictures are classified at this size, in pixels, or at twice the model's. */
const LIVE_SIDE = 256;
/** The file formats that the server reads. */
const SERVER_TYPES = ["image/png", "image/jpeg", "image/webp"];
const PLACE = "selvedge.where";

const model: PageModel = JSON.parse(element("playground").dataset.model!);
const { labels, input } = model;
const server = new ServerRunner(model);
let browser: Promise<BrowserRunner> | undefined;
let isLoading = false;
let where: Where = "server";
let pixels: Uint8Array<ArrayBuffer> | undefined;

const view = new AnswerView(model);
const code = new CodeView({ origin: location.origin, needsKey: model.needsKey });
const stage = new Stage(element<HTMLCanvasElement>("drawing"), look);
const camera = new Camera(element<HTMLVideoElement>("video"));
const inputCanvas = element<HTMLCanvasElement>("input");
const heatCanvas = element<HTMLCanvasElement>("heat");

/** Looks at the picture again, and asks about it. */
function look(): Promise<void> {
  const isLive = camera.isOn;
  const liveSide = Math.max(LIVE_SIDE, 2 * input.width, 2 * input.height);
  const image = isLive ? camera.shoot(liveSide) : stage.image();
  element("hint").hidden = image !== undefined;
  element<HTMLButtonElement>("undo").disabled = !stage.canUndo;
  const seen = image && see(image, model, { crop: isChecked("crop"), invert: isChecked("invert") });
  pixels = seen?.isBlank ? undefined : seen?.pixels;
  paintPixels(inputCanvas, seen?.pixels, input);
  element("fit-text").textContent = seen?.text ?? "";
  showMessage(
    seen?.isBlank ? "Nothing stands out from the background, so there is nothing to classify." : "",
  );
  // The map of the picture before would be wrong.
  showNoHeat();
  const { label } = stage.shown ?? {};
  element("expected").textContent = label === undefined || isLive
    ? ""
    : `The example is of the class “${label}”.`;
  if (!pixels) showNoAnswer();
  return ask();
}

function isChecked(id: string): boolean {
  return element<HTMLInputElement>(id).checked;
}

let asking: Promise<void> | undefined;
let isStale = false;
/** Counts the pictures: an answer about another one than is shown is not shown. */
let subject = 0;

/** Asks about the newest pixels; while an answer is awaited, those in between are left out. */
function ask(): Promise<void> {
  isStale = true;
  asking ??= (async () => {
    try {
      while (isStale) {
        isStale = false;
        await answer();
      }
    } finally {
      asking = undefined;
    }
  })();
  return asking;
}

let resting: ReturnType<typeof setTimeout> | undefined;

async function answer(): Promise<void> {
  clearTimeout(resting);
  const asked = pixels, mine = subject;
  if (!asked || (model.needsKey && !hasKey() && where !== "browser")) {
    showNoAnswer();
    resting = setTimeout(rest, REST_MS, undefined, undefined, undefined);
    return;
  }
  const [fromServer, fromBrowser] = await Promise.all([
    where === "browser" ? undefined : attempt("server", Promise.resolve(server), asked),
    where === "server" ? undefined : attempt("browser", loadBrowser(), asked),
  ]);
  if (mine !== subject) return;
  if (where === "browser") view.showRow("server", "not asked");
  if (where === "server") view.showRow("browser", browser ? "not asked" : "not loaded");
  if (fromServer && fromBrowser) compare(fromServer.answer, fromBrowser.answer);
  const { answer, runner } = fromServer ?? fromBrowser ?? {};
  view.show(answer);
  resting = setTimeout(rest, REST_MS, asked, answer, runner);
}

function showNoAnswer(): void {
  view.show(undefined);
  view.say(undefined);
  view.showRow("server", "–");
  view.showRow("browser", isLoading ? "loading …" : "–");
}

async function attempt(
  id: "server" | "browser",
  loading: Promise<Runner>,
  asked: Uint8Array<ArrayBuffer>,
): Promise<{ answer: Answer; runner: Runner } | undefined> {
  const mine = subject;
  try {
    const runner = await loading;
    const answer = await runner.run(asked);
    if (mine === subject) view.showRow(id, answer);
    return { answer, runner };
  } catch (error) {
    view.showRow(id, "no answer");
    report(error);
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
  const isPlain = isChecked("crop") && !isChecked("invert");
  code.show(
    currentFile(),
    isPlain
      ? ""
      : "The server crops every picture and does not invert twice: its answer differs from the one above.",
  );
  view.say(answer);
  if (asked && answer && runner) await showHeat(asked, answer, runner);
}

/** The file that the code is about. */
function currentFile(): NamedFile {
  return stage.shown?.file ?? { name: stage.shown ? "picture.png" : "drawing.png", type: "image/png" };
}

async function savePicture(): Promise<void> {
  if (!stage.image()) return;
  save(stage.shown?.file?.blob ?? await stage.toPng(), currentFile().name);
}

/** Stores the picture on the server as an example of a label. */
async function sendFeedback(label: string): Promise<void> {
  if (!stage.image()) throw new Trouble("Draw or choose a picture first.");
  const body = stage.shown?.file?.blob ?? await stage.toPng();
  const headers = withKey({ "content-type": body.type });
  await send(`/v1/feedback?label=${encodeURIComponent(label)}`, { method: "POST", headers, body });
}

function showNoHeat(): void {
  paintHeat(heatCanvas, undefined, pixels, input);
  heatCanvas.dataset.for = "";
  delete heatCanvas.dataset.cells;
  element("heat-label").textContent = "for the answer";
}

/** Shows which parts matter, ever finer until the picture changes. */
async function showHeat(asked: Uint8Array<ArrayBuffer>, answer: Answer, runner: Runner): Promise<void> {
  const classIndex = argMax(answer.probabilities);
  const isCurrent = (): boolean => asked === pixels && isChecked("heat-on");
  if (!isCurrent()) return;
  try {
    for await (
      const map of heatMaps(runner, { pixels: asked, shape: input, answer, classIndex }, isCurrent)
    ) {
      paintHeat(heatCanvas, map, asked, input);
      heatCanvas.dataset.for = labels[classIndex]!;
      heatCanvas.dataset.cells = `${map.width}x${map.height}`;
      element("heat-label").textContent = `for “${labels[classIndex]}”`;
    }
  } catch (error) {
    if (isCurrent()) report(error);
  }
}

function report(error: unknown): void {
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
    isLoading = true;
    view.showRow("browser", "loading …");
    browser = BrowserRunner.load(model);
    // The next attempt may succeed.
    browser.catch(() => browser = undefined).finally(() => isLoading = false);
  }
  return browser;
}

const WHERE_TEXTS: Record<Where, string> = {
  server: `The picture is sent to the server, which does not store it${
    model.takesFeedback ? " unless you correct the answer" : ""
  }. Running in the browser downloads ${downloadMb()} MB once: the model and ONNX Runtime.`,
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

async function open(file: File | undefined): Promise<void> {
  if (!file) return;
  stopCamera();
  try {
    const image = await decode(file);
    const isReadable = SERVER_TYPES.includes(file.type);
    show({ image, ...(isReadable && { file: { name: file.name, type: file.type, blob: file } }) });
  } catch (error) {
    report(error);
  }
}

/** Shows another picture; what was said about the one before is gone at once. */
function show(shown: Shown): void {
  stopCamera();
  newSubject();
  stage.show(shown);
}

function newSubject(): void {
  subject++;
  document.getElementById("wrong")?.removeAttribute("open");
  showNoAnswer();
}

function clear(): void {
  stopCamera();
  newSubject();
  stage.clear();
  look();
}

function stopCamera(): void {
  if (!camera.isOn) return;
  camera.stop();
  element("camera").textContent = "Camera";
  for (const id of ["shoot", "rate"]) element(id).hidden = true;
}

async function toggleCamera(): Promise<void> {
  if (camera.isOn) {
    stopCamera();
    look();
    return;
  }
  try {
    await camera.start();
    element("camera").textContent = "Stop";
    element("shoot").hidden = false;
    element("shoot").focus();
    await classifyLive();
  } catch (error) {
    report(error);
  }
}

/** Classifies what the camera sees, one picture after the other, until it stops. */
async function classifyLive(): Promise<void> {
  const rate = element("rate");
  newSubject();
  for (let count = 0, start = performance.now(); camera.isOn;) {
    const begin = performance.now();
    await look();
    count++;
    const left = SERVER_FRAME_MS - (performance.now() - begin);
    if (where !== "browser" && left > 0) await new Promise((resolve) => setTimeout(resolve, left));
    await camera.frame();
    const seconds = (performance.now() - start) / 1000;
    if (seconds < 1 || !camera.isOn) continue;
    rate.textContent = `${(count / seconds).toFixed(0)} answers/s`;
    rate.hidden = false;
    count = 0;
    start = performance.now();
  }
}

function start(): void {
  stage.tool = document.querySelector<HTMLInputElement>('input[name="tool"]:checked')!.value as Tool;
  onChoice("tool", (value) => stage.tool = value as Tool);
  element("size").addEventListener("input", (event) => {
    stage.size = Number((event.target as HTMLInputElement).value);
  });
  onClick("undo", () => stage.undo());
  onClick("clear", clear);
  onClick("camera", toggleCamera);
  onClick("shoot", () => show({ image: camera.shoot() }));
  onClick("save", savePicture);
  for (const id of ["crop", "invert", "heat-on"]) element(id).addEventListener("change", look);
  onChoice("where", choose);
  const all = document.getElementById("all");
  all?.addEventListener("click", () => {
    const isOpen = all.getAttribute("aria-expanded") !== "true";
    all.setAttribute("aria-expanded", String(isOpen));
    all.textContent = isOpen ? "Show the first" : `Show all ${labels.length.toLocaleString("en")}`;
    view.bars.isOpen = isOpen;
  });
  listenToFiles(open);
  listenToKey(look, report);
  listenForHelp();
  showNoHeat();
  choose(localStorage.getItem(PLACE) ?? "server");
  const list = document.querySelector<HTMLElement>("#samples ul");
  if (list) {
    // The first is shown, so that there is something to see.
    listExamples(list, show).then((first) => first && !stage.image() && stage.show(first), report);
  }
  keepOffline();
  if (model.takesFeedback) listenToFeedback().catch(() => {});
}

async function listenToFeedback(): Promise<void> {
  // In a variable, as it is not part of this bundle.
  const path = `${ROOM}feedback.js`;
  const { listen } = await import(path) as typeof import("./feedback.ts");
  listen(labels, sendFeedback);
}

start();
