/** What each printf verb makes of an operand. A list or a map has the verb done to each of its
 *  items. */
import { formatValue } from "../format.ts";
import { type FloatVerb, formatFloat } from "../formatFloat.ts";
import { GoTime } from "../goTime.ts";
import { timeText } from "../goTimeLayout.ts";
import { checkLength } from "../limits.ts";
import { type GoList, type GoMap, isList, sortedKeys, typeName, type Value } from "../value.ts";
import type { Directive } from "./printfDirective.ts";
import { quoted, quotedCharacter } from "./quote.ts";

export function applyVerb(directive: Directive, operand: Value): string {
  const { verb } = directive;
  if (verb === "T") return pad(directive, typeName(operand));
  if (operand === null) return verb === "v" ? pad(directive, "<nil>") : `%!${verb}(<nil>)`;
  switch (typeof operand) {
    case "boolean":
      return verb === "t" || verb === "v"
        ? pad(directive, String(operand))
        : mismatch(verb, operand);
    case "bigint":
      return formatInteger(directive, operand);
    case "number":
      return formatNumber(directive, operand);
    case "string":
      return formatText(directive, operand, operand);
    default:
      if (operand instanceof GoTime) return formatText(directive, timeText(operand), operand);
      return formatItems(directive, operand);
  }
}

/** `string=x`, as complaints name an operand. */
export function describeOperand(operand: Value): string {
  return operand === null ? "<nil>" : `${typeName(operand)}=${formatValue(operand)}`;
}

function mismatch(verb: string, operand: Value): string {
  return `%!${verb}(${describeOperand(operand)})`;
}

function formatItems(directive: Directive, operand: GoList | GoMap): string {
  const item = (value: Value) => {
    const text = value === null && directive.verb === "v" ? "<nil>" : applyVerb(directive, value);
    checkLength(length += text.length);
    return text;
  };
  let length = 0;
  const isGo = directive.verb === "v" && directive.sharp;
  if (isList(operand)) {
    const items = operand.map(item);
    return isGo ? `${typeName(operand)}{${items.join(", ")}}` : `[${items.join(" ")}]`;
  }
  const pairs = sortedKeys(operand).map((key) => `${item(key)}:${item(operand.get(key)!)}`);
  return isGo ? `${typeName(operand)}{${pairs.join(", ")}}` : `map[${pairs.join(" ")}]`;
}

const radixes: Readonly<Record<string, number>> = { b: 2, o: 8, O: 8, d: 10, v: 10, x: 16, X: 16 };

function formatInteger(directive: Directive, value: bigint): string {
  const { verb, sharp } = directive;
  if (verb === "c") return pad(directive, characterOf(value));
  if (verb === "q") return pad(directive, quotedCharacter(characterOf(value), directive.plus));
  if (verb === "U") {
    const size = value < 0n ? BigInt.asUintN(64, value) : value;
    const code = `U+${size.toString(16).toUpperCase().padStart(directive.precision ?? 4, "0")}`;
    return pad({ ...directive, zero: false }, sharp ? `${code} '${characterOf(value)}'` : code);
  }
  const radix = radixes[verb];
  if (radix === undefined) return mismatch(verb, value);
  const size = value < 0n ? -value : value;
  let digits = size.toString(radix);
  if (verb === "X") digits = digits.toUpperCase();
  const { precision, width, zero } = directive;
  if (precision === 0 && value === 0n) return pad({ ...directive, zero: false }, "");
  const sign = signOf(directive, value < 0n);
  if (precision !== null) digits = digits.padStart(precision, "0");
  else if (zero && width !== null) digits = digits.padStart(width - sign.length, "0");
  if (sharp && verb !== "v") {
    if (radix === 2) digits = `0b${digits}`;
    else if (radix === 16) digits = `0${verb}${digits}`;
    else if (radix === 8 && digits[0] !== "0") digits = `0${digits}`;
  }
  if (verb === "O") digits = `0o${digits}`;
  return pad({ ...directive, zero: false }, sign + digits);
}

