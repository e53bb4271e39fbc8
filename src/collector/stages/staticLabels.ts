/** The stage `static_labels`: sets labels to fixed values. */
import { Schema } from "effect";
import { OptionalLabelMap } from "../config/scalars.ts";
import { keep } from "./stage.ts";
import { defineStage } from "./stageDefinition.ts";

export const staticLabels = defineStage({
  name: "static_labels",
  schema: OptionalLabelMap.check(
    Schema.makeFilter((labels) => Object.keys(labels).length > 0 || "needs at least one label"),
  ),
  compile: (config) => {
    // As in Promtail, a label without a value is left as it is.
    const pairs = Object.entries(config).flatMap(([name, value]) =>
      value === undefined || value === "" ? [] : [[name, value] as const]
    );
    return {
      apply(entry) {
        for (const [name, value] of pairs) entry.labels = entry.labels.with(name, value);
        return keep;
      },
    };
  },
});
