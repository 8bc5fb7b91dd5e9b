/**
 * A program of its own that answers each line of JSON with a line of JSON. What measures a server runs in one, so that
 * it shares no thread with the server or with other clients, and keeps running, so that its code is warm.
 *
 * @module
 */
import { createInterface } from "node:readline";
import process from "node:process";

/** Answers the lines of standard input until it ends. */
export async function answerLines<Request, Reply>(
  answer: (request: Request) => Promise<Reply>,
): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    // deno-lint-ignore no-console -- the parent reads it
    console.log(JSON.stringify(await answer(JSON.parse(line))));
  }
}

/** A running program that calls {@linkcode answerLines}. */
export class LineProgram<Request, Reply> implements AsyncDisposable {
  readonly #url: string;
  readonly #process: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: AsyncIterator<string>;

  /** @param url of the program's source */
  constructor(url: string) {
    this.#url = url;
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", url],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#writer = this.#process.stdin.getWriter();
    this.#lines = linesOf(this.#process.stdout);
  }

  /** @throws {Error} if the program has ended; it prints the reason itself */
  async ask(request: Request): Promise<Reply> {
    await this.#writer.write(new TextEncoder().encode(`${JSON.stringify(request)}\n`));
    const { done, value } = await this.#lines.next();
    if (done) throw new Error(`Cannot measure as ${this.#url} has ended`);
    return JSON.parse(value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close().catch(() => {});
    await this.#process.status;
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}
