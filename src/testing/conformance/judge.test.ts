/** The judge of conformance cases itself: each kind of difference must be seen, and files that are not understood refused. */
import t from "tap";
import { epochNs, parseCaseFile } from "./caseFile.ts";
import { formatValue } from "./expectation.ts";
import { type Answer, compareAnswers, judge } from "./judge.ts";
import { answerByReference } from "./referenceAnswer.ts";

const [section] = parseCaseFile(
  "test",
  `== lines
load {app="a"}
  1 one
  2 +{trace="t"} two
  2 three

logs {app="a"}
  2#2
  1
  2#1
instant count_over_time({app="a"}[1m])
  {app="a"} 2
  {app="a", trace="t"} 1
instant 1 + 1
  scalar 2
logs {app=}
  ! 400 1:6 expected ... a string
get /path
  {"a":[1,2],"b":{"c":"d"}}
`,
);
const [lines, vector, scalar, error, json] = section!.cases;

/** Whether the judge accepts an answer. */
function f(test: typeof lines, answer: Answer, accepted: boolean, name: string): void {
  t.equal(judge(test!, section!.rows, answer) === null, accepted, name);
}

const line = (seconds: number, text: string, more: Record<string, string> = {}) => ({
  labels: { app: "a", ...more },
  timestampNs: epochNs + BigInt(seconds) * 1_000_000_000n,
  line: text,
});
const asLines = (...all: Array<ReturnType<typeof line>>): Answer => ({ kind: "lines", lines: all });
const two = line(2, "two", { trace: "t" });
f(lines, asLines(two, line(2, "three"), line(1, "one")), true, "streams are ordered by label text");
f(lines, asLines(line(2, "three"), line(1, "one"), two), false, "the order of streams");
f(lines, asLines(two, line(1, "one"), line(2, "three")), false, "the order of lines");
f(lines, asLines(two, line(2, "three")), false, "a missing line");
f(lines, asLines(two, line(2, "three"), line(1, "ones")), false, "a changed line");
f(lines, asLines(two, line(2, "three"), line(3, "one")), false, "a changed time");
f(lines, asLines(line(2, "two"), line(2, "three"), line(1, "one")), false, "missing metadata");
f(lines, { kind: "error", status: 400, message: "" }, false, "an error");

const series = (...values: Array<[Record<string, string>, string]>): Answer => ({
  kind: "series",
  series: values.map(([labels, value]) => ({ labels, values: [value] })),
});
const [one, other] = [{ app: "a" }, { app: "a", trace: "t" }];
f(vector, series([one, "2"], [other, "1"]), true, "a vector");
f(vector, series([other, "1"], [one, "2"]), false, "the order of a vector");
f(vector, series([one, "2"], [other, "1.0"]), false, "the form of a value");
f(vector, series([one, "3"], [other, "1"]), false, "a value");
f(scalar, { kind: "scalar", value: "2" }, true, "a scalar");
f(scalar, series([{}, "2"]), false, "a vector for a scalar");

const failure = (status: number, message: string): Answer => ({ kind: "error", status, message });
f(error, failure(400, 'parse error at line 1, col 6: expected "a string"'), true, "an error");
f(error, failure(500, 'parse error at line 1, col 6: expected "a string"'), false, "its status");
f(error, failure(400, 'parse error at line 1, col 7: expected "a string"'), false, "its place");
f(error, failure(400, "parse error at line 1, col 6: a string expected"), false, "its pieces");

f(json, { kind: "json", body: { a: [1, 2], b: { c: "d", e: 1 }, f: 0 } }, true, "more keys");
f(json, { kind: "json", body: { a: [1, 2, 3], b: { c: "d" } } }, false, "more elements");
f(json, { kind: "json", body: { a: [1, 2], b: {} } }, false, "a missing key");

t.ok(compareAnswers(series([one, "0.30000000000000004"]), series([one, "0.3"])) === null);
t.ok(compareAnswers(series([one, "28800.000000000007"]), series([one, "28800"])) === null);
t.ok(compareAnswers(series([one, "3.0"]), series([one, "3"])) !== null, "the form of a value");
t.ok(compareAnswers(series([one, "4"]), series([one, "3"])) !== null);
t.ok(compareAnswers(series([one, "999999998"]), series([one, "999999999"])) !== null);
t.ok(compareAnswers(series([one, "99999999998"]), series([one, "99999999999"])) !== null);
t.ok(compareAnswers(series([one, "1"]), failure(400, "x")) !== null, "an answer for an error");
t.same([1e21, 1.5e-7, -0.25, Infinity].map(formatValue), [
  "1000000000000000000000",
  "0.00000015",
  "-0.25",
  "+Inf",
]);

for (
  const text of ["load {a=}", '== x\nlog {a="b"}\n  1', '== x\nlogs {a="b"}', "== x\n  1 line"]
) {
  t.throws(() => parseCaseFile("test", text), text);
}
for (const test of section!.cases.slice(0, 4)) {
  t.equal(judge(test, section!.rows, answerByReference(test, section!.rows)), null, test.query);
}
