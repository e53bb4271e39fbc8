/** The stage `tenant`: chooses the tenant that an entry is sent for. A source or label that is not
 *  there leaves the tenant as it was. */
import { Schema } from "effect";
import { Text } from "../config/scalars.ts";
import { tenantLabel } from "./labelSet.ts";
import { keep } from "./stage.ts";
import { defineStage } from "./stageDefinition.ts";

const Config = Schema.Struct({
  label: Schema.optional(Text),
  source: Schema.optional(Text),
  value: Schema.optional(Text),
}).check(
  Schema.makeFilter(({ label, source, value }) =>
    [label, source, value].filter(Boolean).length === 1 ||
    "needs exactly one of label, source and value"
  ),
);

export const tenant = defineStage({
  name: "tenant",
  schema: Config,
  reads: ({ source }) => source ? [source] : [],
  compile: ({ label, source, value }) => ({
    apply(entry) {
      const chosen = value || (label ? entry.labels.get(label) : entry.extracted.text(source!));
      if (chosen) entry.labels = entry.labels.with(tenantLabel, chosen);
      return keep;
    },
  }),
});
