/** A label matcher, `name op "value"`: which label values it accepts, and which values an index can
 *  look up instead of trying all. logql/ parses it, labels.ts owns label sets. Invariant: where
 *  `setMatches` is given, it decides alone. */
import type { Labels } from "./labels.ts";
import { compileValueRegex } from "./regex.ts";
import { exactStrings } from "./regexLiterals.ts";

export type MatchOp = "=" | "!=" | "=~" | "!~";

/** The part of a matcher that crosses worker boundaries; makeMatcher makes it whole again. */
export interface MatcherDescription {
  readonly name: string;
  readonly op: MatchOp;
  readonly value: string;
}

export interface Matcher extends MatcherDescription {
  /** Whether the op is `!=` or `!~`. */
  readonly negated: boolean;
  /** Whether a stream without the label passes: a missing label reads as "". */
  readonly matchesEmpty: boolean;
  /** The finite set of values that the value names, sorted: the one of `=` and `!=`, the
   *  alternatives of a regex such as `a|b|c`. A value passes if it is among them, or with `negated`
   *  if it is not. Null for any other regex. */
  readonly setMatches: ReadonlyArray<string> | null;
  matches(value: string): boolean;
}

/** Regexes are RE2, anchored at both ends, and `.` matches newline. Throws RegexInvalid. */
export function makeMatcher(name: string, op: MatchOp, value: string): Matcher {
  const negated = op === "!=" || op === "!~";
  const setMatches = op === "=" || op === "!=" ? [value] : literalAlternatives(value);
  const accepts = setMatches === null ? regexTest(value) : setTest(setMatches);
  const matches = negated ? (text: string) => !accepts(text) : accepts;
  return { name, op, value, negated, setMatches, matches, matchesEmpty: matches("") };
}

/** Whether a label set passes every matcher. */
export function matchAll(matchers: ReadonlyArray<Matcher>, labels: Labels): boolean {
  return matchers.every((matcher) => matcher.matches(labelValue(labels, matcher.name)));
}

/** What can be sent to another thread. */
export function describeMatcher(matcher: Matcher): MatcherDescription {
  return { name: matcher.name, op: matcher.op, value: matcher.value };
}

function labelValue(labels: Labels, name: string): string {
  for (const [candidate, value] of labels) {
    if (candidate === name) return value;
  }
  return "";
}

function setTest(values: ReadonlyArray<string>): (value: string) => boolean {
  if (values.length === 1) return (value) => value === values[0];
  const set = new Set(values);
  return (value) => set.has(value);
}

function regexTest(pattern: string): (value: string) => boolean {
  const regex = compileValueRegex(pattern);
  // The two that dashboards send for "all"; they spare a million values the regex engine.
  if (pattern === ".*") return () => true;
  if (pattern === ".+") return (value) => value !== "";
  return (value) => regex.matches(value);
}

/** Patterns without any operator but `|` need no program, so a dashboard's thousand selected values
 *  have no size limit. All others are compiled even if their values are few, because only RE2 knows
 *  whether they are valid. */
function literalAlternatives(pattern: string): ReadonlyArray<string> | null {
  if (/^[^\\.+*?()[\]{}^$]*$/.test(pattern)) return [...new Set(pattern.split("|"))].sort();
  compileValueRegex(pattern);
  return exactStrings(pattern);
}
