/** Compiles regular expressions; the only file that knows re2js. Matching is RE2's: linear in the
 *  text, whatever the pattern. Time per byte still grows with the program, and the DFA's cache with
 *  its states, so both are bounded here. Invariant: a pattern that compiles can hold up a worker
 *  for no longer than its limits allow. */
import { RE2JS, RE2JSException } from "re2js";
import { byteSearch } from "./regexBytes.ts";
import { parseRegex, programSize } from "./regexSyntax.ts";

/** Longest pattern, in UTF-8 bytes. Alternatives of plain text in a label matcher need no program
 *  and may be longer. */
export const patternBytesMax = 16 * 1024;
/** Most instructions of a compiled program; a counted repetition is unrolled, so `\w{500}` takes
 *  about 1000. The worst pattern measured took 13 us a byte with 2000 instructions; usual ones take
 *  4 ns. */
export const programSizeMax = 4096;

/** A pattern that is malformed or too costly; `reason` says which and what to do. */
export class RegexInvalid extends Error {
  readonly _tag = "RegexInvalid";
  readonly pattern: string;
  readonly reason: string;

  constructor(pattern: string, reason: string) {
    super(`invalid regular expression ${quote(pattern)}: ${reason}`);
    this.name = "RegexInvalid";
    this.pattern = pattern;
    this.reason = reason;
  }
}

/** A compiled regular expression of label values: anchored at both ends, `.` matches newline. */
export interface ValueRegex {
  matches(value: string): boolean;
}

/** A compiled regular expression of lines: unanchored, `.` stops at newline, invalid UTF-8 reads as
 *  U+FFFD. */
export interface LineRegex {
  /** Whether `bytes[start..end)` has a match. Only those bytes are looked at: `^` holds at start,
   *  `$` at end. */
  matches(bytes: Uint8Array, start: number, end: number): boolean;
}

/** A compiled regular expression that finds groups in text; unanchored, `.` stops at newline. */
export interface TextRegex {
  /** The capture groups' names from group 1 on, "" for one without. */
  readonly names: ReadonlyArray<string>;
  test(text: string): boolean;
  /** The leftmost match that begins at `from` or later (UTF-16 units), null if there is none. Group
   *  k is text.slice(found[2 * k], found[2 * k + 1]), group 0 the match; -1 for one that took no
   *  part. */
  find(text: string, from: number): Int32Array | null;
}

/** Throws RegexInvalid. */
export function compileTextRegex(pattern: string): TextRegex {
  const regex = compile(pattern, 0);
  const names = groupNames(regex);
  return {
    names,
    test: (text) => regex.test(text),
    find: (text, from) => {
      const matcher = regex.matcher(text);
      if (!matcher.find(from)) return null;
      const found = new Int32Array(2 * names.length + 2);
      for (let group = 0; group <= names.length; group++) {
        found[2 * group] = matcher.start(group);
        found[2 * group + 1] = matcher.end(group);
      }
      return found;
    },
  };
}

/** A compiled regular expression of lines, asked for what its groups capture. */
export interface LineCaptures {
  /** By group, "" for the unnamed ones. */
  readonly names: ReadonlyArray<string>;
  /** Where the first match in bytes[start..end) and its groups lie, in pairs of start and end
   *  counted from `start`, -1 for a group that took no part; null if there is none. */
  find(bytes: Uint8Array, start: number, end: number): ArrayLike<number> | null;
}

/** Throws RegexInvalid. */
export function compileValueRegex(pattern: string): ValueRegex {
  const regex = compile(pattern, RE2JS.DOTALL);
  return { matches: (value) => regex.testExact(value) };
}

/** What a regex matched: the texts of its groups, 0 the whole; null for one that took no part. */
export interface GroupMatch {
  readonly groups: ReadonlyArray<string | null>;
  /** Numbers of the named groups. */
  readonly names: Readonly<Record<string, number>>;
}

/** A value regex that tells what its groups matched; null where it does not match. */
export interface GroupRegex {
  match(value: string): GroupMatch | null;
}

/** Throws RegexInvalid. */
export function compileGroupRegex(pattern: string): GroupRegex {
  const regex = compile(pattern, RE2JS.DOTALL);
  const names = regex.namedGroups();
  const groupCount = regex.groupCount();
  return {
    match: (value) => {
      const matcher = regex.matcher(value);
      if (!matcher.matches()) return null;
      const groups = Array.from({ length: groupCount + 1 }, (_, group) => matcher.group(group));
      return { groups, names };
    },
  };
}

/** Throws RegexInvalid. */
export function compileLineRegex(pattern: string): LineRegex {
  return { matches: byteSearch(compile(pattern, 0)) };
}

/** Throws RegexInvalid. */
export function compileCaptures(pattern: string): LineCaptures {
  const regex = compile(pattern, 0);
  const matches = byteSearch(regex);
  const machine = regex.re2();
  return {
    names: groupNames(regex),
    // Whether there is a match at all is known much sooner than where it lies.
    find: (bytes, start, end) =>
      matches(bytes, start, end) ? machine.findUTF8SubmatchIndex(bytes.subarray(start, end)) : null,
  };
}

/** The names of the capture groups in order, "" for the unnamed ones. Throws RegexInvalid. */
export function captureNames(pattern: string): ReadonlyArray<string> {
  return groupNames(compile(pattern, 0));
}

function groupNames(regex: RE2JS): ReadonlyArray<string> {
  const names = new Array<string>(regex.groupCount()).fill("");
  for (const [name, index] of Object.entries(regex.namedGroups())) names[index - 1] = name;
  return names;
}

function compile(pattern: string, flags: number): RE2JS {
  const bytes = new TextEncoder().encode(pattern).length;
  if (bytes > patternBytesMax) {
    throw new RegexInvalid(
      pattern,
      `it has ${bytes} bytes and the limit is ${patternBytesMax}; split it over several filters`,
    );
  }
  const tree = parseRegex(pattern);
  // Asked before compiling, since compiling is what a huge program makes slow.
  if (tree !== null) checkSize(pattern, programSize(tree) / 2);
  try {
    const regex = RE2JS.compile(pattern, flags);
    checkSize(pattern, regex.programSize());
    return regex;
  } catch (error) {
    if (error instanceof RE2JSException) throw new RegexInvalid(pattern, reasonOf(error));
    throw error;
  }
}

function checkSize(pattern: string, size: number): void {
  if (size <= programSizeMax) return;
  throw new RegexInvalid(
    pattern,
    `its program would have ${Math.ceil(size)} instructions and the limit is ${programSizeMax}; ` +
      "make counted repetitions such as {1,1000} smaller or open, as in + and *",
  );
}

function reasonOf(error: RE2JSException): string {
  const text = error.message.replace(/^error parsing regexp: /, "");
  const unsupported = /invalid or unsupported Perl syntax/.test(text);
  return unsupported ? `${text}; RE2 has no lookaround and no backreferences` : text;
}

function quote(pattern: string): string {
  return JSON.stringify(pattern.length > 200 ? `${pattern.slice(0, 200)}…` : pattern);
}
