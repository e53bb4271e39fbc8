/** Decoding and limiting push requests by the rules of assembly/push.ts and assembly/metadata.ts,
 *  written for plainness: with bigints, strings and maps. Tests hold the kernels to it. */
import { latin1, levelOfText, lineLevel } from "./level.ts";

export interface Entry {
  readonly seconds: bigint;
  readonly nanos: number;
  readonly line: Uint8Array;
  readonly pairs: ReadonlyArray<readonly [name: Uint8Array, value: Uint8Array]>;
}

export interface Stream {
  readonly labels: Uint8Array;
  readonly entries: ReadonlyArray<Entry>;
}

export interface Limits {
  readonly lineBytesMax: number;
  readonly truncateLines: boolean;
  readonly timeMin: bigint;
  readonly timeMax: bigint;
  readonly metaBytesMax: number;
  readonly metaPairsMax: number;
  readonly detectLevels: boolean;
  readonly allowMetadata: boolean;
}

export interface Row {
  readonly stream: number;
  readonly timestamp: bigint;
  readonly line: string;
  /** Names and values, one character a byte, in the order of a set; undefined without metadata. */
  readonly pairs: ReadonlyArray<readonly [string, string]> | undefined;
}

export interface Reject {
  readonly stream: number;
  readonly entry: number;
  readonly reason: string;
  readonly value: bigint;
}

