/** The stage `pack`: puts labels and extracted values into the line, as a JSON object with the line
 *  under `_entry`, which LogQL's `unpack` undoes. Packed labels are labels no more. */
import { Schema } from "effect";
import { Text, Toggle, withDefault } from "../config/scalars.ts";
import { keep } from "./stage.ts";
import { defineStage } from "./stageDefinition.ts";

const Config = Schema.Struct({
  labels: withDefault(Schema.Array(Text), []),
  ingest_timestamp: withDefault(Toggle, true),
});

export const pack = defineStage({
  name: "pack",
  schema: Config,
  reads: (config) => config.labels,
  compile: (config, { nowMs }) => {
    const names = [...new Set(config.labels)].sort();
    return {
      apply(entry) {
        let packed = "{";
        for (const name of names) {
          const value = entry.extracted.text(name) ?? entry.labels.get(name);
          if (value === undefined) continue;
          packed += `${JSON.stringify(name)}:${JSON.stringify(value)},`;
          entry.labels = entry.labels.without(name);
        }
        entry.text = `${packed}"_entry":${JSON.stringify(entry.text)}}`;
        if (config.ingest_timestamp) {
          const now = nowMs();
          entry.seconds = Math.floor(now / 1000);
          entry.nanos = Math.round((now - entry.seconds * 1000) * 1e6);
        }
        return keep;
      },
    };
  },
});
