/** The stage `geoip`: known, so that a configuration with it is refused with a reason. */
import { Schema } from "effect";
import { keep } from "./stage.ts";
import { defineStage } from "./stageDefinition.ts";

export const geoip = defineStage({
  name: "geoip",
  schema: Schema.Unknown,
  compile: (_config, context) => {
    context.problem([], "geoip is not supported: look addresses up when querying, or leave it out");
    return { apply: () => keep };
  },
});
