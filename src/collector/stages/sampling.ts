/** The stage `sampling`: keeps a share of the lines, chosen by chance. */
import { Schema } from "effect";
import { Float, Text, withDefault } from "../config/scalars.ts";
import { drop, keep } from "./stage.ts";
import { defineStage } from "./stageDefinition.ts";

const Config = Schema.Struct({
  rate: Float.check(
    Schema.makeFilter((rate) => rate >= 0 && rate <= 1 || `${rate} is not between 0 and 1`),
  ),
  drop_counter_reason: withDefault(Text, "sampling_stage"),
});

export const sampling = defineStage({
  name: "sampling",
  schema: Config,
  compile: ({ rate, drop_counter_reason: reason }, { metrics, random }) => {
    const dropped = metrics.droppedLines(reason || "sampling_stage");
    return {
      apply() {
        if (random() < rate) return keep;
        dropped.value++;
        return drop;
      },
    };
  },
});
