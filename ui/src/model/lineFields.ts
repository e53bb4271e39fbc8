// Fields written in a line itself, as the stages `json` and `logfmt` name them, so that one can filter by what one sees. The
// server's stages are the authority; this reads one line when it is opened. Invariant: work is bounded by
// `lineCharactersMax`.
import type { Labels } from "./row.ts";
import { filterField } from "./selector.ts";

export interface LineFields {
  readonly parser: "json" | "logfmt";
  readonly fields: Labels;
}

/** The fields of a line; undefined when it is neither JSON nor logfmt. */
export function lineFields(line: string): LineFields | undefined {
  if (line.length > lineCharactersMax) return undefined;
  return jsonFields(line) ?? logfmtFields(line);
}

/** Asks for (or against) one value of a field that a parser finds; the parser is put in when the query has none. */
export function filterParsed(
  query: string,
  parser: LineFields["parser"],
  name: string,
  value: string,
  keep: boolean,
): string {
  const parses = new RegExp(`\\|\\s*${parser}\\b`).test(query);
  const base = parses ? query : `${query.trimEnd()}${query.includes("#") ? "\n" : " "}| ${parser}`;
  return filterField(base, name, value, keep);
}

const lineCharactersMax = 262_144;
const fieldsMax = 300;

function jsonFields(line: string): LineFields | undefined {
  if (!/^\s*\{/.test(line)) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return undefined;
  }
  const fields: Record<string, string> = {};
  addMembers(fields, "", parsed as Record<string, unknown>);
  return { parser: "json", fields };
}

/** Nested members are joined by `_`; lists and nulls are left out, as the stage does. */
function addMembers(
  fields: Record<string, string>,
  prefix: string,
  object: Record<string, unknown>,
): void {
  for (const [key, value] of Object.entries(object)) {
    if (Object.keys(fields).length >= fieldsMax) return;
    const name = `${prefix}${fieldName(key)}`;
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      addMembers(fields, `${name}_`, value as Record<string, unknown>);
    } else if (["string", "number", "boolean"].includes(typeof value)) fields[name] = String(value);
  }
}

const pair = /([^\s="]+)=(?:"((?:\\.|[^"\\])*)"|(\S*))/g;

function logfmtFields(line: string): LineFields | undefined {
  const fields: Record<string, string> = {};
  let covered = 0;
  for (const [text, key, quoted, plain] of line.matchAll(pair)) {
    covered += text.length;
    if (Object.keys(fields).length >= fieldsMax) break;
    fields[fieldName(key ?? "")] = quoted?.replace(/\\(["\\])/g, "$1") ?? plain ?? "";
  }
  // A stray "a=b" in prose does not make a line logfmt.
  const isLogfmt = Object.keys(fields).length >= 2 && covered > line.length / 2;
  return isLogfmt ? { parser: "logfmt", fields } : undefined;
}

function fieldName(key: string): string {
  const name = key.replace(/[^A-Za-z0-9_]/g, "_");
  return /^\d/.test(name) ? `_${name}` : name;
}
