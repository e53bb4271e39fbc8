/** A line filter behind a stage that changes the line: asked row by row. ../lineFilter.ts owns those
 *  in front, which search whole blocks. Invariant: both say the same of the same line. */
import { byteSearch } from "../../streams/byteSearch.ts";
import { compileLineRegex } from "../../streams/regex.ts";
import type { LineFilter, LineFilterOp } from "../ast.ts";
import { planIp, planPattern, type RowTest } from "../rowTest.ts";
import type { RowStage } from "./stage.ts";

/** Throws RegexInvalid or a RangeError for what the parser would have refused. */
export function lineFilter({ op, operands }: LineFilter): RowStage {
  const tests = operands.map(({ type, value }) => operandTest(op, type, value));
  const negative = op.startsWith("!");
  return {
    apply: ({ line, lineStart, lineEnd }) => {
      for (const test of tests) if (test(line, lineStart, lineEnd)) return !negative;
      return negative;
    },
  };
}

function operandTest(op: LineFilterOp, type: "text" | "ip", value: string): RowTest {
  if (type === "ip") return planIp(value).test;
  if (op === "|=" || op === "!=") return textTest(value);
  if (op === "|>" || op === "!>") return planPattern(value).test;
  const regex = compileLineRegex(value);
  return (bytes, start, end) => regex.matches(bytes, start, end);
}

function textTest(text: string): RowTest {
  if (text === "") return () => true;
  const search = byteSearch(new TextEncoder().encode(text));
  return (bytes, start, end) => search(bytes, start, end) >= 0;
}
