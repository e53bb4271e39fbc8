/** The stage `docker`: takes apart what Docker's json-file driver writes,
 *  `{"log":"text\n","stream":"stdout","time":"2019-04-30T02:12:41.8443515Z"}`. Lines as Docker
 *  writes them are read from their bytes; any other JSON object goes through JSON.parse, and what is
 *  no object goes on as it is.
 *  Invariant: both ways give the same entry. The line break at the end of the log's text belongs to
 *  Docker's framing and is left out; Promtail keeps it. */
import { Schema } from "effect";
import type { StageEntry } from "./entry.ts";
import type { LabelSet } from "./labelSet.ts";
import { setRfc3339, setRfc3339Text } from "./rfc3339.ts";
import { keep, type Stage, type StageContext, type Verdict } from "./stage.ts";
import { defineStage } from "./stageDefinition.ts";

export const docker = defineStage({
  name: "docker",
  schema: Schema.Struct({}),
  compile: (_config, context) => new DockerStage(context),
});

class DockerStage implements Stage {
  readonly #isExtracting: boolean;
  /** Holds the unescaped text; grows to the longest line. */
  #scratch = new Uint8Array(4096);
  /** The label set of the latest line, and what it becomes. */
  #from: LabelSet | null = null;
  #withStdout: LabelSet | null = null;
  #withStderr: LabelSet | null = null;

  constructor(context: StageContext) {
    this.#isExtracting = ["output", "stream", "timestamp"].some(context.isWanted);
  }

  apply(entry: StageEntry): Verdict {
    if (this.#isExtracting || !this.#applyBytes(entry)) this.#applyJson(entry);
    return keep;
  }

  /** False, changing nothing, for a line that Docker would not have written. */
  #applyBytes(entry: StageEntry): boolean {
    entry.encode();
    const { bytes, start, end } = entry;
    if (!startsWith(bytes, start, end, logKey)) return false;
    const textStart = start + logKey.length;
    const textEnd = this.#unescape(bytes, textStart, end);
    if (textEnd < 0) return false;
    const at = textEnd + 1;
    const isStdout = startsWith(bytes, at, end, stdoutMember);
    if (!isStdout && !startsWith(bytes, at, end, stderrMember)) return false;
    // Both members have the same length.
    const timeStart = at + stdoutMember.length;
    const timeEnd = end - 2;
    if (bytes[timeEnd] !== quote || bytes[timeEnd + 1] !== 0x7d) return false;
    if (!setRfc3339(entry, bytes, timeStart, timeEnd)) return false;
    if (this.#from !== entry.labels) {
      this.#from = entry.labels;
      this.#withStdout = entry.labels.with("stream", "stdout");
      this.#withStderr = entry.labels.with("stream", "stderr");
    }
    entry.labels = isStdout ? this.#withStdout! : this.#withStderr!;
    entry.replaceBytes(this.#scratch, 0, this.#length);
    return true;
  }

  #length = 0;

  /** Unescapes the JSON string at `start` into the scratch bytes; returns where its closing quote
   *  is, -1 if there is none or JSON.parse had better see to it. */
  #unescape(bytes: Uint8Array, start: number, end: number): number {
    if (this.#scratch.length < end - start) this.#scratch = new Uint8Array(2 * (end - start));
    const scratch = this.#scratch;
    let length = 0;
    for (let at = start; at < end; at++) {
      const byte = bytes[at]!;
      if (byte === quote) {
        this.#length = length > 0 && scratch[length - 1] === 0x0a ? length - 1 : length;
        return at;
      }
      if (byte < 0x20) return -1;
      if (byte !== backslash) {
        scratch[length++] = byte;
        continue;
      }
      at++;
      const escaped = bytes[at]!;
      if (escaped === 0x75) {
        const code = hex(bytes, at + 1, end);
        // Docker escapes only <, >, & and control characters this way; pairs go the long way.
        if (code < 0 || code >= 0x80) return -1;
        scratch[length++] = code;
        at += 4;
        continue;
      }
      const plain = unescaped[escaped] ?? 0;
      if (plain === 0) return -1;
      scratch[length++] = plain;
    }
    return -1;
  }

  #applyJson(entry: StageEntry): void {
    const value = parseObject(entry.text);
    if (value === null) return;
    const { log, stream, time } = value;
    if (this.#isExtracting) {
      for (const [name, member] of [["output", log], ["stream", stream], ["timestamp", time]]) {
        if (typeof member === "string") entry.extracted.set(name as string, member);
      }
    }
    if (typeof stream === "string") entry.labels = entry.labels.with("stream", stream);
    if (typeof time === "string") setRfc3339Text(entry, time);
    if (typeof log === "string") entry.text = log.endsWith("\n") ? log.slice(0, -1) : log;
  }
}

/** The JSON object that the text is, null if it is none. */
export function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? value as Record<string, unknown> : null;
  } catch {
    return null;
  }
}

const quote = 0x22;
const backslash = 0x5c;
const encoder = new TextEncoder();
const logKey = encoder.encode('{"log":"');
const stdoutMember = encoder.encode(',"stream":"stdout","time":"');
const stderrMember = encoder.encode(',"stream":"stderr","time":"');

/** What the letter of a two-letter escape stands for; 0 for what is none. */
const unescaped = new Uint8Array(256);
for (const [letter, byte] of ['""', "\\\\", "//", "b\b", "f\f", "n\n", "r\r", "t\t"]) {
  unescaped[letter!.charCodeAt(0)] = byte!.charCodeAt(0);
}

function startsWith(bytes: Uint8Array, at: number, end: number, text: Uint8Array): boolean {
  if (at + text.length > end) return false;
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text[i]) return false;
  return true;
}

/** Four hexadecimal digits; -1 if they are not that. */
function hex(bytes: Uint8Array, start: number, end: number): number {
  if (start + 4 > end) return -1;
  const code = parseInt(String.fromCharCode(...bytes.subarray(start, start + 4)), 16);
  return Number.isNaN(code) ? -1 : code;
}
