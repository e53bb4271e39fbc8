/** The stage `eventlogmessage`: extracts the `Key: value` lines of a message of Windows' event log. A
 *  key that is extracted already gets `_extracted` added, unless it is to be overwritten. */
import { Schema } from "effect";
import { isLabelName } from "../../streams/labels.ts";
import { Toggle, withDefault } from "../config/scalars.ts";
import { Name } from "./source.ts";
import { keep } from "./stage.ts";
import { defineStage } from "./stageDefinition.ts";

const Config = Schema.Struct({
  source: withDefault(Name, "message"),
  overwrite_existing: withDefault(Toggle, false),
  drop_invalid_labels: withDefault(Toggle, false),
});

export const eventlogmessage = defineStage({
  name: "eventlogmessage",
  schema: Config,
  reads: ({ source }) => [source],
  compile: ({ source, overwrite_existing: overwrites, drop_invalid_labels: dropsInvalid }) => ({
    apply(entry) {
      const { extracted } = entry;
      for (const line of extracted.text(source)?.split("\r\n") ?? []) {
        const match = /^([^:]*): ?(.*)$/s.exec(line);
        if (match === null) continue;
        let key = match[1]!;
        if (!isLabelName(key)) {
          if (dropsInvalid) continue;
          key = sanitizeLabelName(key);
        }
        if (!overwrites && extracted.get(key) !== undefined) key += "_extracted";
        extracted.set(key, match[2]!);
      }
      return keep;
    },
  }),
});

function sanitizeLabelName(name: string): string {
  return name === "" ? "_" : name.replace(/^[0-9]|[^A-Za-z0-9_]/gu, "_");
}
