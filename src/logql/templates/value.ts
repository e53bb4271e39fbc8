/** The values that templates compute with, as Go has them, their truth and the names of their types.
 *  format.ts prints them. */
import { GoTime } from "./goTime.ts";

/** bigint is an integer (int64), number a float64, null is nil. What fromJson answers is made of
 *  the same. */
export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | GoTime
  | GoList
  | GoMap;
export type GoList = ReadonlyArray<Value>;
export type GoMap = ReadonlyMap<string, Value>;

/** The labels of an entry as one value. Differs from a map of fromJson in what a missing key is. */
export class LabelMap extends Map<string, Value> {}

export function isList(value: Value): value is GoList {
  return Array.isArray(value);
}

/** Go's rule for if, with, and, or, not: zero, "", nil and empty collections are false. */
export function isTrue(value: Value): boolean {
  if (value === null || value === false || value === "" || value === 0 || value === 0n) {
    return false;
  }
  if (isList(value)) return value.length > 0;
  if (value instanceof Map) return value.size > 0;
  return true;
}

/** As printf's %T writes it. */
export function typeName(value: Value): string {
  switch (typeof value) {
    case "boolean":
      return "bool";
    case "bigint":
      return "int";
    case "number":
      return "float64";
    case "string":
      return "string";
    default:
      if (value === null) return "<nil>";
      if (value instanceof GoTime) return "time.Time";
      if (value instanceof LabelMap) return "map[string]string";
      return isList(value) ? "[]interface {}" : "map[string]interface {}";
  }
}

/** Wraps to 64 bits, as Go's arithmetic does. */
export function int64(value: bigint): bigint {
  return BigInt.asIntN(64, value);
}

/** The keys of a map as Go prints and ranges over it. */
export function sortedKeys(map: GoMap): ReadonlyArray<string> {
  return [...map.keys()].sort((a, b) => a < b ? -1 : a > b ? 1 : 0);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Length in UTF-8 bytes, what Go's len counts. */
export function byteLength(text: string): number {
  for (let at = 0; at < text.length; at++) {
    if (text.charCodeAt(at) > 127) return encoder.encode(text).length;
  }
  return text.length;
}

/** `text[from:to]` by UTF-8 bytes; a character cut in half reads as U+FFFD. */
export function sliceBytes(text: string, from: number, to: number): string {
  const bytes = encoder.encode(text);
  return bytes.length === text.length
    ? text.slice(from, to)
    : decoder.decode(bytes.subarray(from, to));
}
