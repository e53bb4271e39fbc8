/** How the texts of labels read as numbers, durations, sizes and addresses, and how regular expressions match: by JavaScript's
 *  engine, for the patterns where it agrees with RE2. */

/** A label's number, as Go's ParseFloat reads it; null if it is none. */
export function numberOf(text: string): number | null {
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) {
    return Number.isFinite(Number(text)) ? Number(text) : null;
  }
  const infinite = /^([+-]?)inf(inity)?$/i.exec(text);
  if (infinite !== null) return infinite[1] === "-" ? -Infinity : Infinity;
  return /^nan$/i.test(text) ? NaN : null;
}

const unitSeconds: Readonly<Record<string, number>> = {
  ns: 1e-9,
  us: 1e-6,
  "µs": 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3600,
};

/** A label's duration in seconds, in Go's syntax (no days, no weeks); null if it is none. */
export function secondsOf(text: string): number | null {
  if (/^[+-]?0$/.test(text)) return 0;
  const match = /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+)$/.exec(text);
  if (match === null) return null;
  let ns = 0;
  for (const [, value, unit] of match[2]!.matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/g)) {
    ns += Math.trunc(Math.round(Number(value) * unitSeconds[unit!]! * 1e12) / 1e3);
  }
  return (match[1] === "-" ? -ns : ns) / 1e9;
}

/** A label's size in bytes, KB being 1000 and KiB 1024, the unit optional; null if it is none. */
export function sizeOf(text: string): number | null {
  const match = /^(\d+\.?\d*|\.\d+) *([kmgtpe]?)(i?)b?$/i.exec(text);
  if (match === null || match[2] === "" && match[3] !== "") return null;
  const power = "kmgtpe".indexOf(match[2]!.toLowerCase()) + 1;
  const factor = match[2] === "" ? 1 : (match[3] === "" ? 1000 : 1024) ** power;
  return Math.trunc(Number(match[1]) * factor);
}

/** Whether the whole text is an address that `ip("…")` names. */
function ipMatches(text: string, pattern: string): boolean {
  const address = addressOf(text);
  if (address === null) return false;
  const [first, last] = rangeOf(pattern);
  return first.bits === address.bits && address.value >= first.value && address.value <= last.value;
}

/** Whether some address in the text is one that `ip("…")` names. */
export function ipIn(text: string, pattern: string): boolean {
  const isV6 = rangeOf(pattern)[0].bits === 128;
  const runs = text.match(isV6 ? /[0-9a-fA-F:.]+/g : /[0-9.]+/g) ?? [];
  return runs.some((run) =>
    ipMatches(run, pattern) || ipMatches(run.replace(/[:.]+$/, ""), pattern)
  );
}

interface Address {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

function rangeOf(pattern: string): readonly [Address, Address] {
  const [first, last] = pattern.split("-");
  if (last !== undefined) return [addressOf(first!.trim())!, addressOf(last.trim())!];
  const [base, prefix] = pattern.split("/");
  const address = addressOf(base!.trim())!;
  const host = (1n << BigInt(address.bits - Number(prefix ?? address.bits))) - 1n;
  return [
    { ...address, value: address.value - (address.value & host) },
    { ...address, value: address.value | host },
  ];
}

function addressOf(text: string): Address | null {
  const octets = text.split(".");
  if (
    octets.length === 4 &&
    octets.every((octet) => /^(0|[1-9]\d{0,2})$/.test(octet) && Number(octet) < 256)
  ) {
    return { bits: 32, value: octets.reduce((sum, octet) => sum * 256n + BigInt(octet), 0n) };
  }
  const [head, tail, ...rest] = text.split("::");
  if (!text.includes(":") || rest.length > 0) return null;
  const groups = (part: string | undefined) =>
    part === undefined || part === "" ? [] : part.split(":");
  const left = groups(head);
  const right = groups(tail);
  const zeros = 8 - left.length - right.length;
  if (tail === undefined ? zeros !== 0 : zeros < 1) return null;
  const all = [...left, ...new Array<string>(zeros).fill("0"), ...right];
  if (!all.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return null;
  return { bits: 128, value: all.reduce((sum, group) => sum * 65536n + BigInt(`0x${group}`), 0n) };
}

/** RE2's pattern for lines: unanchored, `.` stops at a newline. */
export function lineRegex(pattern: string): RegExp {
  return translate(pattern, "");
}

/** RE2's pattern for values of labels: anchored, `.` matches a newline. */
export function valueRegex(pattern: string): RegExp {
  const flags = /^\(\?([ims]+)\)/.exec(pattern);
  const rest = pattern.slice(flags?.[0].length ?? 0);
  return translate(`${flags?.[0] ?? ""}^(?:${rest})$`, "s");
}

function translate(pattern: string, flags: string): RegExp {
  const inline = /^\(\?([ims]+)\)/.exec(pattern);
  const source = pattern.slice(inline?.[0].length ?? 0).replaceAll("(?P<", "(?<")
    // RE2 lets any punctuation be escaped.
    .replace(
      /\\([-"'`<>=:;,@#%&!~_ ])/g,
      (_, sign: string) => `\\u{${sign.charCodeAt(0).toString(16)}}`,
    );
  const all = new Set([...flags, ...inline?.[1] ?? "", "u"]);
  return new RegExp(source, [...all].join(""));
}

/** Whether a matcher of a selector, a label filter, drop or keep accepts a value; a missing label reads as "". */
export function matcherAccepts(op: string, expected: string, value: string): boolean {
  switch (op) {
    case "=":
      return value === expected;
    case "!=":
      return value !== expected;
    case "=~":
      return valueRegex(expected).test(value);
    default:
      return !valueRegex(expected).test(value);
  }
}
