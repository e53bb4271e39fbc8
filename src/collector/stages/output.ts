/** The stage `output`: makes an extracted value the line. */
import { Schema } from "effect";
import { Name } from "./source.ts";
import { keep } from "./stage.ts";
import { defineStage } from "./stageDefinition.ts";

export const output = defineStage({
  name: "output",
  schema: Schema.Struct({ source: Name }),
  reads: ({ source }) => [source],
  compile: ({ source }) => ({
    apply(entry) {
      const text = entry.extracted.text(source);
      if (text !== undefined) entry.text = text;
      return keep;
    },
  }),
});
