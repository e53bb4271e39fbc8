/** Turns OTLP's log requests (ExportLogsServiceRequest) into the protobuf that Loki's agents send, so that one decoder and
 *  one set of rules serve both. Owns what of a record becomes labels and structured metadata, as in Loki; otlpAttributes.ts
 *  knows what the tenant wants of attributes. What resource and scope say is encoded once and copied to each of their records;
 *  a record's texts are copied as bytes. */
import type { AttributeAction } from "../platform/config/mod.ts";
import type { OtlpActions } from "./otlpAttributes.ts";
import {
  addLabels,
  labelText,
  type Resource,
  resourceOf,
  scopeOf,
  writePair,
} from "./otlpResource.ts";
import {
  Flattener,
  keyOf,
  nameBytesMax,
  OtlpTooLarge,
  type Pair,
  valueText,
} from "./otlpValues.ts";
import { ProtobufReader, WireType } from "./protobufReader.ts";
import { ProtobufWriter } from "../streams/protobufWriter.ts";

export interface OtlpPush {
  /** A logproto.PushRequest. */
  readonly bytes: Uint8Array;
  readonly recordCount: number;
}

export interface OtlpOptions {
  readonly actions: OtlpActions;
  /** The time of records that have none. */
  readonly nowMs: number;
  /** Bytes that may come out. */
  readonly bytesMax: number;
}

/** Throws ProtobufInvalid or OtlpTooLarge. */
export function transcodeOtlpLogs(body: Uint8Array, options: OtlpOptions): OtlpPush {
  const transcoder = new Transcoder(body, options);
  transcoder.resources();
  return { bytes: transcoder.writer.bytes(), recordCount: transcoder.recordCount };
}

class Transcoder {
  readonly writer: ProtobufWriter;
  recordCount = 0;
  readonly #reader: ProtobufReader;
  readonly #actions: OtlpActions;
  /** Whether a record may have labels of its own. */
  readonly #labelsRecords: boolean;
  readonly #nowMs: number;
  readonly #bytesMax: number;
  readonly #flattener: Flattener;
  /** The stream that is being written: where it began, and its labels. */
  #stream: { readonly start: number; readonly labels: string } | undefined;

  constructor(body: Uint8Array, { actions, nowMs, bytesMax }: OtlpOptions) {
    this.#reader = new ProtobufReader(body);
    this.writer = new ProtobufWriter(body.length + 1024);
    this.#actions = actions;
    this.#labelsRecords = actions.severityTextAsLabel || actions.record.hasLabels;
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

  /** A ResourceLogs: one stream, or more if records have labels of their own. */
  #resource(start: number, end: number): void {
    const reader = this.#reader;
    const resource = resourceOf(
      reader.bytes.subarray(start, end),
      this.#flattener,
      this.#actions.resource,
    );
    reader.at = start;
    while (reader.next(end)) {
      if (!reader.isBytes(2)) continue;
      const next = reader.at;
      this.#scope(reader.start, reader.end, resource);
      reader.at = next;
    }
    this.#endStream();
  }

  #scope(start: number, end: number, resource: Resource): void {
    const reader = this.#reader;
    const { scope: actions } = this.#actions;
    const scope = scopeOf(reader.bytes.subarray(start, end), this.#flattener, actions);
    reader.at = start;
    while (reader.next(end)) {
      if (!reader.isBytes(2)) continue;
      const [recordStart, recordEnd] = [reader.start, reader.end];
      this.#beginStream(this.#labelsOf(recordStart, recordEnd, resource));
      this.#record(recordStart, recordEnd, resource.metadata, scope);
      reader.at = recordEnd;
      this.recordCount++;
      this.#refuseMore(0);
    }
  }

  /** The labels of a record's stream. */
  #labelsOf(start: number, end: number, resource: Resource): string {
    if (!this.#labelsRecords) return resource.labelText;
    const labels = new Map(resource.labels);
    const reader = this.#reader;
    reader.at = start;
    while (reader.next(end)) {
      if (reader.isBytes(3) && reader.start < reader.end && this.#actions.severityTextAsLabel) {
        labels.set("severity_text", decoder.decode(reader.content));
      }
      if (reader.isBytes(6) && this.#actionOf(reader.start, reader.end) === "index_label") {
        addLabels(reader.content, this.#flattener, labels);
      }
    }
    return labelText(labels);
  }

  /** What becomes of a record's attribute. */
  #actionOf(start: number, end: number): AttributeAction {
    const { record } = this.#actions;
    if (record.isEmpty) return "structured_metadata";
    return record.of(keyOf(this.#reader.bytes.subarray(start, end)));
  }

  /** Goes on with the stream that is open, if it has these labels. */
  #beginStream(labels: string): void {
    if (this.#stream?.labels === labels) return;
    this.#endStream();
    this.#refuseMore(labels.length);
    const start = this.writer.begin(1);
    this.writer.text(1, labels);
    this.#stream = { start, labels };
  }

  #endStream(): void {
    if (this.#stream !== undefined) this.writer.end(this.#stream.start);
    this.#stream = undefined;
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
    this.#recordMetadata(start, end, timeLow !== 0 || timeHigh !== 0);
    this.#refuseMore(resource.length + scope.length);
    writer.fields(resource);
    writer.fields(scope);
    writer.end(entry);
  }

  /** What is said of a record with a time of its own or with that at which it was observed. */
  #recordMetadata(start: number, end: number, hasTime: boolean): void {
    const reader = this.#reader;
    reader.at = start;
    while (reader.next(end)) {
      const { field, wireType, low } = reader;
      if (wireType === WireType.bytes) {
        const next = reader.at;
        if (field === 6 && this.#actionOf(reader.start, reader.end) === "structured_metadata") {
          this.#attribute(reader.start, reader.end);
        }
        if (field === 3) this.#pairOfBytes("severity_text");
        if (field === 9) this.#pairOfHex("trace_id");
        if (field === 10) this.#pairOfHex("span_id");
        reader.at = next;
      } else if (low !== 0 || (wireType === WireType.fixed64 && reader.high !== 0)) {
        if (field === 2) this.#pair("severity_number", String(low));
        if (field === 7) this.#pair("dropped_attributes_count", String(low));
        if (field === 8) this.#pair("flags", String(low));
        if (field === 11 && wireType === WireType.fixed64 && hasTime) {
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

const decoder = new TextDecoder();

function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}
