/** The stage `timestamp`: takes an extracted value for the entry's time. One that cannot be read
 *  leaves the time as it is (skip), or makes it a nanosecond after the last one of the same labels
 *  (fudge), so that such lines keep their place. timestampFormat.ts reads the formats. */
import { Schema } from "effect";
import { loadZone, utc, type Zone } from "../../logql/templates/zone.ts";
import { Text, withDefault, word } from "../config/scalars.ts";
import type { StageEntry } from "./entry.ts";
import { Name } from "./source.ts";
import { keep, type StageContext } from "./stage.ts";
import { defineStage } from "./stageDefinition.ts";
import { timeReader } from "./timestampFormat.ts";

/** Label sets whose last time is remembered. */
const lastTimesMax = 10_000;

const Config = Schema.Struct({
  source: Name,
  format: Name,
  fallback_formats: withDefault(Schema.Array(Text), []),
  location: Schema.optional(Text),
  action_on_failure: withDefault(word("fudge", "skip"), "fudge"),
});

export const timestamp = defineStage({
  name: "timestamp",
  schema: Config,
  reads: ({ source }) => [source],
  compile: (config, context) => {
    const zone = zoneOf(config.location, context);
    const readers = [config.format, ...config.fallback_formats]
      .map((format) => timeReader(format, zone, context.nowMs));
    const lastTimes = config.action_on_failure === "fudge" ? new LastTimes() : null;
    return {
      apply(entry) {
        const text = entry.extracted.text(config.source);
        if (text !== undefined) {
          for (const read of readers) {
            if (!read(entry, text)) continue;
            lastTimes?.set(entry);
            return keep;
          }
        }
        lastTimes?.fudge(entry);
        return keep;
      },
    };
  },
});

function zoneOf(location: string | undefined, context: StageContext): Zone {
  const name = location === "Local"
    ? new Intl.DateTimeFormat().resolvedOptions().timeZone
    : location ?? "";
  const zone = loadZone(name);
  if (zone === null) {
    context.problem(["location"], `"${location}" is not a time zone such as Europe/Berlin`);
  }
  return zone ?? utc;
}

/** The last time of each label set; the set seen first is forgotten first. */
class LastTimes {
  readonly #times = new Map<string, { seconds: number; nanos: number }>();

  set({ labels, seconds, nanos }: StageEntry): void {
    const time = this.#times.get(labels.text);
    if (time !== undefined) {
      time.seconds = seconds;
      time.nanos = nanos;
      return;
    }
    if (this.#times.size >= lastTimesMax) this.#times.delete(this.#times.keys().next().value!);
    this.#times.set(labels.text, { seconds, nanos });
  }

  fudge(entry: StageEntry): void {
    const time = this.#times.get(entry.labels.text);
    if (time === undefined) return;
    time.nanos++;
    if (time.nanos === 1_000_000_000) {
      time.nanos = 0;
      time.seconds++;
    }
    entry.seconds = time.seconds;
    entry.nanos = time.nanos;
  }
}
