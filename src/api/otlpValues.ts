/** OTLP's values (AnyValue, KeyValue) as text, as Loki stores them: strings as they are, maps and arrays as JSON or flattened
 *  into pairs. Owns what kinds of values there are; otlpLogs.ts owns the messages around them. */
import { ProtobufInvalid, ProtobufReader, WireType } from "./protobufReader.ts";

/** Records would be more bytes than a push may have. */
export class OtlpTooLarge extends Error {
  override readonly name = "OtlpTooLarge";

  constructor(bytesMax: number) {
    super(
      `the records have more than ${bytesMax} bytes with what their resources say, which is ` +
        "distributor.max_decompressed_size: send smaller batches",
    );
  }
}

export type Pair = readonly [name: string, value: string];

/** Values within values; deeper ones are refused. */
const depthMax = 32;

/** Bytes of an attribute's name with those of the maps that it is in, which each of their leaves repeats. */
export const nameBytesMax = 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Flattens the attributes of one request to at most `bytesMax` bytes together: a short map can say much. */
export class Flattener {
  readonly #bytesMax: number;
  #byteCount = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Adds a KeyValue's pairs, a map's names joined by "_". Throws ProtobufInvalid or OtlpTooLarge. */
  add(keyValue: Uint8Array, pairs: Pair[], prefix = "", depth = 0): void {
    const { key, value } = keyValueOf(keyValue);
    const name = prefix === "" ? key : `${prefix}_${key}`;
    refuseLongName(name);
    const reader = new ProtobufReader(value);
    while (reader.next(value.length)) {
      if (!reader.isBytes(6)) continue;
      refuseDepth(depth);
      for (const entry of repeated(reader.content, 1)) this.add(entry, pairs, name, depth + 1);
      return;
    }
    const text = valueText(value, depth);
    this.#byteCount += name.length + text.length;
    if (this.#byteCount > this.#bytesMax) throw new OtlpTooLarge(this.#bytesMax);
    pairs.push([name, text]);
  }
}

/** An AnyValue as a label or a line has it. */
export function valueText(value: Uint8Array, depth = 0): string {
  const reader = new ProtobufReader(value);
  let text = "";
  while (reader.next(value.length)) text = fieldText(reader, depth);
  return text;
}

/** The value that the reader is at. */
function fieldText(reader: ProtobufReader, depth: number): string {
  if (reader.isBytes(1)) return decoder.decode(reader.content);
  if (reader.isBytes(7)) return base64(reader.content);
  return fieldJson(reader, depth) ?? "";
}

/** The same as JSON; undefined for what is no value. */
function fieldJson(reader: ProtobufReader, depth: number): string | undefined {
  refuseDepth(depth);
  const { field, wireType } = reader;
  if (field === 2 && wireType === WireType.varint) return reader.low === 0 ? "false" : "true";
  if (field === 3 && wireType === WireType.varint) return reader.signed.toString();
  if (field === 4 && wireType === WireType.fixed64) return String(reader.double);
  if (reader.isBytes(1)) return JSON.stringify(decoder.decode(reader.content));
  if (reader.isBytes(7)) return JSON.stringify(base64(reader.content));
  if (reader.isBytes(5)) {
    return `[${[...repeated(reader.content, 1)].map((item) => json(item, depth + 1)).join(",")}]`;
  }
  if (!reader.isBytes(6)) return undefined;
  const members = [...repeated(reader.content, 1)].map((entry) => {
    const { key, value } = keyValueOf(entry);
    return [key, json(value, depth + 1)] as const;
  });
  members.sort(([left], [right]) => left < right ? -1 : left > right ? 1 : 0);
  return `{${members.map(([key, text]) => `${JSON.stringify(key)}:${text}`).join(",")}}`;
}

function json(value: Uint8Array, depth: number): string {
  const reader = new ProtobufReader(value);
  let text = "null";
  while (reader.next(value.length)) text = fieldJson(reader, depth) ?? text;
  return text;
}

/** A KeyValue's name. Throws ProtobufInvalid, also for one that is too long. */
export function keyOf(keyValue: Uint8Array): string {
  const { key } = keyValueOf(keyValue);
  refuseLongName(key);
  return key;
}

/** The value of a field that is a number, 0 if it is not there. */
export function naturalOf(message: Uint8Array, field: number): number {
  const reader = new ProtobufReader(message);
  let value = 0;
  while (reader.next(message.length)) {
    if (reader.field === field && reader.wireType === WireType.varint) value = reader.low;
  }
  return value;
}

function keyValueOf(bytes: Uint8Array): { readonly key: string; readonly value: Uint8Array } {
  const reader = new ProtobufReader(bytes);
  let [key, value] = ["", new Uint8Array()];
  while (reader.next(bytes.length)) {
    if (reader.isBytes(1)) key = decoder.decode(reader.content);
    if (reader.isBytes(2)) value = new Uint8Array(reader.content);
  }
  return { key, value };
}

/** The contents of a field that comes any number of times. */
export function* repeated(message: Uint8Array, field: number): Generator<Uint8Array> {
  const reader = new ProtobufReader(message);
  while (reader.next(message.length)) {
    if (reader.isBytes(field)) yield reader.content;
  }
}

function refuseLongName(name: string): void {
  if (name.length * 3 <= nameBytesMax || encoder.encode(name).length <= nameBytesMax) return;
  throw new ProtobufInvalid(
    `an attribute's name has more than ${nameBytesMax} bytes: ${name.slice(0, 60)}…`,
  );
}

/** Throws ProtobufInvalid for a value in more than 32 others. */
export function refuseDepth(depth: number): void {
  if (depth > depthMax) {
    throw new ProtobufInvalid(`an attribute has values within values, more than ${depthMax} deep`);
  }
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
