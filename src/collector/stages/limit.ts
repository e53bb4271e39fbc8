/** The stage `limit`: lets so many lines through in a second, with a burst. What is too much is
 *  dropped, or with `drop: false` slows the sources down: lines go on, and the pipeline asks to be
 *  fed nothing until they would have been due. */
import { Schema } from "effect";
import { Float, Text, Toggle, wholeNumber, withDefault } from "../config/scalars.ts";
import { TokenBucket } from "../TokenBucket.ts";
import { LabelSet } from "./labelSet.ts";
import { drop, keep, type Stage, type StageContext } from "./stage.ts";
import { defineStage } from "./stageDefinition.ts";
import { MetricFamily } from "./stageMetrics.ts";

const Config = Schema.Struct({
  rate: Float.check(Schema.makeFilter((rate) => rate > 0 || "must be greater than 0")),
  burst: wholeNumber(1),
  drop: withDefault(Toggle, false),
  by_label_name: withDefault(Text, ""),
  max_distinct_labels: withDefault(wholeNumber(1), 10000),
}).check(
  Schema.makeFilter((config) =>
    config.by_label_name === "" || config.drop || "by_label_name needs drop: true"
  ),
);

export const limit = defineStage({
  name: "limit",
  schema: Config,
  compile: (config, context) => {
    if (config.by_label_name !== "") return limitByLabel(config, context);
    const bucket = new TokenBucket(config.rate, config.burst, context.nowMs());
    const dropped = context.metrics.droppedLines("ratelimit_drop_stage");
    return {
      apply() {
        const now = context.nowMs();
        if (!config.drop) {
          const dueMs = bucket.take(now);
          if (dueMs > now) context.pauseUntil(dueMs);
          return keep;
        }
        if (bucket.tryTake(now)) return keep;
        dropped.value++;
        return drop;
      },
    };
  },
});

/** Each value of a label has a bucket of its own; lines without the label are not limited. */
function limitByLabel(config: typeof Config.Type, context: StageContext): Stage {
  const { by_label_name: label, max_distinct_labels: bucketsMax } = config;
  const buckets = new Map<string, TokenBucket>();
  const dropped = context.metrics.droppedLines("ratelimit_drop_stage");
  const droppedByLabel = context.metrics.define(
    new MetricFamily(
      "logentry_dropped_lines_by_label_total",
      "counter",
      "Lines that limit stages dropped, by label",
    ),
  )!;
  return {
    apply(entry) {
      const value = entry.labels.get(label);
      if (value === undefined) return keep;
      const now = context.nowMs();
      let bucket = buckets.get(value);
      if (bucket === undefined) bucket = new TokenBucket(config.rate, config.burst, now);
      // The one used longest ago is forgotten first.
      else buckets.delete(value);
      if (buckets.size >= bucketsMax) buckets.delete(buckets.keys().next().value!);
      buckets.set(value, bucket);
      if (bucket.tryTake(now)) return keep;
      dropped.value++;
      const labels = LabelSet.of({ label_name: label, label_value: value });
      droppedByLabel.series(labels, now).value++;
      return drop;
    },
  };
}
