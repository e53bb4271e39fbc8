/** What OTLP's records have in common: their resource's labels and metadata, their scope's metadata, each encoded once.
 *  otlpLogs.ts owns records. */
import { formatLabels, labelsFromObject } from "../streams/labels.ts";
import { ProtobufWriter } from "../streams/protobufWriter.ts";
import { type AttributeActions, labelNameOf } from "./otlpAttributes.ts";
import { type Flattener, keyOf, naturalOf, type Pair, repeated } from "./otlpValues.ts";

/** What a ResourceLogs says of its records. */
export interface Resource {
  readonly labels: ReadonlyMap<string, string>;
  /** The labels as a push has them. */
  readonly labelText: string;
  /** Pairs of an entry's metadata, encoded. */
  readonly metadata: Uint8Array;
}

/** The resource of a ResourceLogs. Throws ProtobufInvalid or OtlpTooLarge. */
export function resourceOf(
  message: Uint8Array,
  flattener: Flattener,
  actions: AttributeActions,
): Resource {
  const labels = new Map<string, string>();
  const metadata: Pair[] = [];
  for (const resource of repeated(message, 1)) {
    for (const attribute of repeated(resource, 1)) {
      const action = actions.of(keyOf(attribute));
      if (action === "structured_metadata") flattener.add(attribute, metadata);
      if (action === "index_label") addLabels(attribute, flattener, labels);
    }
  }
  return { labels, labelText: labelText(labels), metadata: encodePairs(metadata) };
}

/** The metadata of a ScopeLogs' records, encoded. Throws ProtobufInvalid or OtlpTooLarge. */
export function scopeOf(
  message: Uint8Array,
  flattener: Flattener,
  actions: AttributeActions,
): Uint8Array {
  const pairs: Pair[] = [];
  for (const scope of repeated(message, 1)) {
    for (const attribute of repeated(scope, 3)) {
      if (actions.of(keyOf(attribute)) === "structured_metadata") flattener.add(attribute, pairs);
    }
    for (const [field, name] of [[1, "scope_name"], [2, "scope_version"]] as const) {
      for (const text of repeated(scope, field)) {
        if (text.length > 0) pairs.push([name, decoder.decode(text)]);
      }
    }
    const dropped = naturalOf(scope, 4);
    if (dropped > 0) pairs.push(["scope_dropped_attributes_count", String(dropped)]);
  }
  return encodePairs(pairs);
}

/** Adds the labels that an attribute becomes. Throws ProtobufInvalid or OtlpTooLarge. */
export function addLabels(
  attribute: Uint8Array,
  flattener: Flattener,
  labels: Map<string, string>,
): void {
  const pairs: Pair[] = [];
  flattener.add(attribute, pairs);
  for (const [name, value] of pairs) labels.set(labelNameOf(name), value);
}

/** Labels as a push has them; those without a value are left out. */
export function labelText(labels: ReadonlyMap<string, string>): string {
  return formatLabels(labelsFromObject(Object.fromEntries(labels)));
}

/** Writes a pair of an entry's metadata. */
export function writePair(writer: ProtobufWriter, name: string, value: string): void {
  const pair = writer.begin(3);
  writer.text(1, name);
  writer.text(2, value);
  writer.end(pair);
}

const decoder = new TextDecoder();

function encodePairs(pairs: ReadonlyArray<Pair>): Uint8Array {
  const writer = new ProtobufWriter(1024);
  for (const [name, value] of pairs) writePair(writer, name, value);
  return writer.bytes();
}
