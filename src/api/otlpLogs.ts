/** Turns OTLP's log requests (ExportLogsServiceRequest) into the protobuf that Loki's agents send, so that one decoder and
 *  one set of rules serve both. Owns which attributes become labels, and what of a record becomes structured metadata: as in
 *  Loki. What resource and scope say is encoded once and copied to each of their records; a record's texts are copied as
 *  bytes. */
import { formatLabels, labelsFromObject } from "../streams/labels.ts";
import {
  Flattener,
  nameBytesMax,
  OtlpTooLarge,
  type Pair,
  repeated,
  valueText,
} from "./otlpValues.ts";
import { ProtobufReader, WireType } from "./protobufReader.ts";
import { ProtobufWriter } from "../streams/protobufWriter.ts";

/** Attributes of a resource that become labels; all else is structured metadata. */
const labelAttributes = new Map(
  [
    "service.name",
    "service.namespace",
    "service.instance.id",
    "deployment.environment",
    "deployment.environment.name",
    "cloud.region",
    "cloud.availability_zone",
    "container.name",
    ...["cluster", "namespace", "pod", "container", "replicaset", "deployment", "statefulset"]
      .concat("daemonset", "cronjob", "job").map((kind) => `k8s.${kind}.name`),
  ].map((name) => [name, name.replace(/[^a-zA-Z0-9_]/g, "_")]),
);

export interface OtlpPush {
  /** A logproto.PushRequest. */
  readonly bytes: Uint8Array;
  readonly recordCount: number;
}

/** `nowMs` is the time of records that have none; at most `bytesMax` bytes come out. Throws ProtobufInvalid or OtlpTooLarge. */
export function transcodeOtlpLogs(body: Uint8Array, nowMs: number, bytesMax: number): OtlpPush {
  const transcoder = new Transcoder(body, nowMs, bytesMax);
  transcoder.resources();
  return { bytes: transcoder.writer.bytes(), recordCount: transcoder.recordCount };
}

class Transcoder {
  readonly writer: ProtobufWriter;
  recordCount = 0;
  readonly #reader: ProtobufReader;
  readonly #nowMs: number;
  readonly #bytesMax: number;
  readonly #flattener: Flattener;

  constructor(body: Uint8Array, nowMs: number, bytesMax: number) {
    this.#reader = new ProtobufReader(body);
    this.writer = new ProtobufWriter(body.length + 1024);
    this.#nowMs = nowMs;
    this.#bytesMax = bytesMax;
    this.#flattener = new Flattener(bytesMax);
  }

  resources(): void {
    const reader = this.#reader;
    const end = reader.bytes.length;
    while (reader.next(end)) {
      if (!reader.isBytes(1)) continue;
      const next = reader.at;
      this.#resource(reader.start, reader.end);
      reader.at = next;
    }
  }

