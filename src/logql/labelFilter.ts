/** Label filters: `| level="error" and (status >= 500 or took > 1s)`, one test of a row each.
 *  labelFilterParser.ts owns the syntax, labelValue.ts how values read as numbers. Invariant: a
 *  missing label reads as "" in a string filter and drops the row in any other; a value that cannot
 *  be read keeps it, with __error__ set unless it was before. */
import { makeMatcher } from "../streams/matcher.ts";
import type { CompareOp, LabelMatcher, Predicate } from "./ast.ts";
import { bytesHaveIp, parseIpRange } from "./ip.ts";
import { type Conversion, readerOf, readFailed } from "./labelValue.ts";
import type { NameTable } from "./nameTable.ts";
import type { Row } from "./row.ts";
import type { RowStage } from "./stages/stage.ts";

/** A compiled predicate. */
export interface LabelTest extends RowStage {
  /** The answer for every row of a stream, as long as no stage has changed labels; null if it
   *  depends on the row, or has to set an error. */
  decide(stream: ReadonlyMap<string, string>): boolean | null;
  /** Whether it may set __error__ in a row that it keeps. */
  readonly setsErrors: boolean;
}

/** Compiles a predicate; the table gets the names that it mentions. `withinOr` says that a row may pass
 *  although this predicate fails. Throws RegexInvalid or a RangeError for what the parser would have
 *  refused. */
export function compilePredicate(
  predicate: Predicate,
  names: NameTable,
  withinOr = false,
): LabelTest {
  switch (predicate.kind) {
    case "LabelMatcher":
      return stringTest(predicate, names);
    case "NumberPredicate":
      return numberTest(predicate.name, "number", predicate.op, predicate.value, names);
    case "DurationPredicate": {
      const valueNs = Number(predicate.valueNs);
      return numberTest(predicate.name, "duration", predicate.op, valueNs, names);
    }
    case "BytesPredicate":
      return numberTest(predicate.name, "bytes", predicate.op, predicate.valueBytes, names);
    case "IpPredicate":
      return ipTest(predicate.name, predicate.op === "!=", predicate.value, names);
    case "LogicalPredicate": {
      const isOr = predicate.op === "or";
      const left = compilePredicate(predicate.left, names, withinOr || isOr);
      const right = compilePredicate(predicate.right, names, withinOr || isOr);
      return isOr ? eitherTest(left, right) : bothTests(left, right, withinOr);
    }
  }
}

/** The test of a matcher's value, for string filters, drop and keep. */
export function valueTest({ name, op, value }: LabelMatcher): (row: Row, slot: number) => boolean {
  const matcher = makeMatcher(name, op, value);
  const alternatives = matcher.setMatches?.map((text) => encoder.encode(text));
  if (alternatives === undefined) return (row, slot) => matcher.matches(row.text(slot) ?? "");
  const { negated } = matcher;
  return (row, slot) => {
    for (let index = 0; index < alternatives.length; index++) {
      if (row.equals(slot, alternatives[index]!)) return !negated;
    }
    return negated;
  };
}

const encoder = new TextEncoder();

function stringTest(predicate: LabelMatcher, names: NameTable): LabelTest {
  const slot = names.require(predicate.name);
  const test = valueTest(predicate);
  const matcher = makeMatcher(predicate.name, predicate.op, predicate.value);
  return {
    apply: predicate.name !== "__error__" ? (row) => test(row, slot) : (row) => {
      const passes = test(row, slot);
      if (passes && row.hasError) row.errorWanted = true;
      return passes;
    },
    decide: (stream) => {
      const value = stream.get(predicate.name);
      return value === undefined ? null : matcher.matches(value);
    },
    setsErrors: false,
  };
}

function numberTest(
  name: string,
  conversion: Conversion,
  op: CompareOp,
  wanted: number,
  names: NameTable,
): LabelTest {
  const slot = names.require(name);
  const read = readerOf(conversion);
  const holds = comparisons[op];
  // The same for every value: rows are grouped by it, as by any label.
  const complaint = `the value of ${name} is no ${conversionNouns[conversion]}`;
  return {
    apply: (row) => {
      if (!row.has(slot)) return false;
      const value = read(row.sources[slot]!, row.starts[slot]!, row.ends[slot]!);
      if (!readFailed()) return holds(value, wanted);
      row.setError("LabelFilterErr", complaint);
      return true;
    },
    decide: (stream) => {
      const text = stream.get(name);
      if (text === undefined) return null;
      const bytes = encoder.encode(text);
      const value = read(bytes, 0, bytes.length);
      return !readFailed() ? holds(value, wanted) : null;
    },
    setsErrors: true,
  };
}

const conversionNouns = { number: "number", duration: "duration", bytes: "size" } as const;

const comparisons: Readonly<Record<CompareOp, (value: number, wanted: number) => boolean>> = {
  "==": (value, wanted) => value === wanted,
  "!=": (value, wanted) => value !== wanted,
  ">": (value, wanted) => value > wanted,
  ">=": (value, wanted) => value >= wanted,
  "<": (value, wanted) => value < wanted,
  "<=": (value, wanted) => value <= wanted,
};

function ipTest(name: string, negated: boolean, text: string, names: NameTable): LabelTest {
  const slot = names.require(name);
  const range = parseIpRange(text);
  if (range === null) throw new RangeError(`invalid IP pattern ${JSON.stringify(text)}`);
  return {
    apply: (row) => {
      if (!row.has(slot)) return false;
      const found = bytesHaveIp(row.sources[slot]!, row.starts[slot]!, row.ends[slot]!, range);
      return found !== negated;
    },
    decide: (stream) => {
      const value = stream.get(name);
      if (value === undefined) return null;
      const bytes = encoder.encode(value);
      return bytesHaveIp(bytes, 0, bytes.length, range) !== negated;
    },
    setsErrors: false,
  };
}

/** Both sides are looked at even if the left one fails, as in Loki: the right one may mark a row with an
 *  error. That shows only where the row may pass nevertheless. */
function bothTests(left: LabelTest, right: LabelTest, withinOr: boolean): LabelTest {
  return {
    apply: withinOr && right.setsErrors
      ? (row) => {
        const passesLeft = left.apply(row);
        return right.apply(row) && passesLeft;
      }
      : (row) => left.apply(row) && right.apply(row),
    decide: (stream) => {
      const [first, second] = [left.decide(stream), right.decide(stream)];
      if (first === false || second === false) return false;
      return first === null || second === null ? null : true;
    },
    setsErrors: left.setsErrors || right.setsErrors,
  };
}

function eitherTest(left: LabelTest, right: LabelTest): LabelTest {
  return {
    apply: (row) => left.apply(row) || right.apply(row),
    decide: (stream) => {
      const first = left.decide(stream);
      if (first === true) return true;
      const second = right.decide(stream);
      // A left side that may set an error has to run even if the right side holds.
      if (second === true && !left.setsErrors) return true;
      return first === false && second === false ? false : null;
    },
    setsErrors: left.setsErrors || right.setsErrors,
  };
}
