/** Turns OTLP's JSON requests into its protobuf, so that otlpLogs.ts is the only reader. Names are lowerCamelCase, numbers of
 *  64 bits may be strings, ids are hexadecimal, bytes base64, as the specification says. The path of scripts and browsers,
 *  not of collectors. */
import { refuseDepth } from "./otlpValues.ts";
import { ProtobufWriter } from "../streams/protobufWriter.ts";

/** The JSON is no log request; answered with 400. */
export class OtlpJsonInvalid extends Error {
  override readonly name = "OtlpJsonInvalid";
}

type Fields = Readonly<Record<string, unknown>>;

/** The least and the largest value of a kind of whole number. */
type Range = readonly [min: bigint, max: bigint];
const int31: Range = [0n, 2n ** 31n - 1n];
const uint32: Range = [0n, 2n ** 32n - 1n];
const int64: Range = [-(2n ** 63n), 2n ** 63n - 1n];
const uint64: Range = [0n, 2n ** 64n - 1n];

/** Throws OtlpJsonInvalid, or ProtobufInvalid for values too deep within values. */
export function otlpJsonToProtobuf(body: Uint8Array): Uint8Array {
  let root: unknown;
  try {
    root = JSON.parse(new TextDecoder().decode(body));
  } catch (error) {
    throw new OtlpJsonInvalid(`the body is not JSON: ${(error as Error).message}`);
  }
  const writer = new ProtobufWriter(body.length + 1024);
  each(objectOf(root, "the body"), "resourceLogs", "", (resourceLogs, at) => {
    const message = writer.begin(1);
    attributesOf(writer, 1, resourceLogs["resource"], 1, `${at}.resource`);
    each(resourceLogs, "scopeLogs", at, (scopeLogs, at) => {
      const scopeMessage = writer.begin(2);
      writeScope(writer, scopeLogs["scope"], `${at}.scope`);
      each(scopeLogs, "logRecords", at, (record, at) => writeRecord(writer, record, at));
      writer.end(scopeMessage);
    });
    writer.end(message);
  });
  return writer.bytes();
}

/** A message that has attributes and nothing else that counts. */
function attributesOf(
  writer: ProtobufWriter,
  field: number,
  value: unknown,
  attributesField: number,
  at: string,
): void {
  if (value === undefined || value === null) return;
  const message = writer.begin(field);
  each(
    objectOf(value, at),
    "attributes",
    at,
    (attribute, at) => writeKeyValue(writer, attributesField, attribute, at),
  );
  writer.end(message);
}

function writeScope(writer: ProtobufWriter, value: unknown, at: string): void {
  if (value === undefined || value === null) return;
  const scope = objectOf(value, at);
  const message = writer.begin(1);
  writer.text(1, textOf(scope["name"], `${at}.name`));
  writer.text(2, textOf(scope["version"], `${at}.version`));
  each(scope, "attributes", at, (attribute, at) => writeKeyValue(writer, 3, attribute, at));
  const dropped = `${at}.droppedAttributesCount`;
  writer.natural(4, Number(wholeNumber(scope["droppedAttributesCount"], dropped, uint32)));
  writer.end(message);
}

/** A severity is an enumeration's number, and none is negative. */
const naturals = [
  [2, "severityNumber", int31],
  [7, "droppedAttributesCount", uint32],
  [8, "flags", uint32],
] as const;

function writeRecord(writer: ProtobufWriter, record: Fields, at: string): void {
  const message = writer.begin(2);
  for (const [field, name] of [[1, "timeUnixNano"], [11, "observedTimeUnixNano"]] as const) {
    writer.fixed64(field, wholeNumber(record[name], `${at}.${name}`, uint64));
  }
  for (const [field, name, range] of naturals) {
    writer.natural(field, Number(wholeNumber(record[name], `${at}.${name}`, range)));
  }
  writer.text(3, textOf(record["severityText"], `${at}.severityText`));
  for (const [field, name] of [[9, "traceId"], [10, "spanId"]] as const) {
    const id = textOf(record[name], `${at}.${name}`);
    if (!/^([0-9a-fA-F]{2})*$/.test(id)) {
      throw new OtlpJsonInvalid(`${at}.${name} is ${shown(id)}: want hexadecimal digits`);
    }
    const bytes = Uint8Array.from(id.match(/../g) ?? [], (pair) => parseInt(pair, 16));
    writer.range(field, bytes, 0, bytes.length);
  }
  if (record["body"] !== undefined && record["body"] !== null) {
    writeValue(writer, 5, record["body"], `${at}.body`);
  }
  each(record, "attributes", at, (attribute, at) => writeKeyValue(writer, 6, attribute, at));
  writer.end(message);
}

