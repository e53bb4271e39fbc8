/** The stage `labeldrop`: removes labels. */
import { Schema } from "effect";
import { Text } from "../config/scalars.ts";
import { keep } from "./stage.ts";
import { defineStage } from "./stageDefinition.ts";

export const LabelNames = Schema.Array(Text).check(
  Schema.makeFilter((names) => names.length > 0 || "needs at least one label name"),
);

export const labeldrop = defineStage({
  name: "labeldrop",
  schema: LabelNames,
  compile: (names) => ({
    apply(entry) {
      for (const name of names) entry.labels = entry.labels.without(name);
      return keep;
    },
  }),
});
