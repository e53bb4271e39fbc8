/** OTLP log requests in JSON and in protobuf, written independently of the code under test: the JSON is the specification's,
 *  the protobuf is encoded from that JSON. Owns both encodings; what they mean is the test's business. */
import { ProtobufWriter } from "./protobuf.ts";
import type { PushBody } from "./pushClient.ts";

export type OtlpValue =
  | { readonly stringValue: string }
  | { readonly boolValue: boolean }
  | { readonly intValue: string }
  | { readonly doubleValue: number }
  | { readonly bytesValue: string }
  | { readonly arrayValue: { readonly values: ReadonlyArray<OtlpValue> } }
  | { readonly kvlistValue: { readonly values: ReadonlyArray<OtlpAttribute> } };

export interface OtlpAttribute {
  readonly key: string;
  readonly value: OtlpValue;
}

export interface OtlpRecord {
  readonly timeUnixNano?: string;
  readonly observedTimeUnixNano?: string;
  readonly severityNumber?: number;
  readonly severityText?: string;
  readonly body?: OtlpValue;
  readonly attributes?: ReadonlyArray<OtlpAttribute>;
  readonly droppedAttributesCount?: number;
  readonly flags?: number;
  readonly traceId?: string;
  readonly spanId?: string;
}

export interface OtlpRequest {
  readonly resourceLogs: ReadonlyArray<{
    readonly resource?: { readonly attributes: ReadonlyArray<OtlpAttribute> };
    readonly scopeLogs: ReadonlyArray<{
      readonly scope?: {
        readonly name?: string;
        readonly version?: string;
        readonly attributes?: ReadonlyArray<OtlpAttribute>;
        readonly droppedAttributesCount?: number;
      };
      readonly logRecords: ReadonlyArray<OtlpRecord>;
    }>;
  }>;
}

export function otlpJsonBody(request: OtlpRequest): PushBody {
  return {
    path: "/otlp/v1/logs",
    headers: { "content-type": "application/json" },
    bytes: Buffer.from(JSON.stringify(request)),
  };
}

export function otlpProtobufBody(request: OtlpRequest): PushBody {
  return {
    path: "/otlp/v1/logs",
    headers: { "content-type": "application/x-protobuf" },
    bytes: message((writer) => {
      for (const { resource, scopeLogs } of request.resourceLogs) {
        nested(writer, 1, (writer) => {
          // Readers must not count on the order of fields.
          for (const logs of scopeLogs) nested(writer, 2, (writer) => writeScopeLogs(writer, logs));
          if (resource !== undefined) {
            nested(writer, 1, (writer) => writeAttributes(writer, 1, resource.attributes));
          }
        });
      }
    }),
  };
}

type ScopeLogs = OtlpRequest["resourceLogs"][number]["scopeLogs"][number];

function writeScopeLogs(writer: ProtobufWriter, { scope, logRecords }: ScopeLogs): void {
  if (scope !== undefined) {
    nested(writer, 1, (writer) => {
      if (scope.name !== undefined) writer.text(1, scope.name);
      if (scope.version !== undefined) writer.text(2, scope.version);
      writeAttributes(writer, 3, scope.attributes ?? []);
      if (scope.droppedAttributesCount !== undefined) {
        varint(writer, 4, scope.droppedAttributesCount);
      }
    });
  }
  for (const record of logRecords) nested(writer, 2, (writer) => writeRecord(writer, record));
}

function writeRecord(writer: ProtobufWriter, record: OtlpRecord): void {
  if (record.timeUnixNano !== undefined) fixed64(writer, 1, BigInt(record.timeUnixNano));
  if (record.severityNumber !== undefined) varint(writer, 2, record.severityNumber);
  if (record.severityText !== undefined) writer.text(3, record.severityText);
  const { body } = record;
  if (body !== undefined) nested(writer, 5, (writer) => writeValue(writer, body));
  writeAttributes(writer, 6, record.attributes ?? []);
  if (record.droppedAttributesCount !== undefined) varint(writer, 7, record.droppedAttributesCount);
  if (record.flags !== undefined) {
    writer.varint(8 * 8 + 5);
    writer.raw(new Uint8Array(Uint32Array.of(record.flags).buffer));
  }
  if (record.traceId !== undefined) writer.bytes(9, Buffer.from(record.traceId, "hex"));
  if (record.spanId !== undefined) writer.bytes(10, Buffer.from(record.spanId, "hex"));
  if (record.observedTimeUnixNano !== undefined) {
    fixed64(writer, 11, BigInt(record.observedTimeUnixNano));
  }
}

function writeAttributes(
  writer: ProtobufWriter,
  field: number,
  attributes: ReadonlyArray<OtlpAttribute>,
): void {
  for (const { key, value } of attributes) {
    nested(writer, field, (writer) => {
      writer.text(1, key);
      nested(writer, 2, (writer) => writeValue(writer, value));
    });
  }
}

function writeValue(writer: ProtobufWriter, value: OtlpValue): void {
  if ("stringValue" in value) writer.text(1, value.stringValue);
  else if ("boolValue" in value) varint(writer, 2, value.boolValue ? 1 : 0);
  else if ("intValue" in value) {
    writer.tag(3, 0);
    writer.int64(BigInt(value.intValue));
  } else if ("doubleValue" in value) {
    writer.varint(4 * 8 + 1);
    writer.raw(new Uint8Array(Float64Array.of(value.doubleValue).buffer));
  } else if ("bytesValue" in value) writer.bytes(7, Buffer.from(value.bytesValue, "base64"));
  else if ("arrayValue" in value) {
    nested(writer, 5, (writer) => {
      for (const item of value.arrayValue.values) {
        nested(writer, 1, (writer) => writeValue(writer, item));
      }
    });
  } else nested(writer, 6, (writer) => writeAttributes(writer, 1, value.kvlistValue.values));
}

function message(write: (writer: ProtobufWriter) => void): Uint8Array {
  const writer = new ProtobufWriter();
  write(writer);
  return writer.finish();
}

function nested(
  writer: ProtobufWriter,
  field: number,
  write: (writer: ProtobufWriter) => void,
): void {
  writer.bytes(field, message(write));
}

function varint(writer: ProtobufWriter, field: number, value: number): void {
  writer.tag(field, 0);
  writer.varint(value);
}

function fixed64(writer: ProtobufWriter, field: number, value: bigint): void {
  writer.varint(field * 8 + 1);
  writer.raw(new Uint8Array(BigUint64Array.of(value).buffer));
}
