/** OTLP's values (AnyValue, KeyValue) as text, as Loki stores them: strings as they are, maps and arrays as JSON or flattened
 *  into pairs. Owns what kinds of values there are; otlpLogs.ts owns the messages around them. */
import { ProtobufInvalid, ProtobufReader, WireType } from "./protobufReader.ts";

export type Pair = readonly [name: string, value: string];

/** Values within values; deeper ones are refused. */
const depthMax = 32;

const decoder = new TextDecoder();

/** Adds a KeyValue's pairs, a map's names joined by "_". */
export function flattenAttribute(
  keyValue: Uint8Array,
  pairs: Pair[],
  prefix = "",
  depth = 0,
): void {
  const { key, value } = keyValueOf(keyValue);
  const name = prefix === "" ? key : `${prefix}_${key}`;
  const reader = new ProtobufReader(value);
  while (reader.next(value.length)) {
    if (!reader.isBytes(6)) continue;
    refuseDepth(depth);
    for (const entry of repeated(reader.content, 1)) {
      flattenAttribute(entry, pairs, name, depth + 1);
    }
    return;
  }
  pairs.push([name, valueText(value)]);
}

/** An AnyValue as a label or a line has it. */
export function valueText(value: Uint8Array): string {
  const reader = new ProtobufReader(value);
  let text = "";
  while (reader.next(value.length)) text = fieldText(reader, 0);
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

function refuseDepth(depth: number): void {
  if (depth > depthMax) {
    throw new ProtobufInvalid(`an attribute has values within values, more than ${depthMax} deep`);
  }
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
