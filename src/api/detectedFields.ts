/** What fields some lines have, for users who build a query: structured metadata, what the query itself
 *  parsed, and what `json` or `logfmt` would find in the lines. Owns types and counts of fields;
 *  lineFields.ts reads lines. Invariant: counts are exact for the lines given. */
import { type FieldParser, LineFields } from "../logql/lineFields.ts";
import { readDuration, readFailed, readNumber, readSize } from "../logql/labelValue.ts";
import { type Labels, parseLabels } from "../streams/labels.ts";
import { decodeMetadata } from "../streams/metadata.ts";
import type { EncodableRow } from "./encodeRows.ts";

export type FieldType = "int" | "float" | "boolean" | "duration" | "bytes" | "string";

export interface DetectedField {
  readonly label: string;
  readonly type: FieldType;
  /** Distinct values. */
  readonly cardinality: number;
  /** Parsers that find it in a line; null for structured metadata. */
  readonly parsers: ReadonlyArray<string> | null;
  /** Its keys from the root, if JSON has it. */
  readonly jsonPath?: ReadonlyArray<string>;
}

/** Fields of one answer whose values are kept. */
const fieldsMax = 10_000;

interface Field {
  readonly values: Set<string>;
  readonly parsers: Set<string>;
  jsonPath: ReadonlyArray<string> | null;
}

export class FieldCollector {
  readonly #fields = new Map<string, Field>();
  readonly #parsers: Readonly<Record<FieldParser, LineFields>> = {
    json: new LineFields("json"),
    logfmt: new LineFields("logfmt"),
  };
  readonly #labels = new Map<string, Labels>();
  readonly #queryParsers: ReadonlyArray<string>;

  /** `queryParsers` are the parsers of the query that the rows came from. */
  constructor(queryParsers: ReadonlyArray<string>) {
    this.#queryParsers = queryParsers;
  }

  add({ labels, line, meta, parsed }: EncodableRow): void {
    for (const [name, value] of decodeMetadata(meta, 0, meta.length)) this.#note(name, value);
    const found = new Set<string>();
    for (const parser of ["json", "logfmt"] as const) {
      const fields = this.#parsers[parser].read(labels, this.#labelsOf(labels), line);
      if (fields === null || fields.length === 0) continue;
      const paths = parser === "json" ? jsonPaths(line) : null;
      for (const [name, value] of fields) {
        found.add(name);
        this.#note(name, value, parser, paths?.get(name));
      }
      // A line is of one form: what JSON has logfmt would read as garbage.
      break;
    }
    for (const [name, value] of decodeMetadata(parsed, 0, parsed.length)) {
      if (found.has(name) || name === "__error__" || name === "__error_details__") continue;
      for (const parser of this.#queryParsers) this.#note(name, value, parser);
      if (this.#queryParsers.length === 0) this.#note(name, value);
    }
  }

  /** By name. */
  fields(): ReadonlyArray<DetectedField> {
    return [...this.#fields].map(([label, { values, parsers, jsonPath }]) => ({
      label,
      type: typeOfValues(values),
      cardinality: values.size,
      parsers: parsers.size === 0 ? null : [...parsers].sort(),
      ...(jsonPath === null ? {} : { jsonPath }),
    })).sort((a, b) => a.label < b.label ? -1 : 1);
  }

  /** The distinct values of a field in order. */
  valuesOf(name: string): ReadonlyArray<string> {
    return [...this.#fields.get(name)?.values ?? []].sort();
  }

  #note(name: string, value: string, parser?: string, path?: ReadonlyArray<string>): void {
    let field = this.#fields.get(name);
    if (field === undefined) {
      if (this.#fields.size >= fieldsMax) return;
      this.#fields.set(name, field = { values: new Set(), parsers: new Set(), jsonPath: null });
    }
    if (value !== "") field.values.add(value);
    if (parser !== undefined) field.parsers.add(parser);
    field.jsonPath ??= path ?? null;
  }

  #labelsOf(text: string): Labels {
    let labels = this.#labels.get(text);
    if (labels === undefined) {
      if (this.#labels.size >= 1000) this.#labels.clear();
      this.#labels.set(text, labels = parseLabels(text));
    }
    return labels;
  }
}

/** The one type that all values have; whole and other numbers together are floats. */
export function typeOfValues(values: Iterable<string>): FieldType {
  let type: FieldType | null = null;
  for (const value of values) {
    const own = typeOf(value);
    if (type === null || type === own) type = own;
    else if ((type === "int" || type === "float") && (own === "int" || own === "float")) {
      type = "float";
    } else return "string";
  }
  return type ?? "string";
}

const encoder = new TextEncoder();

function typeOf(value: string): FieldType {
  if (/^[+-]?\d{1,18}$/.test(value)) return "int";
  if (/^(?:true|false)$/i.test(value)) return "boolean";
  const bytes = encoder.encode(value);
  readNumber(bytes, 0, bytes.length);
  if (!readFailed()) return "float";
  readDuration(bytes, 0, bytes.length);
  if (!readFailed()) return "duration";
  readSize(bytes, 0, bytes.length);
  return readFailed() ? "string" : "bytes";
}

const decoder = new TextDecoder();

/** The keys from the root by the name that the json parser gives them. */
function jsonPaths(line: Uint8Array): ReadonlyMap<string, ReadonlyArray<string>> {
  const paths = new Map<string, ReadonlyArray<string>>();
  const walk = (value: unknown, path: ReadonlyArray<string>) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      const name = path.map((key) => key.trim().replace(/[^A-Za-z0-9_]/gu, "_")).join("_");
      const full = /^\d/.test(name) ? `_${name}` : name;
      if (!paths.has(full)) paths.set(full, path);
      return;
    }
    if (path.length >= pathLengthMax) return;
    for (const [key, item] of Object.entries(value)) walk(item, [...path, key]);
  };
  try {
    walk(JSON.parse(decoder.decode(line)), []);
  } catch {
    // What JSON.parse does not take the json parser may: then there are names without paths.
  }
  return paths;
}

const pathLengthMax = 50;
