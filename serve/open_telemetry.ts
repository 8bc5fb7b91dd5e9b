/**
 * The part of OpenTelemetry's API that this server uses. No package is needed: a runtime that exports telemetry
 * registers its implementation where `@opentelemetry/api` looks for it, and Deno does so if `OTEL_DENO=true`.
 * https://docs.deno.com/runtime/fundamentals/open_telemetry/
 *
 * @module
 */

/** Attributes, by the names of OpenTelemetry's semantic conventions where there is one. */
export type Attributes = Readonly<Record<string, string | number>>;

/** An operation that is being traced; Cloudflare's spans have these methods, too. */
export interface Span {
  spanContext(): { traceId: string; spanId: string };
  updateName(name: string): unknown;
  setAttribute(name: string, value: string | number): unknown;
}

/** The span of a request. */
export interface RequestSpan extends Span {
  /**
   * Adds a stage of the request as a span below it; absent where a platform cannot.
   *
   * @param startMs on the clock of `performance.now()`
   */
  addStage?(name: string, startMs: number, durationMs: number): void;
}

interface Observable {
  addCallback(callback: (result: { observe(value: number, attributes: Attributes): void }) => void): void;
}

interface Options {
  unit?: string;
  description: string;
  advice?: { explicitBucketBoundaries: number[] };
}

/** Makes the instruments that are exported. */
export interface Meter {
  createCounter(name: string, options: Options): { add(value: number, attributes: Attributes): void };
  createHistogram(name: string, options: Options): { record(value: number, attributes: Attributes): void };
  createObservableGauge(name: string, options: Options): Observable;
}

interface Context {
  getValue(key: symbol): unknown;
}

interface Tracer {
  startSpan(name: string, options: { startTime: number }, parent: Context): { end(time: number): void };
}

interface Registered {
  trace: { getTracer(name: string, version: string): Tracer };
  metrics: { getMeter(name: string, version: string): Meter };
  context: { active(): Context };
}

/** The telemetry of a runtime that exports it. */
export interface OpenTelemetry {
  meter: Meter;
  /** The span of the request that is being answered, if it is sampled. */
  requestSpan(): RequestSpan | undefined;
}

// Both keys are those of @opentelemetry/api, which has kept them since its version 1.0.
const REGISTERED = Symbol.for("opentelemetry.js.api.1");
const SPAN = Symbol.for("OpenTelemetry Context Key SPAN");

/** OpenTelemetry, if this runtime exports telemetry. */
export function openTelemetry(version: string): OpenTelemetry | undefined {
  const registered = (globalThis as { [REGISTERED]?: Registered })[REGISTERED];
  if (!registered) return undefined;
  const { trace, metrics, context } = registered;
  const tracer = trace.getTracer("selvedge", version);
  return {
    meter: metrics.getMeter("selvedge", version),
    requestSpan(): RequestSpan | undefined {
      const parent = context.active();
      const span = parent.getValue(SPAN) as (Span & { isRecording(): boolean }) | undefined;
      if (!span?.isRecording()) return undefined;
      return {
        spanContext: () => span.spanContext(),
        updateName: (name) => span.updateName(name),
        setAttribute: (name, value) => span.setAttribute(name, value),
        addStage(name, startMs, durationMs): void {
          const startTime = toWallClock(startMs);
          tracer.startSpan(name, { startTime }, parent).end(startTime + durationMs);
        },
      };
    },
  };
}

/** Wall-clock time minus `performance.now()`, in ms; it changes when the system's clock is adjusted. */
let offset = performance.timeOrigin;

/** Converts a time of `performance.now()` to ms since 1970, which are finer than those of `Date.now()`. */
function toWallClock(ms: number): number {
  const error = Date.now() - (offset + performance.now());
  if (Math.abs(error) > 2) offset += error;
  return offset + ms;
}

/** The trace that a client's `traceparent` names (https://www.w3.org/TR/trace-context/#traceparent-header). */
export function traceIdOf(traceparent: string | null): string | undefined {
  return traceparent === null
    ? undefined
    : /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:$|-)/.exec(traceparent)
      ?.[1];
}
