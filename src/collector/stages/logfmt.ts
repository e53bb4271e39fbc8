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
    const names = Object.entries(mapping).map(([name, key]) => ({
      name,
      key: encoder.encode(key || name),
    }));
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

/** What is extracted as `name`. */
interface MappedKey {
  readonly name: string;
  readonly key: Uint8Array;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const pairs = new LogfmtText();

function extract(
  entry: StageEntry,
  bytes: Uint8Array,
  start: number,
  end: number,
  names: ReadonlyArray<MappedKey>,
): void {
  pairs.begin(bytes, start, end);
  while (pairs.next(false)) {
    for (const { name, key } of names) {
      if (!isKey(bytes, key)) continue;
      const value = decoder.decode(bytes.subarray(pairs.valueStart, pairs.valueEnd));
      entry.extracted.set(name, pairs.escaped ? unescape(value) : value);
    }
  }
}

/** Whether the present pair's key is that one. */
function isKey(bytes: Uint8Array, key: Uint8Array): boolean {
  const { keyStart, keyEnd } = pairs;
  if (keyEnd - keyStart !== key.length) return false;
  for (let i = 0; i < key.length; i++) if (bytes[keyStart + i] !== key[i]) return false;
  return true;
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
