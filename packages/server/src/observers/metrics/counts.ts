/** What is counted as it happens, in plain numbers: the library that writes them for Prometheus is loaded by the first scrape. */

export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  value: number;
}

/** A counter with a series for each set of label values. */
export class Counts {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  readonly #series = new Map<string, Series>();
  /** Some of those of two labels, by the one and then the other. */
  readonly #pairs = new Map<string, Map<string, Series>>();

  constructor(name: string, help: string, ...labelNames: readonly string[]) {
    this.name = name;
    this.help = help;
    this.labelNames = labelNames;
  }

  /** `values` are those of the labels, in their order. A count of 0 only begins the series. */
  add(values: readonly string[] = [], count = 1): void {
    this.seriesOf(values).value += count;
  }

  /** Of a counter with two labels: without a list of them and a key, which would be garbage of each client that comes and goes. */
  addPair(first: string, second: string): void {
    let seconds = this.#pairs.get(first);
    if (!seconds) {
      seconds = new Map();
      this.#pairs.set(first, seconds);
    }
    let series = seconds.get(second);
    if (!series) {
      series = this.seriesOf([first, second]);
      seconds.set(second, series);
    }
    series.value++;
  }

  /** Begun where there is none. For those who count so often that finding it costs more than counting. */
  seriesOf(values: readonly string[]): Series {
    const [first = "", second] = values;
    // Joining two texts by hand takes a third of what `join` does: most counters have one label or two.
    const key = values.length > 2 ? values.join("\0") : second === undefined ? first : `${first}\0${second}`;
    return this.#series.get(key) ?? this.#begin(key, values);
  }

  #begin(key: string, values: readonly string[]): Series {
    const labels = Object.fromEntries(this.labelNames.map((name, index) => [name, values[index] ?? ""]));
    const series = { labels, value: 0 };
    this.#series.set(key, series);
    return series;
  }

  get series(): Iterable<Series> {
    return this.#series.values();
  }
}

/** A histogram without labels. */
export class Durations {
  readonly name: string;
  readonly help: string;
  /** Upper bounds, in seconds, ascending. */
  readonly bounds: readonly number[];
  /** How many were at most as long as the bound of the same index, and longer than the one before. */
  readonly counts: number[];
  count = 0;
  sum = 0;

  constructor(name: string, help: string, bounds: readonly number[]) {
    this.name = name;
    this.help = help;
    this.bounds = bounds;
    this.counts = bounds.map(() => 0);
  }

  add(seconds: number): void {
    this.count++;
    this.sum += seconds;
    const index = this.bounds.findIndex((bound) => seconds <= bound);
    if (index >= 0) this.counts[index] = (this.counts[index] ?? 0) + 1;
  }
}

/** What was timed since the last look at it, by class, and last what took longer than any bound. */
export class DurationsSince {
  readonly #durations: Pick<Durations, "counts" | "count">;
  #before: readonly number[] = [];

  constructor(durations: Pick<Durations, "counts" | "count">) {
    this.#durations = durations;
  }

  take(): readonly number[] {
    const { counts, count } = this.#durations;
    const before = this.#before;
    this.#before = [...counts, count - counts.reduce((sum, one) => sum + one, 0)];
    return this.#before.map((one, index) => one - (before[index] ?? 0));
  }
}
