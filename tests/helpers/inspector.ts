/**
 * Asks V8's inspector, which Deno and workerd both offer, how much memory the isolate of a server has.
 *
 * @module
 */

/** Bytes of an isolate, without WebAssembly memories. */
export interface HeapUsage {
  /** JavaScript objects and what the runtime keeps for them. */
  heap: number;
  /** Array buffers. */
  buffers: number;
}

/** A connection to the inspector of the first isolate of a process. */
export class Inspector implements Disposable {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (message: Record<string, unknown>) => void>();
  #calls = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      this.#waiting.get(message.id)?.(message);
      this.#waiting.delete(message.id);
    };
  }

  /** @param port where the inspector listens on loopback */
  static async connect(port: number): Promise<Inspector> {
    const [target] = await (await fetch(`http://127.0.0.1:${port}/json`)).json();
    const socket = new WebSocket(target.webSocketDebuggerUrl);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error(`Cannot connect to ${target.webSocketDebuggerUrl}`));
    });
    return new Inspector(socket);
  }

  /** What is allocated, garbage included. */
  async usage(): Promise<HeapUsage> {
    const result = await this.#call("Runtime.getHeapUsage") as Record<string, number>;
    return {
      heap: result["usedSize"]! + (result["embedderHeapUsedSize"] ?? 0),
      buffers: result["backingStorageSize"] ?? 0,
    };
  }

  /** @param wake sends the server any request, as workerd collects no garbage while it is idle */
  async collectGarbage(wake: () => Promise<unknown>): Promise<void> {
    await this.#call("HeapProfiler.enable");
    const isCollected = this.#call("HeapProfiler.collectGarbage").then(() => true);
    while (!await Promise.race([isCollected, wake().then(() => false)]));
  }

  #call(method: string): Promise<unknown> {
    const id = ++this.#calls;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result, error }) => result ? resolve(result) : reject(error));
      this.#socket.send(JSON.stringify({ id, method }));
    });
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
