/** One line filter of LogQL asked of one line at a time, as `match` stages need it. The filters of
 *  queries (src/logql/lineFilter.ts) search whole blocks in a kernel, which does not pay for a line. */
import type { LineFilter, LineFilterOp, LineFilterOperand } from "../../logql/ast.ts";
import { planIp, planPattern, planRegex, type RowTest } from "../../logql/rowTest.ts";

/** Whether a line passes the filter. Throws RegexInvalid for what the parser would have refused. */
export function lineTest({ op, operands }: LineFilter): RowTest {
  const tests = operands.map((operand) => operandTest(op, operand));
  const matches = anyOf(tests);
  if (!op.startsWith("!")) return matches;
  return (bytes, start, end) => !matches(bytes, start, end);
}

function operandTest(op: LineFilterOp, { type, value }: LineFilterOperand): RowTest {
  if (type === "ip") return planIp(value).test;
  if (op === "|~" || op === "!~") return regexTest(value);
  if (op === "|>" || op === "!>") return planPattern(value).test;
  return contains(value);
}

/** Whether a line has a match of a regular expression. One that only asks for texts is a search for
 *  them. Throws RegexInvalid. */
export function regexTest(pattern: string): RowTest {
  const { literals, test } = planRegex(pattern);
  if (literals.kind !== "contains" || literals.needles.some(({ fold }) => fold)) return test;
  return anyOf(literals.needles.map(({ text }) => contains(text)));
}

function anyOf(tests: ReadonlyArray<RowTest>): RowTest {
  if (tests.length === 1) return tests[0]!;
  return (bytes, start, end) => tests.some((test) => test(bytes, start, end));
}

function contains(needle: string): RowTest {
  const text = new TextEncoder().encode(needle);
  const length = text.length;
  if (length === 0) return () => true;
  const first = text[0]!;
  return (bytes, start, end) => {
    const last = end - length;
    for (let at = start; at <= last; at++) {
      if (bytes[at] !== first) continue;
      let matched = 1;
      while (matched < length && bytes[at + matched] === text[matched]) matched++;
      if (matched === length) return true;
    }
    return false;
  };
}
