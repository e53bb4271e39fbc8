/** Counts of pipeline stages: lines they drop, and the metrics that a `metrics` stage defines. Owns
 *  the series and their text for /metrics; metrics.ts owns what a line adds. A series is a family and
 *  a label set. Invariant: a family has at most seriesMax series; lines of further label sets are
 *  counted under no labels, and a series that nothing touched for its family's idle time is gone. */
import { LabelSet } from "./labelSet.ts";

export type MetricKind = "counter" | "gauge" | "histogram";

const seriesMax = 10_000;

/** One metric: all its series. */
export class MetricFamily {
  readonly name: string;
  readonly kind: MetricKind;
  readonly help: string;
  /** Upper bounds of a histogram's buckets, ascending, without +Inf. */
  readonly buckets: ReadonlyArray<number>;
  /** 0 for ever. */
  readonly idleMsMax: number;
  readonly #series = new Map<string, Series>();

  constructor(
    name: string,
    kind: MetricKind,
    help: string,
    buckets: ReadonlyArray<number> = [],
    idleMsMax = 0,
  ) {
    this.name = name;
    this.kind = kind;
    this.help = help;
    this.buckets = [...buckets].sort((a, b) => a - b);
    this.idleMsMax = idleMsMax;
  }

  series(labels: LabelSet, nowMs: number): Series {
    let series = this.#series.get(labels.text);
    if (series === undefined) {
      const known = this.#series.size < seriesMax ? labels : LabelSet.empty;
      series = this.#series.get(known.text);
      if (series === undefined) {
        series = new Series(prometheusLabels(known), this.buckets);
        this.#series.set(known.text, series);
      }
    }
    series.touchedMs = nowMs;
    return series;
  }

  /** The family in Prometheus' text format; nothing if it has no series. */
  expose(nowMs: number): string {
    const idleMs = this.idleMsMax === 0 ? Infinity : this.idleMsMax;
    for (const [labels, series] of this.#series) {
      if (nowMs - series.touchedMs > idleMs) this.#series.delete(labels);
    }
    if (this.#series.size === 0) return "";
    const help = this.help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
    let text = `# HELP ${this.name} ${help}\n# TYPE ${this.name} ${this.kind}\n`;
    for (const series of this.#series.values()) {
      text += this.kind === "histogram"
        ? this.#exposeHistogram(series)
        : `${this.name}${braced(series.labels)} ${series.value}\n`;
    }
    return text;
  }

  #exposeHistogram(series: Series): string {
    const { labels } = series;
    let text = "";
    let count = 0;
    const line = (bound: string, value: number) => {
      const le = `le="${bound}"`;
      return `${this.name}_bucket{${labels === "" ? le : `${labels},${le}`}} ${value}\n`;
    };
    this.buckets.forEach((bound, index) => {
      count += series.bucketCounts[index]!;
      text += line(String(bound), count);
    });
    text += line("+Inf", series.count);
    return `${text}${this.name}_sum${braced(labels)} ${series.value}\n` +
      `${this.name}_count${braced(labels)} ${series.count}\n`;
  }
}

/** One label set's numbers. For a histogram `value` is the sum. */
export class Series {
  /** As Prometheus' text format has them between the braces. */
  readonly labels: string;
  value = 0;
  count = 0;
  touchedMs = 0;
  readonly bucketCounts: Float64Array;
  readonly #bounds: ReadonlyArray<number>;

  constructor(labels: string, bounds: ReadonlyArray<number>) {
    this.labels = labels;
    this.#bounds = bounds;
    this.bucketCounts = new Float64Array(bounds.length);
  }

  observe(value: number): void {
    this.value += value;
    this.count++;
    const bucket = this.#bounds.findIndex((bound) => value <= bound);
    if (bucket >= 0) this.bucketCounts[bucket]!++;
  }
}

/** All families of the collector's pipelines. */
export class StageMetrics {
  readonly #families = new Map<string, MetricFamily>();
  readonly #dropped = this.family(
    new MetricFamily(
      "logentry_dropped_lines_total",
      "counter",
      "Lines that pipeline stages dropped, by reason",
    ),
  );

  readonly #failed = this.family(
    new MetricFamily(
      "tailrace_collector_stage_errors_total",
      "counter",
      "Lines that a stage failed on and that went on without it, by stage",
    ),
  );

  /** The family of that name; jobs that define the same metric share it. Null if another kind, or
   *  other buckets, have the name. */
  define(family: MetricFamily): MetricFamily | null {
    const existing = this.#families.get(family.name);
    if (existing === undefined) return this.family(family);
    const isSame = existing.kind === family.kind &&
      existing.buckets.join() === family.buckets.join();
    return isSame ? existing : null;
  }

  /** What a stage adds one to for each line that it drops for `reason`. */
  droppedLines(reason: string): Series {
    return this.#dropped.series(LabelSet.of({ reason }), 0);
  }

  /** What a stage that fails on a line adds one to. */
  failed(stage: string): Series {
    return this.#failed.series(LabelSet.of({ stage }), 0);
  }

  /** Prometheus' text format. */
  expose(nowMs: number): string {
    return [...this.#families.values()].map((family) => family.expose(nowMs)).join("");
  }

  private family(family: MetricFamily): MetricFamily {
    this.#families.set(family.name, family);
    return family;
  }
}

function braced(labels: string): string {
  return labels === "" ? "" : `{${labels}}`;
}

/** The text format knows three escapes only. */
function prometheusLabels({ pairs }: LabelSet): string {
  const escaped = (value: string) =>
    value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
  return pairs.map(([name, value]) => `${name}="${escaped(value)}"`).join(",");
}
