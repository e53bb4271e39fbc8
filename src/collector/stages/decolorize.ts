/** The stage `decolorize`: removes the ANSI sequences with which programs colour their output. */
import { Schema } from "effect";
import { keep } from "./stage.ts";
import { defineStage } from "./stageDefinition.ts";

const escape = 0x1b;
/** Control sequences: after ESC [ (or its one-character form) parameters, then a letter. */
// deno-lint-ignore no-control-regex -- the control characters are what it looks for
const sequence = /(?:\x1b\[|\x9b)[0-9;:<=>?]*[ -/]*[@-~]/g;

export const decolorize = defineStage({
  name: "decolorize",
  schema: Schema.Struct({}),
  compile: () => ({
    apply(entry) {
      entry.encode();
      const { bytes, start, end } = entry;
      for (let at = start; at < end; at++) {
        // U+009B is two bytes in UTF-8, of which this is the first.
        if (bytes[at] !== escape && bytes[at] !== 0xc2) continue;
        const text = entry.text.replace(sequence, "");
        if (text !== entry.text) entry.text = text;
        break;
      }
      return keep;
    },
  }),
});