function writeKeyValue(
  writer: ProtobufWriter,
  field: number,
  keyValue: Fields,
  at: string,
  depth = 0,
): void {
  const message = writer.begin(field);
  writer.text(1, textOf(keyValue["key"], `${at}.key`));
  writeValue(writer, 2, keyValue["value"] ?? {}, `${at}.value`, depth);
  writer.end(message);
}

function writeValue(
  writer: ProtobufWriter,
  field: number,
  value: unknown,
  at: string,
  depth = 0,
): void {
  const message = writer.begin(field);
  for (const [kind, content] of Object.entries(objectOf(value, at))) {
    const where = `${at}.${kind}`;
    switch (kind) {
      case "stringValue":
        writer.text(1, textOf(content, where));
        break;
      case "boolValue":
        writer.natural(2, content === true || content === "true" ? 1 : 0);
        break;
      case "intValue":
        writer.integer(3, wholeNumber(content, where, int64));
        break;
      case "doubleValue":
        writer.double(4, doubleOf(content, where));
        break;
      case "arrayValue":
      case "kvlistValue": {
        refuseDepth(depth);
        const [listField, write] = kind === "arrayValue"
          ? [5, writeValue] as const
          : [6, writeKeyValue] as const;
        const list = writer.begin(listField);
        const values = objectOf(content, where);
        each(values, "values", where, (item, at) => write(writer, 1, item, at, depth + 1));
        writer.end(list);
        break;
      }
      case "bytesValue": {
        const bytes = base64(textOf(content, where), where);
        writer.range(7, bytes, 0, bytes.length);
        break;
      }
      default:
        throw new OtlpJsonInvalid(`${where} is no kind of value: want stringValue, intValue, …`);
    }
  }
  writer.end(message);
}

function each(
  fields: Fields,
  name: string,
  at: string,
  visit: (item: Fields, at: string) => void,
): void {
  const list = fields[name] ?? [];
  const where = at === "" ? name : `${at}.${name}`;
  if (!Array.isArray(list)) throw new OtlpJsonInvalid(`${where} is ${shown(list)}: want an array`);
  list.forEach((item, index) => visit(objectOf(item, `${where}[${index}]`), `${where}[${index}]`));
}

function objectOf(value: unknown, at: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw new OtlpJsonInvalid(`${at} is ${shown(value)}: want an object`);
}

function textOf(value: unknown, at: string): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return value;
  throw new OtlpJsonInvalid(`${at} is ${shown(value)}: want a string`);
}

function wholeNumber(value: unknown, at: string, [min, max]: Range): bigint {
  if (value === undefined || value === null) return 0n;
  const isWhole = typeof value === "string"
    ? /^-?\d{1,20}$/.test(value)
    : typeof value === "number" && Number.isInteger(value);
  if (!isWhole) throw new OtlpJsonInvalid(`${at} is ${shown(value)}: want a whole number`);
  const whole = BigInt(value as string | number);
  if (whole >= min && whole <= max) return whole;
  throw new OtlpJsonInvalid(`${at} is ${shown(value)}: want a whole number from ${min} to ${max}`);
}

function doubleOf(value: unknown, at: string): number {
  if (value === null || typeof value === "number" || typeof value === "string") {
    return Number(value);
  }
  throw new OtlpJsonInvalid(`${at} is ${shown(value)}: want a number`);
}

function base64(text: string, at: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    throw new OtlpJsonInvalid(`${at} is ${shown(text)}: want base64`);
  }
}

function shown(value: unknown): string {
  // A container is not printed: it may be nested deeper than the stack is.
  if (typeof value === "object" && value !== null) {
    return Array.isArray(value) ? "an array" : "an object";
  }
  return (JSON.stringify(value) ?? "missing").slice(0, 60);
}