/** The streams of a request, or undefined if it is malformed. */
export function decodePush(body: Uint8Array): Stream[] | undefined {
  try {
    return fields(body).filter((field) => field.number === 1).map((field) =>
      stream(bytesOf(field))
    );
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The rows that keep within the limits, and the rest. `levels` are the streams' own, "" for none.
 */
export function buildRows(
  streams: ReadonlyArray<Stream>,
  take: ReadonlyArray<boolean>,
  levels: ReadonlyArray<string>,
  limits: Limits,
): { rows: Row[]; rejects: Reject[] } {
  const rows: Row[] = [];
  const rejects: Reject[] = [];
  streams.forEach(({ entries }, stream) => {
    if (take[stream] !== true) return;
    entries.forEach((item, entry) => {
      const refused = check(item, limits);
      if (refused !== undefined) rejects.push({ stream, entry, ...refused });
      else rows.push({ stream, ...row(item, levels[stream] ?? "", limits) });
    });
  });
  return { rows, rejects };
}

interface Field {
  readonly number: number;
  readonly wire: number;
  readonly value: bigint;
  readonly bytes: Uint8Array;
}

/** All fields of a message. Throws a RangeError if it is malformed. */
function fields(message: Uint8Array): Field[] {
  const found: Field[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let index = 0n; index < 10n; index++) {
      const byte = message[at++];
      if (byte === undefined) throw new RangeError("varint");
      value |= BigInt(byte & 127) << (7n * index);
      if (byte < 128) return BigInt.asUintN(64, value);
    }
    throw new RangeError("varint");
  };
  const bytes = (length: bigint): Uint8Array => {
    if (length > BigInt(message.length - at)) throw new RangeError("length");
    at += Number(length);
    return message.subarray(at - Number(length), at);
  };
  while (at < message.length) {
    const tag = varint();
    const number = tag >> 3n;
    const wire = Number(tag & 7n);
    if (number === 0n || number >= 1n << 29n || ![0, 1, 2, 5].includes(wire)) {
      throw new RangeError("tag");
    }
    const value = wire === 0 ? varint() : 0n;
    const length = wire === 2 ? varint() : wire === 1 ? 8n : wire === 5 ? 4n : 0n;
    found.push({ number: Number(number), wire, value, bytes: bytes(length) });
  }
  return found;
}

function bytesOf(field: Field): Uint8Array {
  if (field.wire !== 2) throw new RangeError("wire type");
  return field.bytes;
}

function valueOf(field: Field): bigint {
  if (field.wire !== 0) throw new RangeError("wire type");
  return field.value;
}

function stream(message: Uint8Array): Stream {
  let labels: Uint8Array = new Uint8Array();
  const entries: Entry[] = [];
  for (const field of fields(message)) {
    if (field.number === 1) labels = bytesOf(field);
    if (field.number === 2) entries.push(entryOf(bytesOf(field)));
  }
  return { labels, entries };
}

function entryOf(message: Uint8Array): Entry {
  let seconds = 0n;
  let nanos = 0;
  let line: Uint8Array = new Uint8Array();
  const pairs: Array<readonly [Uint8Array, Uint8Array]> = [];
  for (const field of fields(message)) {
    if (field.number === 1) {
      for (const part of fields(bytesOf(field))) {
        if (part.number === 1) seconds = BigInt.asIntN(64, valueOf(part));
        if (part.number === 2) nanos = Number(BigInt.asIntN(32, valueOf(part)));
      }
    } else if (field.number === 2) {
      line = bytesOf(field);
    } else if (field.number === 3) {
      let name: Uint8Array = new Uint8Array();
      let value: Uint8Array = new Uint8Array();
      for (const part of fields(bytesOf(field))) {
        if (part.number === 1) name = bytesOf(part);
        if (part.number === 2) value = bytesOf(part);
      }
      pairs.push([name, value]);
    }
  }
  return { seconds, nanos, line, pairs };
}

function check(entry: Entry, limits: Limits): { reason: string; value: bigint } | undefined {
  const time = entry.seconds * 1_000_000_000n + BigInt(entry.nanos);
  const clamped = time < -(2n ** 63n) ? -(2n ** 63n) : time >= 2n ** 63n ? 2n ** 63n - 1n : time;
  const metaBytes = entry.pairs.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  const over = (value: number, limit: number) => limit !== 0 && value > limit;
  if (time < limits.timeMin) return { reason: "tooOld", value: clamped };
  if (time > limits.timeMax) return { reason: "tooNew", value: clamped };
  if (over(entry.line.length, limits.lineBytesMax) && !limits.truncateLines) {
    return { reason: "lineTooLong", value: BigInt(entry.line.length) };
  }
  if (entry.pairs.length > 0 && !limits.allowMetadata) {
    return { reason: "metadataDisallowed", value: BigInt(entry.pairs.length) };
  }
  if (
    over(metaBytes, limits.metaBytesMax) || entry.pairs.some(([name]) => name.length > 65531)
  ) return { reason: "metadataTooLarge", value: BigInt(metaBytes) };
  if (over(entry.pairs.length, limits.metaPairsMax)) {
    return { reason: "tooManyPairs", value: BigInt(entry.pairs.length) };
  }
  return undefined;
}

function row(entry: Entry, streamLevel: string, limits: Limits): Omit<Row, "stream"> {
  const timestamp = entry.seconds * 1_000_000_000n + BigInt(entry.nanos);
  const line = truncate(entry.line, limits.lineBytesMax);
  const set = new Map<string, string>();
  for (const [name, value] of entry.pairs) set.set(sanitizeName(name), sanitizeValue(value));
  if (limits.detectLevels && limits.allowMetadata) {
    set.set("detected_level", detectedLevel(set, streamLevel, line));
  }
  const pairs = [...set].sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
  return { timestamp, line: latin1(line), pairs: pairs.length === 0 ? undefined : pairs };
}

function truncate(line: Uint8Array, bytesMax: number): Uint8Array {
  if (bytesMax === 0 || line.length <= bytesMax) return line;
  // The longest cut of up to three bytes less that does not split a sequence; if there is none, the
  // text is not UTF-8.
  for (let length = bytesMax; length >= Math.max(0, bytesMax - 3); length--) {
    if ((line[length]! & 0xc0) !== 0x80) return line.subarray(0, length);
  }
  return line.subarray(0, bytesMax);
}

const levelKeys =
  ("level LEVEL Level log_level severity SEVERITY Severity SeverityText lvl LVL Lvl " +
    "severity_text Severity_Text SEVERITY_TEXT").split(" ");

function detectedLevel(set: Map<string, string>, streamLevel: string, line: Uint8Array): string {
  const normal = (text: string) => levelOfText(text) === "" ? text : levelOfText(text);
  const existing = set.get("detected_level");
  if (existing !== undefined) return normal(existing);
  if (streamLevel !== "") return streamLevel;
  const key = levelKeys.find((key) => (set.get(key) ?? "") !== "");
  if (key !== undefined) return normal(set.get(key)!);
  const severity = set.get("severity_number") ?? "";
  if (severity === "") return lineLevel(line);
  if (!/^[+-]?[0-9]+$/.test(severity)) return "info";
  const number = BigInt(severity.replace("+", ""));
  if (number < 1n || number > 24n) return "unknown";
  return ["trace", "debug", "info", "warn", "error", "fatal"][Number((number - 1n) / 4n)]!;
}

/** Code points of UTF-8, one character a byte; a byte that is not UTF-8 is a code point of its own.
 */
function codePoints(bytes: Uint8Array): string[] {
  const points: string[] = [];
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  for (let at = 0; at < bytes.length;) {
    let length = 1;
    for (let longer = 1; longer <= 4 && at + longer <= bytes.length; longer++) {
      try {
        if ([...decoder.decode(bytes.subarray(at, at + longer))].length === 1) {
          length = longer;
          break;
        }
      } catch {
        continue;
      }
    }
    points.push(latin1(bytes.subarray(at, at + length)));
    at += length;
  }
  return points;
}

function sanitizeName(name: Uint8Array): string {
  const clean = codePoints(name).map((point) => /^[A-Za-z0-9_]$/.test(point) ? point : "_").join(
    "",
  );
  return clean === "" ? "_" : /^[0-9]/.test(clean) ? `key_${clean}` : clean;
}

function sanitizeValue(value: Uint8Array): string {
  const replaced = (point: string) =>
    point === "\xef\xbf\xbd" || (point.length === 1 && point >= "\x80");
  return codePoints(value).map((point) => replaced(point) ? " " : point).join("");
}
