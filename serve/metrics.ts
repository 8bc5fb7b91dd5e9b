/**
 * Counters and histograms in Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats/).
 * The existing libraries require Node's `process`; this project needs only these lines.
 *
 * @module
 */

/** Label names and values. */
export type Labels = Readonly<Record<string, string | number>>;

interface Metric {
  lines(): Iterable<string>;
}

/** Metrics under their names. */
export class Registry {
  readonly #metrics = new Map<string, { type: string; help: string; metric: Metric }>();

  counter(name: string, help: string): Counter {
    return this.#add(name, "counter", help, new Counter(name));
  }

  /** @param bounds upper ends of the buckets, ascending; the one without an end is added */
  histogram(name: string, help: string, bounds: readonly number[]): Histogram {
    return this.#add(name, "histogram", help, new Histogram(name, bounds));
  }

  /** @param read is asked whenever the metrics are */
  gauge(name: string, help: string, read: () => [Labels, number][]): void {
    const lines = (): string[] => read().map(([labels, value]) => `${name}${braces(labels)} ${value}`);
    this.#add(name, "gauge", help, { lines });
  }

  #add<M extends Metric>(name: string, type: string, help: string, metric: M): M {
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

/** One line of a counter. */
export interface Count {
  value: number;
}

export class Counter implements Metric {
  readonly #series = new Map<string, Count>();

  constructor(readonly name: string) {}

  /** The line with these labels, to be kept where it is counted often: finding it costs more than counting. */
  of(labels: Labels): Count {
    const key = braces(labels);
    let count = this.#series.get(key);
    if (!count) this.#series.set(key, count = { value: 0 });
    return count;
  }

  add(labels: Labels, count = 1): void {
    this.of(labels).value += count;
  }

  *lines(): Iterable<string> {
    for (const [labels, { value }] of this.#series) yield `${this.name}${labels} ${value}`;
  }
}

/** The values of a histogram that share their labels. */
export class Distribution {
  readonly counts: number[];
  sum = 0;

  constructor(readonly labels: Labels, readonly bounds: readonly number[]) {
    this.counts = Array(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    let bucket = 0;
    while (bucket < this.bounds.length && value > this.bounds[bucket]!) bucket++;
    this.counts[bucket]!++;
    this.sum += value;
  }
}

export class Histogram implements Metric {
  readonly #series = new Map<string, Distribution>();

  constructor(readonly name: string, readonly bounds: readonly number[]) {}

  /** As {@linkcode Counter.of}. */
  of(labels: Labels): Distribution {
    const key = braces(labels);
    let series = this.#series.get(key);
    if (!series) this.#series.set(key, series = new Distribution(labels, this.bounds));
    return series;
  }

  observe(labels: Labels, value: number): void {
    this.of(labels).observe(value);
  }

  *lines(): Iterable<string> {
    for (const [key, { labels, counts, sum }] of this.#series) {
      let count = 0;
      for (const [i, own] of counts.entries()) {
        count += own;
        yield `${this.name}_bucket${braces({ ...labels, le: this.bounds[i] ?? "+Inf" })} ${count}`;
      }
      yield `${this.name}_sum${key} ${sum}`;
      yield `${this.name}_count${key} ${count}`;
    }
  }
}

function braces(labels: Labels): string {
  let text = "";
  for (const name in labels) {
    const value = labels[name]!;
    text += `${text === "" ? "{" : ","}${name}="${typeof value === "number" ? value : escape(value)}"`;
  }
  return text === "" ? "" : `${text}}`;
}

function escape(value: string): string {
  return /[\\"\n]/.test(value) ? value.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n") : value;
}
