/** The functions of LogQL's templates as their documentation describes them, one line each where JavaScript has the like. Values
 *  are texts, whole numbers (bigint), other numbers, truth, times, and what JSON holds. */
import { secondsOf, sizeOf } from "./values.ts";

export interface Time {
  readonly timeNs: bigint;
}

export type Value =
  | string
  | bigint
  | number
  | boolean
  | null
  | Time
  | ReadonlyArray<Value>
  | { readonly [name: string]: Value };

/** Nothing, zero and what is empty are false. */
export function isTrue(value: Value): boolean {
  if (value === null || value === "" || value === 0 || value === 0n || value === false) {
    return false;
  }
  if (Array.isArray(value)) return value.length > 0;
  return typeof value !== "object" || "timeNs" in value || Object.keys(value).length > 0;
}

/** As Go prints it. */
export function show(value: Value): string {
  if (value === null) return "<no value>";
  if (typeof value === "number") return showNumber(value);
  if (Array.isArray(value)) return `[${value.map(show).join(" ")}]`;
  if (typeof value === "object") {
    if ("timeNs" in value) throw new Error("times are shown by date");
    const pairs = Object.entries(value as Record<string, Value>).sort(([a], [b]) => a < b ? -1 : 1);
    return `map[${
      pairs.map(([name, inner]) => `${name}:${inner === null ? "<nil>" : show(inner)}`).join(" ")
    }]`;
  }
  return String(value);
}

/** %e from a million on, and below a ten-thousandth. */
function showNumber(value: number): string {
  if (Object.is(value, -0)) return "-0";
  const [digits, exponent] = value.toExponential().split("e") as [string, string];
  if (Number(exponent) >= -4 && Number(exponent) < 6 || !Number.isFinite(value)) {
    return String(value);
  }
  return `${digits}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
}

const text = (value: Value | undefined): string => {
  if (typeof value !== "string") throw new Error("a text is wanted");
  return value;
};
const time = (value: Value | undefined): bigint => (value as Time).timeNs;
const bytes = (value: string) => new TextEncoder().encode(value);
const bytesText = (value: Uint8Array) => new TextDecoder().decode(value);

/** Leniently: what is no whole number is 0. */
function int(value: Value | undefined): bigint {
  if (typeof value === "bigint") return value;
  if (typeof value === "number") return BigInt(Math.trunc(value));
  if (typeof value === "boolean") return value ? 1n : 0n;
  return typeof value === "string" && /^[+-]?\d+$/.test(value)
    ? BigInt(value.replace("+", ""))
    : 0n;
}

function float(value: Value | undefined): number {
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "number") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  return typeof value === "string" && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value)
    ? Number(value)
    : 0;
}

function known(value: number | null): number {
  if (value === null) throw new Error("cannot be read");
  return value;
}

function within(set: string, side: "both" | "left" | "right", subject: string): string {
  const characters = [...subject];
  let [start, end] = [0, characters.length];
  while (side !== "right" && start < end && set.includes(characters[start]!)) start++;
  while (side !== "left" && start < end && set.includes(characters[end - 1]!)) end--;
  return characters.slice(start, end).join("");
}

const spaces = " \t\n\v\f\r\u0085\u00a0";
const withoutPrefix = (prefix: string, subject: string) =>
  subject.startsWith(prefix) ? subject.slice(prefix.length) : subject;
const withoutSuffix = (suffix: string, subject: string) =>
  subject.endsWith(suffix) ? subject.slice(0, subject.length - suffix.length) : subject;

function replaceFirst(subject: string, from: string, to: string, count: number): string {
  const parts = subject.split(from);
  if (count < 0 || count >= parts.length) return parts.join(to);
  return [...parts.slice(0, count), parts.slice(count).join(from)].join(to);
}

function compare(a: Value, b: Value): number {
  if (typeof a !== typeof b) throw new Error("incompatible types");
  if (typeof a === "string") return a === b ? 0 : Buffer.compare(bytes(a), bytes(b as string));
  return a === b ? 0 : a! < b! ? -1 : 1;
}

/** Percent signs of printf with the verbs v, s, q, d, x, t, f. */
function printf(format: string, args: ReadonlyArray<Value>): string {
  let at = 0;
  return format.replace(
    /%(-?)(0?)(\d*)(?:\.(\d+))?([vsqdxtf%])/g,
    (_, minus, zero, width, digits, verb) => {
      if (verb === "%") return "%";
      const value = args[at++]!;
      const shown = verb === "q"
        ? goQuote(text(value))
        : verb === "x"
        ? typeof value === "bigint"
          ? value.toString(16)
          : Buffer.from(bytes(text(value))).toString("hex")
        : verb === "f"
        ? (value as number).toFixed(digits === undefined ? 6 : Number(digits))
        : verb === "t" && typeof value === "string"
        ? `%!t(string=${value})`
        : show(value);
      const missing = Math.max(0, Number(width || 0) - [...shown].length);
      if (minus !== "") return shown + " ".repeat(missing);
      if (zero !== "" && shown.startsWith("-")) return `-${"0".repeat(missing)}${shown.slice(1)}`;
      return (zero !== "" ? "0" : " ").repeat(missing) + shown;
    },
  );
}

function goQuote(subject: string): string {
  const named: Readonly<Record<string, string>> = {
    "\n": "\\n",
    "\t": "\\t",
    "\r": "\\r",
    '"': '\\"',
    "\\": "\\\\",
  };
  return `"${
    [...subject].map((c) =>
      named[c] ?? (c < " " ? `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}` : c)
    ).join("")
  }"`;
}

