/** The keys of rule files as schemas. Owns names and shapes; parseRules.ts owns what goes together. Scalars come as text as
 *  they were written (platform/yaml/document.ts), a key without a value as undefined. */
import { Schema } from "effect";
import { DurationMs, Text, wholeNumber } from "../../platform/config/units.ts";

const Labels = Schema.optional(Schema.Record(Schema.String, Text));

export const RuleSource = Schema.Struct({
  record: Schema.optional(Text),
  alert: Schema.optional(Text),
  expr: Text,
  for: Schema.optional(DurationMs),
  keep_firing_for: Schema.optional(DurationMs),
  labels: Labels,
  annotations: Labels,
});

export const GroupSource = Schema.Struct({
  name: Text,
  interval: Schema.optional(DurationMs),
  limit: Schema.optional(wholeNumber(0)),
  query_offset: Schema.optional(DurationMs),
  labels: Labels,
  rules: Schema.optional(Schema.Array(RuleSource)),
});

/** `namespace` is what lokitool puts into files. */
export const FileSource = Schema.Struct({
  namespace: Schema.optional(Text),
  groups: Schema.optional(Schema.Array(GroupSource)),
});

export type RuleSource = typeof RuleSource.Type;
export type GroupSource = typeof GroupSource.Type;
