/** The stage `logfmt`: extracts values of `key=value key="quoted value"` pairs. Malformed tokens are
 *  passed over, as LogQL's logfmt does; Promtail stops at the first. The last pair of a key counts. */
import { Schema } from "effect";
import { LogfmtText } from "../../logql/stages/logfmtText.ts";
import { Text } from "../config/scalars.ts";
import type { StageEntry } from "./entry.ts";
import { OptionalSource } from "./source.ts";
import { keep } from "./stage.ts";
import { defineStage } from "./stageDefinition.ts";

const Config = Schema.Struct({
  mapping: Schema.Record(Schema.String, Schema.UndefinedOr(Text)).check(
    Schema.makeFilter((mapping) => Object.keys(mapping).length > 0 || "needs one key at least"),
  ),
  source: OptionalSource,
});

export const logfmt = defineStage({
  name: "logfmt",
  schema: Config,
  reads: ({ source }) => source === undefined ? [] : [source],
  compile: ({ mapping, source }) => {
    const names = new Map(Object.entries(mapping).map(([name, key]) => [key || name, name]));
    return {
      apply(entry) {
        if (source === undefined) {
          entry.encode();
          extract(entry, entry.bytes, entry.start, entry.end, names);
        } else {
          const bytes = encoder.encode(entry.extracted.text(source) ?? "");
          extract(entry, bytes, 0, bytes.length, names);
        }
        return keep;
      },
    };
  },
});

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const pairs = new LogfmtText();

function extract(
  entry: StageEntry,
  bytes: Uint8Array,
  start: number,
  end: number,
  names: ReadonlyMap<string, string>,
): void {
  pairs.begin(bytes, start, end);
  while (pairs.next(false)) {
    const name = names.get(decoder.decode(bytes.subarray(pairs.keyStart, pairs.keyEnd)));
    if (name === undefined) continue;
    const value = decoder.decode(bytes.subarray(pairs.valueStart, pairs.valueEnd));
    entry.extracted.set(name, pairs.escaped ? unescape(value) : value);
  }
}

function unescape(value: string): string {
  return value.replace(
    /\\(?:u([0-9a-fA-F]{4})|(.))/gs,
    (_, code: string | undefined, letter: string) =>
      code !== undefined ? String.fromCharCode(parseInt(code, 16)) : escapes[letter] ?? letter,
  );
}

const escapes: Readonly<Record<string, string>> = {
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};
