/** What templates of stages can call beyond LogQL's functions: Promtail's Hash and Sha2Hash, and of
 *  the Sprig library, which Promtail has whole, what log pipelines use. Subjects come last, as in
 *  Sprig (http://masterminds.github.io/sprig/). */
import { digestHex, type DigestName } from "../../platform/digest.ts";
import { compileTextRegex, RegexInvalid, type TextRegex } from "../../streams/regex.ts";
import { formatValue } from "../../logql/templates/format.ts";
import {
  fixed,
  type FunctionTable,
  logqlFunctions,
  TemplateFailed,
  type Value,
} from "../../logql/templates/mod.ts";
import { variadic } from "../../logql/templates/functions/templateFunction.ts";
import { isList, isTrue } from "../../logql/templates/value.ts";

const sum = (name: DigestName) => fixed(["string"], (text) => digestHex(name, text));

export const templateFunctions: FunctionTable = new Map([
  ...logqlFunctions,
  ["Hash", fixed(["string", "string"], (salt, text) => digestHex("sha3-256", salt + text))],
  ["Sha2Hash", fixed(["string", "string"], (salt, text) => digestHex("sha256", salt + text))],
  ["sha1sum", sum("sha1")],
  ["sha256sum", sum("sha256")],
  ["sha512sum", sum("sha512")],
  ["regexMatch", fixed(["string", "string"], (pattern, text) => regexOf(pattern).test(text))],
  ["regexFind", fixed(["string", "string"], (pattern, text) => findText(pattern, text))],
  ["empty", fixed(["any"], (value) => !isTrue(value))],
  ["coalesce", variadic([], (values) => values.find(isTrue) ?? null)],
  ["ternary", fixed(["any", "any", "any"], (yes, no, test) => isTrue(test) ? yes : no)],
  ["quote", variadic([], (values) => texts(values).map((text) => JSON.stringify(text)).join(" "))],
  ["squote", variadic([], (values) => texts(values).map((text) => `'${text}'`).join(" "))],
  ["cat", variadic([], (values) => texts(values).join(" "))],
  ["nospace", fixed(["string"], (text) => text.replace(/\s/gu, ""))],
  ["toString", fixed(["any"], (value) => value === null ? "" : formatValue(value))],
  ["atoi", fixed(["string"], (text) => /^[-+]?\d{1,18}$/.test(text) ? BigInt(text) : 0n)],
  ["list", variadic([], (values) => [...values])],
  ["first", fixed(["any"], (list) => listOf(list)[0] ?? null)],
  ["last", fixed(["any"], (list) => listOf(list).at(-1) ?? null)],
  ["has", fixed(["any", "any"], (item, list) => listOf(list).includes(item))],
  ["join", fixed(["string", "any"], (separator, list) => texts(listOf(list)).join(separator))],
  ["splitList", fixed(["string", "string"], (separator, text) => text.split(separator))],
  ["split", fixed(["string", "string"], (separator, text) => numbered(text.split(separator)))],
]);

/** Sprig's split answers a map: `(split "/" .path)._1`. */
function numbered(parts: ReadonlyArray<string>): Value {
  return new Map(parts.map((part, index): [string, Value] => [`_${index}`, part]));
}

function texts(values: ReadonlyArray<Value>): ReadonlyArray<string> {
  return values.flatMap((value) => value === null ? [] : formatValue(value));
}

function listOf(value: Value): ReadonlyArray<Value> {
  if (isList(value)) return value;
  throw new TemplateFailed(`needs a list, such as splitList and list answer`);
}

function findText(pattern: string, text: string): string {
  const found = regexOf(pattern).find(text, 0);
  return found === null ? "" : text.slice(found[0], found[1]);
}

const regexesMax = 64;
const compiled = new Map<string, TextRegex>();

/** Patterns are nearly always constants, so few are kept for many entries. */
function regexOf(pattern: string): TextRegex {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  if (compiled.size >= regexesMax) compiled.clear();
  try {
    const regex = compileTextRegex(pattern);
    compiled.set(pattern, regex);
    return regex;
  } catch (error) {
    throw error instanceof RegexInvalid ? new TemplateFailed(error.message) : error;
  }
}
