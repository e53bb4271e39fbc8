/** Writes entries for people (time, labels, line), for programs (one JSON object a line) or bare. Owns the looks, shared by
 *  query and tail. */
import { DateTime, Effect, Option } from "effect";
import { Flag } from "effect/cli";
import { outputHasColour } from "../platform/terminal.ts";
import type { Entry } from "./entries.ts";
import { misused } from "./failure.ts";

/** The flags of commands that print entries. */
export const printerFlags = {
  output: Flag.Literals("output", ["default", "jsonl", "raw"]).pipe(
    Flag.withAlias("o"),
    Flag.withDescription(
      "Time, labels and line (default), one JSON object a line, or only the line",
    ),
    Flag.withDefault("default"),
  ),
  timezone: Flag.String("timezone").pipe(
    Flag.withMetavar("ZONE"),
    Flag.withDescription(
      "Zone of printed times: UTC, Local (default) or a name such as Europe/Berlin",
    ),
    Flag.withDefault("Local"),
  ),
  labels: Flag.Literals("labels", ["stream", "all", "none"]).pipe(
    Flag.withDescription(
      "Labels before a line: of the stream (default), metadata and parsed ones too, or none",
    ),
    Flag.withDefault("stream"),
  ),
};

export interface PrinterOptions {
  readonly output: "default" | "jsonl" | "raw";
  readonly timezone: string;
  readonly labels: "stream" | "all" | "none";
}

/** A function from an entry to its text, with the newline. */
export const entryPrinter = Effect.fnUntraced(function* (
  options: PrinterOptions,
  hasColour = outputHasColour,
) {
  if (options.output === "raw") return (entry: Entry) => `${entry.line}\n`;
  if (options.output === "jsonl") return jsonLine;
  const zone = options.timezone.toLowerCase() === "local"
    ? Option.some(DateTime.zoneMakeLocal())
    : DateTime.zoneMakeNamed(options.timezone);
  if (Option.isNone(zone)) {
    return yield* misused(
      `--timezone "${options.timezone}" is not UTC, Local or the name of a zone`,
    );
  }
  const colour = (code: string, text: string) => hasColour ? `\x1b[${code}m${text}\x1b[0m` : text;
  return (entry: Entry): string => {
    const time = colour("2", formatTime(entry.timestamp, zone.value));
    const line = colour(levelColour(entry), entry.line);
    if (options.labels === "none") return `${time} ${line}\n`;
    const labels = options.labels === "all"
      ? { ...entry.labels, ...entry.structuredMetadata, ...entry.parsed }
      : entry.labels;
    const text = formatLabels(labels);
    return `${time} ${colour(labelColour(text), text)} ${line}\n`;
  };
});

/** `{a="b", c="d"}`, by name. */
export function formatLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).sort(([left], [right]) => left < right ? -1 : 1)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return `{${pairs.join(", ")}}`;
}

/** RFC 3339 with all nine digits of the second, in UTC. */
export function formatNanoseconds(timestamp: string): string {
  const digits = timestamp.padStart(10, "0");
  const seconds = Number(digits.slice(0, -9));
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${digits.slice(-9)}Z`;
}

function jsonLine(entry: Entry): string {
  const { labels, structuredMetadata, parsed, line } = entry;
  const timestamp = formatNanoseconds(entry.timestamp);
  return `${JSON.stringify({ timestamp, labels, structuredMetadata, parsed, line })}\n`;
}

/** Milliseconds are enough for people; the offset says which zone it is. */
function formatTime(timestamp: string, zone: DateTime.TimeZone): string {
  const milliseconds = Number(timestamp.slice(0, -6) || "0");
  const text = DateTime.formatIsoOffset(DateTime.makeZonedUnsafe(milliseconds, { timeZone: zone }));
  return text.replace("+00:00", "Z");
}

function levelColour(entry: Entry): string {
  const level = entry.structuredMetadata["detected_level"] ?? entry.labels["level"] ?? "";
  if (/^(error|critical|fatal)$/.test(level)) return "31";
  return /^warn/.test(level) ? "33" : "0";
}

/** One colour per stream, so that the eye can follow it. */
function labelColour(text: string): string {
  let hash = 0;
  for (let index = 0; index < text.length; index++) hash = (hash * 31 + text.charCodeAt(index)) | 0;
  return String(34 + Math.abs(hash) % 3);
}