function characterOf(value: bigint): string {
  const isCharacter = value >= 0n && value <= 0x10ffffn && (value < 0xd800n || value > 0xdfffn);
  return isCharacter ? String.fromCodePoint(Number(value)) : "\ufffd";
}

const floatVerbs: Readonly<Record<string, FloatVerb>> = {
  e: "e",
  E: "e",
  f: "f",
  F: "f",
  g: "g",
  G: "g",
  v: "g",
};

function formatNumber(directive: Directive, value: number): string {
  const { verb } = directive;
  const form = floatVerbs[verb];
  if (form === undefined) return mismatch(verb, value);
  const precision = directive.precision ?? (form === "g" ? null : 6);
  checkLength(precision ?? 0);
  let text = formatFloat(Math.abs(value), form, precision).replace(/^\+/, "");
  if (directive.sharp && verb !== "v") text = withPoint(text, form, directive.precision);
  if (verb === "E" || verb === "G") text = text.replace("e", "E");
  const isNegative = value < 0 || Object.is(value, -0);
  const isFinite = Number.isFinite(value);
  const sign = signOf({ ...directive, plus: directive.plus || value === Infinity }, isNegative);
  if (directive.zero && directive.width !== null && isFinite) {
    return sign + text.padStart(directive.width - sign.length, "0");
  }
  return pad({ ...directive, zero: false }, sign + text);
}

/** The # flag: always a point, and with g the zeros that it leaves out. */
function withPoint(text: string, form: FloatVerb, precision: number | null): string {
  if (!/^\d/.test(text)) return text;
  const [mantissa, exponent] = text.split("e");
  let whole = mantissa!.includes(".") ? mantissa! : `${mantissa}.`;
  if (form === "g") {
    const digits = whole.replace(".", "").replace(/^0+/, "").length;
    whole += "0".repeat(Math.max((precision ?? 6) - digits, 0));
  }
  return exponent === undefined ? whole : `${whole}e${exponent}`;
}

function signOf({ plus, space }: Directive, isNegative: boolean): string {
  return isNegative ? "-" : plus ? "+" : space ? " " : "";
}

function formatText(directive: Directive, text: string, operand: Value): string {
  const { verb, precision } = directive;
  const cut = precision === null ? text : [...text].slice(0, precision).join("");
  switch (verb) {
    case "v":
      return pad(directive, directive.sharp ? quoted(cut, false) : cut);
    case "s":
      return pad(directive, cut);
    case "q": {
      const isRaw = directive.sharp && !/[`\p{Cc}\ufeff]/u.test(cut.replaceAll("\t", ""));
      return pad(directive, isRaw ? `\`${cut}\`` : quoted(cut, directive.plus));
    }
    case "x":
    case "X":
      return pad({ ...directive, zero: false }, hexadecimal(directive, text));
    default:
      return mismatch(verb, operand);
  }
}

/** Bytes as two digits each; a space flag parts them, # puts 0x in front. */
function hexadecimal({ verb, precision, space, sharp }: Directive, text: string): string {
  const bytes = [...new TextEncoder().encode(text)].slice(0, precision ?? undefined);
  if (bytes.length === 0) return "";
  const pairs = bytes.map((byte) => byte.toString(16).padStart(2, "0"));
  const digits = space ? pairs.join(sharp ? " 0x" : " ") : pairs.join("");
  const whole = sharp ? `0x${digits}` : digits;
  return verb === "X" ? whole.toUpperCase() : whole;
}

/** To the width, in characters. */
function pad({ width, minus, zero }: Directive, text: string): string {
  if (width === null) return text;
  const missing = width - [...text].length;
  if (missing <= 0) return text;
  return minus ? text + " ".repeat(missing) : (zero ? "0" : " ").repeat(missing) + text;
}
