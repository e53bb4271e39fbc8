/** Turns Loki's JSON pushes into the protobuf that agents send, so that one decoder and one set of rules serve both. This is the
 *  path of scripts: convenient, not fast. Numbers, nesting and types are checked here, where the JSON is still visible. */
import { formatLabels, labelsFromObject } from "./labels.ts";
import { ProtobufWriter } from "./protobufWriter.ts";

/** The JSON is not a push; answered with 400. The message says where it is wrong. */
export class JsonPushInvalid extends Error {
  override readonly name = "JsonPushInvalid";
}

const i64Max = 2n ** 63n - 1n;
const second = 1_000_000_000n;

/** `{"streams":[{"stream":{..},"values":[["<ns>","line",{..}?]]}]}` as a logproto.PushRequest. With `legacy`,
 *  `{"streams":[{"labels":"{..}","entries":[{"ts":"<RFC 3339>","line":".."}]}]}`. */
export function transcodeJsonPush(body: Uint8Array, legacy: boolean): Uint8Array {
  refuseTooMany(body);
  const streams = streamsOf(body);
  const writer = new ProtobufWriter(body.length + 1024);
  streams.forEach((stream, index) => {
    const at = `streams[${index}]`;
    const fields = objectOf(stream, at);
    const message = writer.begin(1);
    if (legacy && fields["labels"] !== undefined) writeLegacyStream(writer, fields, at);
    else writeStream(writer, fields, at);
    writer.end(message);
  });
  return writer.bytes();
}

/** Parsing makes an object of 50 bytes and more of each brace and bracket, on the thread that serves everybody. Braces within
 *  strings count too: a line of JSON has a few. */
const containersMax = 2_000_000;

function refuseTooMany(body: Uint8Array): void {
  let count = 0;
  for (let at = 0; at < body.length; at++) {
    const byte = body[at];
    if (byte === 0x7b || byte === 0x5b) count++;
  }
  if (count > containersMax) {
    throw new JsonPushInvalid(
      `the body has ${count} objects and arrays, the limit is ${containersMax}: send smaller pushes`,
    );
  }
}

function streamsOf(body: Uint8Array): ReadonlyArray<unknown> {
  let root: unknown;
  try {
    root = JSON.parse(new TextDecoder().decode(body));
  } catch (error) {
    throw new JsonPushInvalid(`the body is not JSON: ${(error as Error).message}`);
  }
  const streams = objectOf(root, "the body")["streams"];
  if (!Array.isArray(streams)) {
    throw new JsonPushInvalid('the body has no "streams" array: want {"streams":[..]}');
  }
  return streams;
}

function writeStream(writer: ProtobufWriter, fields: Fields, at: string): void {
  const labels = objectOf(fields["stream"] ?? {}, `${at}.stream`);
  writer.text(1, labelText(labels, `${at}.stream`));
  const values = fields["values"] ?? [];
  if (!Array.isArray(values)) throw new JsonPushInvalid(`${at}.values is not an array`);
  values.forEach((value, index) => {
    const where = `${at}.values[${index}]`;
    if (!Array.isArray(value) || value.length < 2 || value.length > 3) {
      throw new JsonPushInvalid(`${where} is not ["<ns>", "<line>"] or ["<ns>", "<line>", {..}]`);
    }
    writeEntry(writer, nanoseconds(value[0], where), value[1], value[2], where);
  });
}

function writeLegacyStream(writer: ProtobufWriter, fields: Fields, at: string): void {
  const labels = fields["labels"];
  if (typeof labels !== "string") throw new JsonPushInvalid(`${at}.labels is not a string`);
  writer.text(1, labels);
  const entries = fields["entries"] ?? [];
  if (!Array.isArray(entries)) throw new JsonPushInvalid(`${at}.entries is not an array`);
  entries.forEach((entry, index) => {
    const where = `${at}.entries[${index}]`;
    const { ts, line } = objectOf(entry, where);
    writeEntry(writer, rfc3339Nanoseconds(ts, where), line, undefined, where);
  });
}

function writeEntry(
  writer: ProtobufWriter,
  time: bigint,
  line: unknown,
  metadata: unknown,
  at: string,
): void {
  if (typeof line !== "string") throw new JsonPushInvalid(`the line of ${at} is not a string`);
  const entry = writer.begin(2);
  const timestamp = writer.begin(1);
  const nanos = ((time % second) + second) % second;
  writer.integer(1, (time - nanos) / second);
  writer.integer(2, nanos);
  writer.end(timestamp);
  writer.text(2, line);
  for (const [name, value] of Object.entries(objectOf(metadata ?? {}, `the metadata of ${at}`))) {
    if (typeof value !== "string") {
      throw new JsonPushInvalid(`the metadata "${name}" of ${at} is not a string`);
    }
    const pair = writer.begin(3);
    writer.text(1, name);
    writer.text(2, value);
    writer.end(pair);
  }
  writer.end(entry);
}

function labelText(labels: Fields, at: string): string {
  for (const [name, value] of Object.entries(labels)) {
    if (typeof value !== "string") {
      throw new JsonPushInvalid(`the label "${name}" of ${at} is not a string`);
    }
  }
  return formatLabels(labelsFromObject(labels as Record<string, string>));
}

function nanoseconds(value: unknown, at: string): bigint {
  if (typeof value !== "string" || !/^-?\d{1,19}$/.test(value)) {
    throw new JsonPushInvalid(
      `the timestamp of ${at} is ${
        shown(value)
      }: want nanoseconds as a string, such as "1700000000000000000"`,
    );
  }
  const time = BigInt(value);
  if (time > i64Max || time < -i64Max) {
    throw new JsonPushInvalid(
      `the timestamp of ${at} is ${shown(value)}, which does not fit 64 bits`,
    );
  }
  return time;
}

function rfc3339Nanoseconds(value: unknown, at: string): bigint {
  const match = typeof value === "string"
    ? /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(value)
    : null;
  const millis = match === null ? NaN : Date.parse(`${match[1]}${match[3]}`);
  if (match === null || Number.isNaN(millis)) {
    throw new JsonPushInvalid(
      `the timestamp of ${at} is ${shown(value)}: want RFC 3339, such as "2026-01-31T12:00:00Z"`,
    );
  }
  return BigInt(millis) * 1_000_000n + BigInt((match[2] ?? "").padEnd(9, "0"));
}

type Fields = Readonly<Record<string, unknown>>;

function objectOf(value: unknown, at: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw new JsonPushInvalid(`${at} is ${shown(value)}: want an object`);
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? "missing").slice(0, 60);
}