  /** A ResourceLogs: one stream. */
  #resource(start: number, end: number): void {
    const reader = this.#reader;
    const { labels, metadata } = resourceOf(
      reader.bytes.subarray(start, end),
      this.#flattener,
    );
    const stream = this.writer.begin(1);
    this.writer.text(1, labels);
    reader.at = start;
    while (reader.next(end)) {
      if (!reader.isBytes(2)) continue;
      const next = reader.at;
      this.#scope(reader.start, reader.end, metadata);
      reader.at = next;
    }
    this.writer.end(stream);
  }

  #scope(start: number, end: number, resource: Uint8Array): void {
    const reader = this.#reader;
    const scope = scopeOf(reader.bytes.subarray(start, end), this.#flattener);
    reader.at = start;
    while (reader.next(end)) {
      if (!reader.isBytes(2)) continue;
      const next = reader.at;
      this.#record(reader.start, reader.end, resource, scope);
      reader.at = next;
      this.recordCount++;
      this.#refuseMore(0);
    }
  }

  /** Throws OtlpTooLarge if `byteCount` more bytes are too many. */
  #refuseMore(byteCount: number): void {
    if (this.writer.size + byteCount > this.#bytesMax) throw new OtlpTooLarge(this.#bytesMax);
  }

  /** A LogRecord: an entry. Its fields may come in any order. */
  #record(start: number, end: number, resource: Uint8Array, scope: Uint8Array): void {
    const { writer } = this;
    const reader = this.#reader;
    let [timeLow, timeHigh, observedLow, observedHigh] = [0, 0, 0, 0];
    let [bodyStart, bodyEnd] = [0, 0];
    reader.at = start;
    while (reader.next(end)) {
      if (reader.wireType === WireType.fixed64 && reader.field === 1) {
        [timeLow, timeHigh] = [reader.low, reader.high];
      } else if (reader.wireType === WireType.fixed64 && reader.field === 11) {
        [observedLow, observedHigh] = [reader.low, reader.high];
      } else if (reader.isBytes(5)) [bodyStart, bodyEnd] = [reader.start, reader.end];
    }
    const entry = writer.begin(2);
    if (timeLow !== 0 || timeHigh !== 0) this.#time(timeLow, timeHigh);
    else this.#time(observedLow, observedHigh);
    this.#value(2, bodyStart, bodyEnd);
    this.#recordMetadata(start, end);
    this.#refuseMore(resource.length + scope.length);
    writer.fields(resource);
    writer.fields(scope);
    writer.end(entry);
  }

  #recordMetadata(start: number, end: number): void {
    const reader = this.#reader;
    reader.at = start;
    while (reader.next(end)) {
      const { field, wireType, low } = reader;
      if (wireType === WireType.bytes) {
        const next = reader.at;
        if (field === 6) this.#attribute(reader.start, reader.end);
        if (field === 3) this.#pairOfBytes("severity_text");
        if (field === 9) this.#pairOfHex("trace_id");
        if (field === 10) this.#pairOfHex("span_id");
        reader.at = next;
      } else if (low !== 0 || (wireType === WireType.fixed64 && reader.high !== 0)) {
        if (field === 2) this.#pair("severity_number", String(low));
        if (field === 7) this.#pair("dropped_attributes_count", String(low));
        if (field === 8) this.#pair("flags", String(low));
        if (field === 11 && wireType === WireType.fixed64) {
          this.#pair("observed_timestamp", String(BigInt(reader.high) << 32n | BigInt(low)));
        }
      }
    }
  }

  /** A KeyValue: text is copied, all else goes through strings. */
  #attribute(start: number, end: number): void {
    const { writer } = this;
    const reader = this.#reader;
    let [keyStart, keyEnd, valueStart, valueEnd] = [0, 0, 0, 0];
    reader.at = start;
    while (reader.next(end)) {
      if (reader.isBytes(1)) [keyStart, keyEnd] = [reader.start, reader.end];
      if (reader.isBytes(2)) [valueStart, valueEnd] = [reader.start, reader.end];
    }
    reader.at = valueStart;
    if (
      keyEnd - keyStart <= nameBytesMax && valueStart < valueEnd && reader.next(valueEnd) &&
      reader.isBytes(1) && reader.at === valueEnd
    ) {
      const pair = writer.begin(3);
      writer.range(1, reader.bytes, keyStart, keyEnd);
      writer.range(2, reader.bytes, reader.start, reader.end);
      writer.end(pair);
      return;
    }
    const pairs: Pair[] = [];
    this.#flattener.add(reader.bytes.subarray(start, end), pairs);
    for (const [name, value] of pairs) this.#pair(name, value);
  }

  /** An AnyValue as text field `field`. */
  #value(field: number, start: number, end: number): void {
    const reader = this.#reader;
    reader.at = start;
    if (start < end && reader.next(end) && reader.isBytes(1) && reader.at === end) {
      this.writer.range(field, reader.bytes, reader.start, reader.end);
    } else this.writer.text(field, valueText(reader.bytes.subarray(start, end)));
  }

  /** Nanoseconds as a Timestamp message; none are now. */
  #time(low: number, high: number): void {
    const timestamp = this.writer.begin(1);
    if (low === 0 && high === 0) {
      this.writer.natural(1, Math.floor(this.#nowMs / 1000));
      this.writer.natural(2, this.#nowMs % 1000 * 1_000_000);
    } else {
      // Long division in digits of 16 bits: all numbers stay below 2^53.
      let [seconds, nanos] = [0, 0];
      for (const digit of [high >>> 16, high & 0xffff, low >>> 16, low & 0xffff]) {
        const rest = nanos * 65536 + digit;
        nanos = rest % 1_000_000_000;
        seconds = seconds * 65536 + (rest - nanos) / 1_000_000_000;
      }
      this.writer.natural(1, seconds);
      this.writer.natural(2, nanos);
    }
    this.writer.end(timestamp);
  }

  #pair(name: string, value: string): void {
    this.#refuseMore(name.length + value.length);
    writePair(this.writer, name, value);
  }

  /** The current field as it is; nothing if it is empty. */
  #pairOfBytes(name: string): void {
    const { bytes, start, end } = this.#reader;
    if (start === end) return;
    const pair = this.writer.begin(3);
    this.writer.text(1, name);
    this.writer.range(2, bytes, start, end);
    this.writer.end(pair);
  }

  #pairOfHex(name: string): void {
    const { content } = this.#reader;
    if (content.length > 0) this.#pair(name, hex(content));
  }
}

/** The stream that a ResourceLogs is, and what its records have in common. */
function resourceOf(
  message: Uint8Array,
  flattener: Flattener,
): { readonly labels: string; readonly metadata: Uint8Array } {
  const labels: Record<string, string> = {};
  const others: Pair[] = [];
  for (const resource of repeated(message, 1)) {
    const pairs: Pair[] = [];
    for (const attribute of repeated(resource, 1)) flattener.add(attribute, pairs);
    for (const [name, value] of pairs) {
      const label = labelAttributes.get(name);
      if (label === undefined) others.push([name, value]);
      else if (value !== "") labels[label] = value;
    }
  }
  return { labels: formatLabels(labelsFromObject(labels)), metadata: encodePairs(others) };
}

function scopeOf(message: Uint8Array, flattener: Flattener): Uint8Array {
  const pairs: Pair[] = [];
  for (const scope of repeated(message, 1)) {
    for (const attribute of repeated(scope, 3)) flattener.add(attribute, pairs);
    const decoder = new TextDecoder();
    for (const [field, name] of [[1, "scope_name"], [2, "scope_version"]] as const) {
      for (const text of repeated(scope, field)) {
        if (text.length > 0) pairs.push([name, decoder.decode(text)]);
      }
    }
  }
  return encodePairs(pairs);
}

function encodePairs(pairs: ReadonlyArray<Pair>): Uint8Array {
  const writer = new ProtobufWriter(1024);
  for (const [name, value] of pairs) writePair(writer, name, value);
  return writer.bytes();
}

function writePair(writer: ProtobufWriter, name: string, value: string): void {
  const pair = writer.begin(3);
  writer.text(1, name);
  writer.text(2, value);
  writer.end(pair);
}

function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}
