/**
 * Counters, histograms and gauges, under the names of OpenTelemetry. They are read in two ways: as Prometheus' text
 * format (https://prometheus.io/docs/instrumenting/exposition_formats/), with names translated as OpenTelemetry
 * specifies (https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/), and by the meter of
 * a runtime that exports OTLP. The existing libraries require Node's `process`; this project needs only these lines.
 *
 * @module
 */
import type { Attributes, Meter } from "./open_telemetry.ts";

/** The description of a metric. */
export interface Description {
  help: string;
  /** A unit of UCUM, as in OpenTelemetry: `s`, `By`, or an annotation in braces such as `{image}` for counts. */
  unit?: string;
  /** Set if the runtime exports the same metric, so that this one is only read as text. */
  local?: true;
}

interface Metric {
  lines(): Iterable<string>;
}

/** Metrics under their names. */
export class Registry {
  readonly #metrics = new Map<string, { type: string; help: string; metric: Metric }>();
  readonly #meter: Meter | undefined;

  /** @param meter exports the metrics; without one they are only read as text */
  constructor(meter?: Meter) {
    this.#meter = meter;
  }

  counter(name: string, description: Description): Counter {
    // Not an observable counter: Deno does not read those once more when the process ends.
    const exported = this.#meterFor(description)?.createCounter(name, optionsOf(description));
    const record = exported && ((count: number, to: Attributes): void => exported.add(count, to));
    const counter = new Counter(prometheusName(name, description, "_total"), record);
    return this.#add("counter", description, counter.name, counter);
  }

  /** @param bounds upper ends of the buckets, ascending; the one without an end is added */
  histogram(name: string, bounds: readonly number[], description: Description): Histogram {
    const exported = this.#meterFor(description)?.createHistogram(name, {
      ...optionsOf(description),
      advice: { explicitBucketBoundaries: [...bounds] },
    });
    const record = exported && ((value: number, to: Attributes): void => exported.record(value, to));
    const histogram = new Histogram(prometheusName(name, description), bounds, record);
    return this.#add("histogram", description, histogram.name, histogram);
  }

  /** @param read is called whenever the metrics are read */
  gauge(name: string, description: Description, read: () => Iterable<[Attributes, number]>): void {
    const text = prometheusName(name, description);
    this.#meterFor(description)?.createObservableGauge(name, optionsOf(description)).addCallback((result) => {
      for (const [attributes, value] of read()) result.observe(value, attributes);
    });
    const lines = function* (): Iterable<string> {
      for (const [attributes, value] of read()) yield `${text}${braces(attributes)} ${value}`;
    };
    this.#add("gauge", description, text, { lines });
  }

  #meterFor({ local }: Description): Meter | undefined {
    return local ? undefined : this.#meter;
  }

  #add<M extends Metric>(type: string, { help }: Description, name: string, metric: M): M {
    this.#metrics.set(name, { type, help, metric });
    return metric;
  }

  /** All metrics, in the order of their creation. */
  toString(): string {
    let text = "";
    for (const [name, { type, help, metric }] of this.#metrics) {
      text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
      for (const line of metric.lines()) text += `${line}\n`;
    }
    return text;
  }
}

type RecordValue = (value: number, attributes: Attributes) => void;

/** One series of a counter. */
export class Count {
  value = 0;

  constructor(readonly attributes: Attributes, readonly record: RecordValue | undefined) {}

  add(count: number): void {
    this.value += count;
    this.record?.(count, this.attributes);
  }
}

export class Counter implements Metric {
  readonly #series = new Map<string, Count>();

  constructor(readonly name: string, readonly record?: RecordValue) {}

  /**
   * The series with these attributes. Callers that count often should keep it: the look-up costs more than counting.
   */
  of(attributes: Attributes): Count {
    const key = braces(attributes);
    let count = this.#series.get(key);
    if (!count) this.#series.set(key, count = new Count(attributes, this.record));
    return count;
  }

  add(attributes: Attributes, count = 1): void {
    this.of(attributes).add(count);
  }

  /** Deletes the series that have all of these attributes. */
  delete(attributes: Attributes): void {
    deleteMatching(this.#series, attributes);
  }

  *lines(): Iterable<string> {
    for (const [labels, { value }] of this.#series) yield `${this.name}${labels} ${value}`;
  }
}

/** The values of a histogram that share their attributes. */
export class Distribution {
  readonly counts: number[];
  sum = 0;

  constructor(
    readonly attributes: Attributes,
    readonly bounds: readonly number[],
    readonly record: RecordValue | undefined,
  ) {
    this.counts = Array(bounds.length + 1).fill(0);
  }

  /** @param times how often the value is observed */
  observe(value: number, times = 1): void {
    let bucket = 0;
    while (bucket < this.bounds.length && value > this.bounds[bucket]!) bucket++;
    this.counts[bucket]! += times;
    this.sum += value * times;
    if (this.record) { for (let i = 0; i < times; i++) this.record(value, this.attributes); }
  }
}

export class Histogram implements Metric {
  readonly #series = new Map<string, Distribution>();

  constructor(readonly name: string, readonly bounds: readonly number[], readonly record?: RecordValue) {}

  /** As {@linkcode Counter.of}. */
  of(attributes: Attributes): Distribution {
    const key = braces(attributes);
    let series = this.#series.get(key);
    if (!series) {
      this.#series.set(key, series = new Distribution(attributes, this.bounds, this.record));
    }
    return series;
  }

  observe(attributes: Attributes, value: number): void {
    this.of(attributes).observe(value);
  }

  /** Deletes the series that have all of these attributes. */
  delete(attributes: Attributes): void {
    deleteMatching(this.#series, attributes);
  }

  *lines(): Iterable<string> {
    for (const [key, { attributes, counts, sum }] of this.#series) {
      let count = 0;
      for (const [i, own] of counts.entries()) {
        count += own;
        yield `${this.name}_bucket${braces({ ...attributes, le: boundText(this.bounds[i]) })} ${count}`;
      }
      yield `${this.name}_sum${key} ${sum}`;
      yield `${this.name}_count${key} ${count}`;
    }
  }
}

function deleteMatching(series: Map<string, { attributes: Attributes }>, wanted: Attributes): void {
  for (const [key, { attributes }] of series) {
    if (Object.entries(wanted).every(([name, value]) => attributes[name] === value)) series.delete(key);
  }
}

/** As Prometheus 3 normalizes it, so that queries find the same label in every version: `1.0`, not `1`. */
function boundText(bound: number | undefined): string {
  if (bound === undefined) return "+Inf";
  return Number.isInteger(bound) ? `${bound}.0` : String(bound);
}

const UNITS: Readonly<Partial<{ [unit: string]: string }>> = { s: "_seconds", By: "_bytes" };

function prometheusName(name: string, { unit = "" }: Description, suffix = ""): string {
  return `${name.replaceAll(".", "_")}${UNITS[unit] ?? ""}${suffix}`;
}

function optionsOf({ help, unit }: Description): { description: string; unit?: string } {
  return { description: help, ...(unit !== undefined && { unit }) };
}

function braces(attributes: Attributes): string {
  let text = "";
  for (const name in attributes) {
    const value = attributes[name]!;
    text += `${text === "" ? "{" : ","}${name.replaceAll(".", "_")}="${
      typeof value === "number" ? value : escape(value)
    }"`;
  }
  return text === "" ? "" : `${text}}`;
}

function escape(value: string): string {
  return /[\\"\n]/.test(value) ? value.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n") : value;
}
