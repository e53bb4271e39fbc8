/** Requests that are small and would become large, deep or broken are refused before they cost anything. */
import t from "tap";
import {
  type OtlpAttribute,
  otlpJsonBody,
  otlpProtobufBody,
  type OtlpRequest,
  type OtlpValue,
} from "../testing/otlp.ts";
import { settingsWith } from "../platform/config/mod.ts";
import { OtlpRules } from "./otlpAttributes.ts";
import { OtlpJsonInvalid, otlpJsonToProtobuf } from "./otlpJson.ts";
import { transcodeOtlpLogs } from "./otlpLogs.ts";
import { OtlpTooLarge } from "./otlpValues.ts";
import { ProtobufInvalid } from "./protobufReader.ts";

const bytesMax = 100_000;

const options = { actions: new OtlpRules(settingsWith({})).of("fake"), nowMs: 0, bytesMax };

function transcode(request: OtlpRequest) {
  return transcodeOtlpLogs(otlpProtobufBody(request).bytes, options);
}

function transcodeJson(body: Uint8Array) {
  return transcodeOtlpLogs(otlpJsonToProtobuf(body), options);
}

const text = (value: string): OtlpValue => ({ stringValue: value });

function mapOf(key: string, leafCount: number): OtlpAttribute {
  const values = Array.from({ length: leafCount }, () => ({ key: "", value: text("") }));
  return { key, value: { kvlistValue: { values } } };
}

/** One attribute at each place that has some. */
function places(attribute: OtlpAttribute): ReadonlyArray<OtlpRequest> {
  const attributes = [attribute];
  const logRecords = [{ body: text("line") }];
  return [
    { resourceLogs: [{ resource: { attributes }, scopeLogs: [{ logRecords }] }] },
    { resourceLogs: [{ scopeLogs: [{ scope: { attributes }, logRecords }] }] },
    { resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: text("line"), attributes }] }] }] },
  ];
}

t.test("a map's name counts for each of its leaves", (t) => {
  for (const request of places(mapOf("k".repeat(1000), 50))) {
    t.equal(transcode(request).recordCount, 1);
  }
  for (const request of places(mapOf("k".repeat(1000), 101))) {
    t.throws(() => transcode(request), OtlpTooLarge);
  }
  t.end();
});

t.test("resources without records count, too", (t) => {
  const resource = { attributes: [mapOf("k".repeat(1000), 50)] };
  const resourceLogs = Array.from({ length: 3 }, () => ({ resource, scopeLogs: [] }));
  t.throws(() => transcode({ resourceLogs }), OtlpTooLarge);
  t.end();
});

t.test("a name has at most 1024 bytes, with the names of the maps around it", (t) => {
  const nested = (inner: string) => ({
    key: "é".repeat(256),
    value: { kvlistValue: { values: [{ key: inner, value: text("v") }] } },
  });
  for (const fits of [{ key: "k".repeat(1024), value: text("v") }, nested("k".repeat(511))]) {
    for (const request of places(fits)) t.equal(transcode(request).recordCount, 1);
  }
  for (const long of [{ key: "k".repeat(1025), value: text("v") }, nested("k".repeat(512))]) {
    for (const request of places(long)) {
      t.throws(() => transcode(request), ProtobufInvalid);
      t.throws(() => transcode(request), /name has more than 1024 bytes: (k|é)+…$/);
    }
  }
  t.end();
});

/** A value in `depth` others. */
function nestedIn(kind: "array" | "map" | "both", depth: number): OtlpValue {
  let value: OtlpValue = text("leaf");
  for (let level = 0; level < depth; level++) {
    const isArray = kind === "array" || (kind === "both" && level < depth / 2);
    value = isArray
      ? { arrayValue: { values: [value] } }
      : { kvlistValue: { values: [{ key: "k", value }] } };
  }
  return value;
}

t.test("values within values are bounded alike in protobuf and JSON", (t) => {
  for (const kind of ["array", "map", "both"] as const) {
    for (const request of places({ key: "a", value: nestedIn(kind, 32) })) {
      t.equal(transcode(request).recordCount, 1);
      t.equal(transcodeJson(otlpJsonBody(request).bytes).recordCount, 1);
    }
    for (const request of places({ key: "a", value: nestedIn(kind, 40) })) {
      const refusal = /values within values, more than 32 deep/;
      t.throws(() => transcode(request), refusal);
      t.throws(() => transcodeJson(otlpJsonBody(request).bytes), refusal);
    }
  }
  const deep = '{"arrayValue":{"values":['.repeat(3000) + "]}}".repeat(3000);
  t.throws(() => transcodeJson(jsonRecord(`"body":${deep}`)), ProtobufInvalid);
  t.end();
});

function jsonRecord(members: string): Uint8Array {
  return new TextEncoder().encode(
    `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{${members}}]}]}]}`,
  );
}

t.test("numbers that their fields cannot hold are refused by name", (t) => {
  for (
    const [members, message] of [
      [
        '"severityNumber":-3',
        /logRecords\[0\]\.severityNumber is -3: want .* from 0 to 2147483647/,
      ],
      ['"flags":4294967296', /\.flags is 4294967296: want .* from 0 to 4294967295/],
      ['"droppedAttributesCount":"-1"', /\.droppedAttributesCount is "-1": want/],
      ['"timeUnixNano":"-1"', /\.timeUnixNano is "-1": want/],
      ['"timeUnixNano":"18446744073709551616"', /from 0 to 18446744073709551615/],
      ['"body":{"intValue":"9223372036854775808"}', /\.body\.intValue is "9223372036854775808"/],
      [`"body":{"doubleValue":${"[".repeat(50_000)}${"]".repeat(50_000)}}`, /is an array: want/],
      [`"body":${"[".repeat(50_000)}${"]".repeat(50_000)}`, /\.body is an array: want an object/],
    ] as const
  ) {
    t.throws(() => transcodeJson(jsonRecord(members)), OtlpJsonInvalid);
    t.throws(() => transcodeJson(jsonRecord(members)), { message });
  }
  const extremes = '"severityNumber":2147483647,"flags":4294967295,' +
    '"timeUnixNano":"18446744073709551615","body":{"intValue":"-9223372036854775808"}';
  t.equal(transcodeJson(jsonRecord(extremes)).recordCount, 1);
  t.end();
});
