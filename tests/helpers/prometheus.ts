/**
 * A real Prometheus, as a process: Debian's package `prometheus`, or any binary of that name on the path.
 *
 * @module
 */
import { assertEquals } from "@std/assert";

/** Why tests of Prometheus do not run; undefined if they do. */
export const WITHOUT_PROMETHEUS = await reason();

async function reason(): Promise<string | undefined> {
  for (const program of ["prometheus", "promtool"]) {
    try {
      await new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" }).output();
    } catch {
      return `not run: ${program} is not installed`;
    }
  }
  return undefined;
}

/** Runs promtool and returns what it prints. */
export async function promtool(
  args: string[],
  input = "",
  cwd?: URL,
): Promise<{ ok: boolean; text: string }> {
  const child = new Deno.Command("promtool", {
    args,
    ...(cwd && { cwd }),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input)).catch(() => {});
  await writer.close().catch(() => {});
  const { success, stdout, stderr } = await child.output();
  const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  return { ok: success, text: decode(stdout) + decode(stderr) };
}

/** One series of an answer. */
export interface Series {
  metric: Record<string, string>;
  value: [number, string];
}

export interface Prometheus extends AsyncDisposable {
  /** The value of every series of an expression, now. */
  query(expression: string): Promise<Series[]>;
  /** Asks until the answer is as wanted, and fails after a minute in which it was not. */
  until(expression: string, isRight: (series: Series[]) => boolean): Promise<Series[]>;
  get(path: string): Promise<unknown>;
}

/** Starts a Prometheus that scrapes one server every second. */
export async function startPrometheus(target: string, rules: string): Promise<Prometheus> {
  const folder = await Deno.makeTempDir({ prefix: "prometheus-" });
  const port = freePort();
  await Deno.writeTextFile(
    `${folder}/prometheus.yml`,
    JSON.stringify({
      global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
      rule_files: [rules],
      scrape_configs: [{ job_name: "selvedge", static_configs: [{ targets: [target] }] }],
    }),
  );
  const child = new Deno.Command("prometheus", {
    args: [
      `--config.file=${folder}/prometheus.yml`,
      `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    stdout: "null",
    stderr: "null",
  }).spawn();
  const url = `http://127.0.0.1:${port}`;
  const get = async (path: string): Promise<unknown> => {
    const response = await fetch(`${url}${path}`);
    const { status, data, error } = await response.json();
    assertEquals(status, "success", `${path}: ${error}`);
    return data;
  };
  const query = async (expression: string): Promise<Series[]> => {
    const { resultType, result } = await get(`/api/v1/query?query=${encodeURIComponent(expression)}`) as {
      resultType: string;
      result: Series[] | [number, string];
    };
    if (resultType === "scalar") return [{ metric: {}, value: result as [number, string] }];
    return result as Series[];
  };
  while (!await fetch(`${url}/-/ready`).then(async (r) => (await r.body?.cancel(), r.ok), () => false));
  return {
    get,
    query,
    async until(expression, isRight): Promise<Series[]> {
      const end = performance.now() + 60_000;
      for (;;) {
        const series = await query(expression);
        if (isRight(series)) return series;
        if (performance.now() > end) throw new Error(`${expression} is still ${JSON.stringify(series)}`);
      }
    },
    async [Symbol.asyncDispose](): Promise<void> {
      child.kill("SIGTERM");
      await child.status;
      await Deno.remove(folder, { recursive: true });
    },
  };
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