const queryEscape = (subject: string) =>
  encodeURIComponent(subject).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  )
    .replaceAll("%20", "+");
const escapeHtml = (subject: string) =>
  subject.replace(
    /[<>&'"]/g,
    (c) => ({ "<": "&lt;", ">": "&gt;", "&": "&amp;", "'": "&#39;" }[c] ?? "&#34;"),
  );
const escapeJs = (subject: string) =>
  [...subject.replace(/[\\'"]/g, "\\$&")].map((c) =>
    c < " " || "<>&=".includes(c)
      ? `\\u${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`
      : c
  ).join("");

/** A letter at the start, or after an ASCII sign that is no letter, digit or underscore. */
function title(subject: string): string {
  const characters = [...subject];
  return characters.map((c, index) => {
    const before = characters[index - 1] ?? " ";
    const startsWord = before < "\x80" && !/\w/.test(before);
    return startsWord && /\p{Ll}/u.test(c) ? c.toUpperCase() : c;
  }).join("");
}

/** Layouts of times that are known here. */
export const layouts: Readonly<Record<string, (iso: string, ns: bigint) => string>> = {
  "2006-01-02": (iso) => iso.slice(0, 10),
  "15:04:05": (iso) => iso.slice(11, 19),
  "2006-01-02T15:04:05.000Z07:00": (iso) => iso,
  "15:04:05.000000000": (iso, ns) =>
    `${iso.slice(11, 19)}.${String(ns % 1_000_000_000n).padStart(9, "0")}`,
};

function formatTime(layout: string, ns: bigint): string {
  return layouts[layout]!(new Date(Number(ns / 1_000_000n)).toISOString(), ns);
}

function parseTime(layout: string, subject: string): Time {
  if (layout !== "2006-01-02" || !/^\d{4}-\d\d-\d\d$/.test(subject)) throw new Error("not a date");
  return { timeNs: BigInt(Date.parse(`${subject}T00:00:00Z`)) * 1_000_000n };
}

function align(width: Value, subject: string, toRight: boolean): string {
  const characters = [...subject];
  const count = Number(width);
  if (characters.length >= count) {
    return (toRight ? characters.slice(characters.length - count) : characters.slice(0, count))
      .join("");
  }
  const padding = " ".repeat(count - characters.length);
  return toRight ? padding + subject : subject + padding;
}

function cut(subject: string, start: number, end: number): string {
  const all = bytes(subject);
  if (start > end || end > all.length) throw new Error("out of range");
  return bytesText(all.subarray(start, end));
}

function indent(width: Value, subject: string): string {
  const padding = " ".repeat(Number(width));
  return padding + subject.replaceAll("\n", `\n${padding}`);
}

function rounded(value: number, digits: number): number {
  const power = 10 ** digits;
  return Math.sign(value) * Math.round(Math.abs(value) * power) / power;
}

function truncated(count: number, subject: string): string {
  const length = bytes(subject).length;
  if (count < 0) return length + count > 0 ? cut(subject, length + count, length) : subject;
  return length > count ? cut(subject, 0, count) : subject;
}

function divided(a: bigint, b: bigint): bigint {
  if (b === 0n) throw new Error("division by zero");
  return a / b;
}

/** Arguments in the order of the documentation; the piped one is last. */
export const functions: Readonly<Record<string, (...args: ReadonlyArray<Value>) => Value>> = {
  ToLower: (s) => text(s).toLowerCase(),
  ToUpper: (s) => text(s).toUpperCase(),
  lower: (s) => text(s).toLowerCase(),
  upper: (s) => text(s).toUpperCase(),
  title: (s) => title(text(s)),
  Trim: (s, set) => within(text(set), "both", text(s)),
  TrimLeft: (s, set) => within(text(set), "left", text(s)),
  TrimRight: (s, set) => within(text(set), "right", text(s)),
  TrimPrefix: (s, prefix) => withoutPrefix(text(prefix), text(s)),
  TrimSuffix: (s, suffix) => withoutSuffix(text(suffix), text(s)),
  TrimSpace: (s) => within(spaces, "both", text(s)),
  trim: (s) => within(spaces, "both", text(s)),
  trimAll: (set, s) => within(text(set), "both", text(s)),
  trimPrefix: (prefix, s) => withoutPrefix(text(prefix), text(s)),
  trimSuffix: (suffix, s) => withoutSuffix(text(suffix), text(s)),
  Replace: (s, from, to, count) => replaceFirst(text(s), text(from), text(to), Number(count)),
  replace: (from, to, s) => text(s).replaceAll(text(from), () => text(to)),
  regexReplaceAll: (re, s, to) =>
    text(s).replace(new RegExp(text(re), "gu"), text(to).replace(/\$\{(\d)\}/g, "$$$1")),
  regexReplaceAllLiteral: (re, s, to) =>
    text(s).replace(new RegExp(text(re), "gu"), () => text(to)),
  count: (re, s) => BigInt([...text(s).matchAll(new RegExp(text(re), "gu"))].length),
  trunc: (count, s) => truncated(Number(count), text(s)),
  substr: (start, end, s) => {
    const [from, to, length] = [Number(start), Number(end), bytes(text(s)).length];
    return from < 0 ? cut(text(s), 0, to) : cut(text(s), from, to < 0 || to > length ? length : to);
  },
  slice: (s, start, end) =>
    cut(text(s), Number(start), end === undefined ? bytes(text(s)).length : Number(end)),
  contains: (part, s) => text(s).includes(text(part)),
  hasPrefix: (prefix, s) => text(s).startsWith(text(prefix)),
  hasSuffix: (suffix, s) => text(s).endsWith(text(suffix)),
  repeat: (count, s) => text(s).repeat(Number(count)),
  indent: (width, s) => indent(width!, text(s)),
  nindent: (width, s) => `\n${indent(width!, text(s))}`,
  alignLeft: (width, s) => align(width!, text(s), false),
  alignRight: (width, s) => align(width!, text(s), true),
  default: (fallback, value) => isTrue(value ?? null) ? value! : fallback!,
  urlencode: (s) => queryEscape(text(s)),
  urlquery: (s) => queryEscape(show(s!)),
  urldecode: (s) => decodeURIComponent(text(s).replaceAll("+", " ")),
  b64enc: (s) => Buffer.from(bytes(text(s))).toString("base64"),
  b64dec: (s) => Buffer.from(text(s), "base64").toString(),
  html: (s) => escapeHtml(show(s!)),
  js: (s) => escapeJs(show(s!)),
  print: (...args) =>
    args.map((arg, index) =>
      (index > 0 && typeof arg !== "string" && typeof args[index - 1] !== "string" ? " " : "") +
      show(arg)
    ).join(""),
  println: (...args) => `${args.map(show).join(" ")}\n`,
  printf: (format, ...args) => printf(text(format), args),
  len: (s) => BigInt(bytes(text(s)).length),
  index: (object, key) => {
    if (typeof object === "string") {
      const byte = bytes(object)[Number(key)];
      if (byte === undefined) throw new Error("out of range");
      return BigInt(byte);
    }
    if (object === null || typeof object !== "object") throw new Error("index of nothing");
    if (Array.isArray(object)) {
      if (typeof key !== "bigint") throw new Error("no number");
      return (object as Value[])[Number(key)]!;
    }
    return (object as Record<string, Value>)[text(key)] ?? null;
  },
  not: (value) => !isTrue(value!),
  eq: (a, ...others) => others.some((b) => compare(a!, b) === 0),
  ne: (a, b) => compare(a!, b!) !== 0,
  lt: (a, b) => compare(a!, b!) < 0,
  le: (a, b) => compare(a!, b!) <= 0,
  gt: (a, b) => compare(a!, b!) > 0,
  ge: (a, b) => compare(a!, b!) >= 0,
  int,
  float64: float,
  add: (...args) => args.map(int).reduce((a, b) => a + b, 0n),
  sub: (a, b) => int(a) - int(b),
  mul: (...args) => args.map(int).reduce((a, b) => a * b, 1n),
  div: (a, b) => divided(int(a), int(b)),
  mod: (a, b) => int(a) - divided(int(a), int(b)) * int(b),
  max: (...args) => args.map(int).reduce((a, b) => a > b ? a : b),
  min: (...args) => args.map(int).reduce((a, b) => a < b ? a : b),
  // In decimals, which have no negative zero.
  addf: (...args) => args.map(float).reduce((a, b) => a + b) + 0,
  subf: (...args) => args.map(float).reduce((a, b) => a - b) + 0,
  mulf: (...args) => args.map(float).reduce((a, b) => a * b) + 0,
  divf: (...args) => args.map(float).reduce((a, b) => a / b) + 0,
  maxf: (...args) => Math.max(...args.map(float)),
  minf: (...args) => Math.min(...args.map(float)),
  ceil: (value) => Math.ceil(float(value)),
  floor: (value) => Math.floor(float(value)),
  round: (value, digits) => rounded(float(value), Number(digits)),
  bytes: (s) => known(sizeOf(text(s))),
  duration: (s) => known(secondsOf(text(s))),
  duration_seconds: (s) => known(secondsOf(text(s))),
  unixEpoch: (t) => String(time(t) / 1_000_000_000n),
  unixEpochMillis: (t) => String(time(t) / 1_000_000n),
  unixEpochNanos: (t) => String(time(t)),
  unixToTime: (s) => {
    const units: Readonly<Record<number, bigint>> = {
      5: 86_400_000_000_000n,
      10: 1_000_000_000n,
      13: 1_000_000n,
      16: 1000n,
      19: 1n,
    };
    const unit = units[text(s).length];
    if (unit === undefined || !/^\d+$/.test(text(s))) throw new Error("no time");
    return { timeNs: BigInt(text(s)) * unit };
  },
  toDate: (layout, s) => parseTime(text(layout), text(s)),
  toDateInZone: (layout, zone, s) => {
    const offsets: Readonly<Record<string, bigint>> = { UTC: 0n, "Asia/Tokyo": 9n };
    return {
      timeNs: parseTime(text(layout), text(s)).timeNs - offsets[text(zone)]! * 3_600_000_000_000n,
    };
  },
  date: (layout, t) => formatTime(text(layout), time(t)),
  fromJson: (s) => {
    try {
      return JSON.parse(text(s)) as Value;
    } catch {
      return null;
    }
  },
};
