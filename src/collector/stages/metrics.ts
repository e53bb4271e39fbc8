/** The stage `metrics`: counts and measures what passes, as counters, gauges and histograms that
 *  /metrics shows. A series has the labels of the entries that it counts. stageMetrics.ts keeps the
 *  numbers. */
import { Result, Schema } from "effect";
import { parseGoDuration } from "../../logql/units.ts";
import { DurationMs, Float, Text, Toggle, withDefault, word } from "../config/scalars.ts";
import { decodeWith } from "../../platform/yaml/decode.ts";
import type { ExtractedValue, StageEntry } from "./entry.ts";
import { keep, type StageContext } from "./stage.ts";
import { defineStage } from "./stageDefinition.ts";
import { MetricFamily, type Series } from "./stageMetrics.ts";

const MetricConfig = Schema.Struct({
  type: word("counter", "gauge", "histogram"),
  description: withDefault(Text, ""),
  prefix: withDefault(Text, ""),
  source: Schema.optional(Text),
  max_idle_duration: withDefault(DurationMs, "5m").check(
    Schema.makeFilter((ms) => ms >= 1000 || "must be at least 1s"),
  ),
  config: withDefault(Schema.Record(Schema.String, Schema.Unknown), {}),
});

const CounterConfig = Schema.Struct({
  match_all: withDefault(Toggle, false),
  count_entry_bytes: withDefault(Toggle, false),
  value: Schema.optional(Text),
  action: word("inc", "add"),
}).check(
  Schema.makeFilter(({ match_all: all, count_entry_bytes: bytes, value, action }) => {
    if (all && value !== undefined) return "takes match_all or value, not both";
    if (bytes && !all) return "count_entry_bytes needs match_all: true";
    return !bytes || action === "add" || "count_entry_bytes needs action: add";
  }),
);

const GaugeConfig = Schema.Struct({
  value: Schema.optional(Text),
  action: word("set", "inc", "dec", "add", "sub"),
});

const HistogramConfig = Schema.Struct({
  value: Schema.optional(Text),
  buckets: withDefault(Schema.Array(Float), defaultBuckets()),
});

const Config = Schema.Record(Schema.String, MetricConfig).check(
  Schema.makeFilter((metrics) => {
    const bad = Object.entries(metrics).find(([name, { prefix }]) =>
      !/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test((prefix || defaultPrefix) + name)
    );
    return bad === undefined || `"${bad[0]}" does not make a metric's name`;
  }),
);

export const metrics = defineStage({
  name: "metrics",
  schema: Config,
  reads: (config) => Object.entries(config).map(([name, { source }]) => source ?? name),
  compile: (config, context) => {
    const recorders = Object.entries(config).map(([name, metric]) =>
      recorder(name, metric, context)
    );
    return {
      apply(entry) {
        for (const record of recorders) record(entry);
        return keep;
      },
    };
  },
});

const defaultPrefix = "promtail_custom_";

/** Prometheus' own. */
function defaultBuckets(): ReadonlyArray<number> {
  return [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
}

type Record = (entry: StageEntry) => void;
const nothing: Record = () => {};

function recorder(name: string, metric: typeof MetricConfig.Type, context: StageContext): Record {
  const source = metric.source ?? name;
  const decode = <S extends Schema.ConstraintDecoder<unknown>>(schema: S): S["Type"] | null => {
    const decoded = decodeWith(schema, metric.config, [name, "config"]);
    if (Result.isSuccess(decoded)) return decoded.success;
    for (const { path, message } of decoded.failure) context.problem(path, message);
    return null;
  };
  const define = (buckets: ReadonlyArray<number> = []): (entry: StageEntry) => Series => {
    const full = (metric.prefix || defaultPrefix) + name;
    const idleMs = metric.max_idle_duration;
    const family = context.metrics.define(
      new MetricFamily(full, metric.type, metric.description, buckets, idleMs),
    );
    if (family === null) {
      context.problem([name], `"${full}" is a metric of another type or other buckets already`);
    }
    return (entry) => family!.series(entry.labels, context.nowMs());
  };
  if (metric.type === "counter") {
    const config = decode(CounterConfig);
    return config === null ? nothing : counter(source, config, define());
  }
  if (metric.type === "gauge") {
    const config = decode(GaugeConfig);
    return config === null ? nothing : gauge(source, config, define());
  }
  const config = decode(HistogramConfig);
  return config === null ? nothing : histogram(source, config, define(config.buckets));
}

function counter(
  source: string,
  { match_all: countsAll, count_entry_bytes: countsBytes, value, action }:
    typeof CounterConfig.Type,
  series: (entry: StageEntry) => Series,
): Record {
  if (countsAll) return (entry) => series(entry).value += countsBytes ? entry.byteLength : 1;
  return (entry) => {
    const amount = amountOf(entry, source, value, action === "inc");
    // A counter never goes down.
    if (amount >= 0) series(entry).value += amount;
  };
}

function gauge(
  source: string,
  { value, action }: typeof GaugeConfig.Type,
  series: (entry: StageEntry) => Series,
): Record {
  const isStep = action === "inc" || action === "dec";
  return (entry) => {
    const amount = amountOf(entry, source, value, isStep);
    if (Number.isNaN(amount)) return;
    const found = series(entry);
    if (action === "set") found.value = amount;
    else found.value += action === "dec" || action === "sub" ? -amount : amount;
  };
}

function histogram(
  source: string,
  { value }: typeof HistogramConfig.Type,
  series: (entry: StageEntry) => Series,
): Record {
  return (entry) => {
    const amount = amountOf(entry, source, value, false);
    if (!Number.isNaN(amount)) series(entry).observe(amount);
  };
}

/** What an entry adds: 1 for a step, else its value as a number. NaN if it adds nothing: without a
 *  value, with another than the one wanted, or with one that is no number. */
function amountOf(
  entry: StageEntry,
  source: string,
  wanted: string | undefined,
  isStep: boolean,
): number {
  const extracted = entry.extracted.get(source);
  if (extracted === undefined) return NaN;
  if (wanted !== undefined && entry.extracted.text(source) !== wanted) return NaN;
  return isStep ? 1 : numberOf(extracted);
}

/** Numbers, truth values as 1 and 0, and texts that are numbers or durations, these in seconds. */
function numberOf(value: ExtractedValue): number {
  if (value === null) return NaN;
  if (typeof value !== "string") return Number(value);
  if (/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(value)) return Number(value);
  const ns = parseGoDuration(value.replace(/^[-+]/, ""));
  if (ns === null) return NaN;
  return Number(ns) / 1e9 * (value.startsWith("-") ? -1 : 1);
}
