/** What Go's text/template has of its own: comparison, negation, indexing, escaping. Values of
 *  different types do not compare, as in Go: a label is a string until int or float64 makes it a
 *  number. */
import { TemplateFailed } from "../error.ts";
import { formatValue, sprint } from "../format.ts";
import { GoTime } from "../goTime.ts";
import {
  byteLength,
  isList,
  isTrue,
  LabelMap,
  sliceBytes,
  typeName,
  type Value,
} from "../value.ts";
import { queryEscape } from "./encoding.ts";
import { fixed, type FunctionTable, variadic } from "./templateFunction.ts";

export const builtins: FunctionTable = new Map([
  [
    "eq",
    variadic(
      ["any", "any"],
      ([first, ...others]) => others.some((other) => areEqual(first!, other)),
    ),
  ],
  ["ne", fixed(["any", "any"], (a, b) => !areEqual(a, b))],
  ["lt", fixed(["any", "any"], (a, b) => isLess(a, b))],
  ["le", fixed(["any", "any"], (a, b) => isLess(a, b) || areEqual(a, b))],
  ["gt", fixed(["any", "any"], (a, b) => !isLess(a, b) && !areEqual(a, b) && !isNaN(a, b))],
  ["ge", fixed(["any", "any"], (a, b) => !isLess(a, b) && !isNaN(a, b))],
  ["not", fixed(["any"], (value) => !isTrue(value))],
  ["len", fixed(["any"], lengthOf)],
  ["index", variadic(["any"], ([collection, ...keys]) => keys.reduce(item, collection!))],
  ["slice", variadic(["any"], slice)],
  ["html", variadic([], (values) => htmlEscape(sprint(values)))],
  ["js", variadic([], (values) => jsEscape(sprint(values)))],
  ["urlquery", variadic([], (values) => queryEscape(sprint(values)))],
  [
    "call",
    variadic(["any"], ([callee]) => {
      throw new TemplateFailed(`call needs a function, and ${typeName(callee!)} is none`);
    }),
  ],
]);

/** sprint-free comparisons: nil equals nil alone. */
function areEqual(a: Value, b: Value): boolean {
  if (a === null || b === null) return a === b;
  checkComparable(a, b);
  return a instanceof GoTime && b instanceof GoTime ? a.unixNs === b.unixNs : a === b;
}

function isLess(a: Value, b: Value): boolean {
  checkComparable(a, b);
  if (typeof a === "string" && typeof b === "string") return a < b;
  if (typeof a === "number" && typeof b === "number") return a < b;
  if (typeof a === "bigint" && typeof b === "bigint") return a < b;
  throw new TemplateFailed(`${typeName(a)} has no order`);
}

function isNaN(a: Value, b: Value): boolean {
  return Number.isNaN(a) || Number.isNaN(b);
}

function checkComparable(a: Value, b: Value): void {
  if (isList(a) || isList(b) || a instanceof Map || b instanceof Map) {
    throw new TemplateFailed("lists and maps cannot be compared");
  }
  if (typeName(a) === typeName(b)) return;
  throw new TemplateFailed(
    `cannot compare ${typeName(a)} ${quoted(a)} with ${typeName(b)} ${quoted(b)}; ` +
      "make them of one type with int, float64 or print",
  );
}

function quoted(value: Value): string {
  return JSON.stringify(formatValue(value).slice(0, 60));
}

function lengthOf(value: Value): bigint {
  if (typeof value === "string") return BigInt(byteLength(value));
  if (isList(value)) return BigInt(value.length);
  if (value instanceof Map) return BigInt(value.size);
  throw new TemplateFailed(`${typeName(value)} has no length`);
}

function item(collection: Value, key: Value): Value {
  if (collection instanceof Map) {
    if (typeof key !== "string") {
      throw new TemplateFailed(`a map is indexed by string, not by ${typeName(key)}`);
    }
    const map = collection as ReadonlyMap<string, Value>;
    return map.get(key) ?? (collection instanceof LabelMap ? "" : null);
  }
  if (typeof collection !== "string" && !isList(collection)) {
    throw new TemplateFailed(`cannot index ${typeName(collection)}`);
  }
  const length = Number(lengthOf(collection));
  const index = position(key, length - 1);
  if (isList(collection)) return collection[index]!;
  // A byte, as in Go.
  return BigInt(new TextEncoder().encode(collection)[index]!);
}

function slice([collection, ...bounds]: ReadonlyArray<Value>): Value {
  if (typeof collection !== "string" && !isList(collection!)) {
    throw new TemplateFailed(`cannot slice ${typeName(collection!)}`);
  }
  if (bounds.length > 3 || (bounds.length > 2 && typeof collection === "string")) {
    throw new TemplateFailed(`slice takes two bounds, not ${bounds.length}`);
  }
  const length = Number(lengthOf(collection));
  const from = bounds[0] === undefined ? 0 : position(bounds[0], length);
  const to = bounds[1] === undefined ? length : position(bounds[1], length);
  if (bounds[2] !== undefined) position(bounds[2], length);
  if (from > to) {
    throw new TemplateFailed(`slice from ${from} to ${to}: the end is before the start`);
  }
  return typeof collection === "string"
    ? sliceBytes(collection, from, to)
    : collection.slice(from, to);
}

function position(key: Value, max: number): number {
  if (typeof key !== "bigint") {
    throw new TemplateFailed(`a position must be an integer, not ${typeName(key)}`);
  }
  if (key >= 0n && key <= BigInt(max)) return Number(key);
  throw new TemplateFailed(`index out of range: ${key}`);
}

const htmlEscapes: Readonly<Record<string, string>> = {
  "\0": "\ufffd",
  '"': "&#34;",
  "'": "&#39;",
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
};

function htmlEscape(text: string): string {
  return text.replace(/[\0"'&<>]/g, (character) => htmlEscapes[character]!);
}

function jsEscape(text: string): string {
  // deno-lint-ignore no-control-regex -- control characters are what is escaped
  return text.replace(/[\\'"<>&=\u0000-\u001f]|[\p{C}\p{Zl}\p{Zp}]/gu, (character) => {
    if (character === "\\" || character === "'" || character === '"') return `\\${character}`;
    const code = character.codePointAt(0)!;
    return `\\u${code.toString(16).toUpperCase().padStart(4, "0")}`;
  });
}
