/** The stage `drop`: drops lines for which all of its conditions hold: longer than so many bytes,
 *  older than so long, a source that is there, equals a text or matches, or a line that matches. */
import { Schema } from "effect";
import { ByteSize, DurationMs, Text, withDefault } from "../config/scalars.ts";
import type { StageEntry } from "./entry.ts";
import { Name } from "./source.ts";
import { drop as dropEntry, keep, type StageContext } from "./stage.ts";
import { defineStage } from "./stageDefinition.ts";
import { lineRegex, stageRegex } from "./stageRegex.ts";

const Config = Schema.Struct({
  source: Schema.optional(Schema.Union([Name, Schema.Array(Name)])),
  separator: withDefault(Text, ";"),
  expression: Schema.optional(Text),
  value: Schema.optional(Text),
  older_than: Schema.optional(DurationMs),
  longer_than: Schema.optional(ByteSize),
  drop_counter_reason: withDefault(Text, "drop_stage"),
}).check(
  Schema.makeFilter(({ source, expression, value, older_than, longer_than }) => {
    if ([source, expression, older_than, longer_than].every((given) => given === undefined)) {
      return "needs at least one of source, expression, older_than and longer_than";
    }
    if (value !== undefined && expression !== undefined) {
      return "takes value or expression, not both";
    }
    return value === undefined || source !== undefined ||
      "needs a source to compare the value with";
  }),
);

/** Whether a condition for dropping the entry holds. */
type Condition = (entry: StageEntry) => boolean;

export const drop = defineStage({
  name: "drop",
  schema: Config,
  reads: ({ source }) => source === undefined ? [] : typeof source === "string" ? [source] : source,
  compile: (config, context) => {
    const conditions = conditionsOf(config, context);
    const dropped = context.metrics.droppedLines(config.drop_counter_reason || "drop_stage");
    return {
      apply(entry) {
        for (const holds of conditions) if (!holds(entry)) return keep;
        dropped.value++;
        return dropEntry;
      },
    };
  },
});

/** Cheap ones first. */
function conditionsOf(
  config: typeof Config.Type,
  context: StageContext,
): ReadonlyArray<Condition> {
  const { source, separator, expression, value, longer_than: bytes, older_than: age } = config;
  const conditions: Condition[] = [];
  if (bytes !== undefined) conditions.push((entry) => entry.byteLength > bytes);
  if (age !== undefined) {
    conditions.push((entry) => entry.seconds * 1000 + entry.nanos / 1e6 < context.nowMs() - age);
  }
  const sources = source === undefined ? [] : typeof source === "string" ? [source] : source;
  if (source === undefined) {
    if (expression !== undefined) conditions.push(lineRegex(expression, "expression", context));
  } else if (expression !== undefined || value !== undefined) {
    const regex = expression === undefined ? null : stageRegex(expression, "expression", context);
    conditions.push((entry) => {
      const texts = sources.flatMap((name) => entry.extracted.text(name) ?? []);
      if (texts.length === 0) return false;
      const joined = texts.join(separator);
      return regex === null ? joined === value : regex.test(joined);
    });
  } else {
    conditions.push((entry) => sources.every((name) => entry.extracted.get(name) !== undefined));
  }
  return conditions;
}
