/** Malformed queries with the exact position and pieces of the message that a user sees. */
import { Result } from "effect";
import t from "tap";
import { parse, parseLogQuery, parseMatchers, parseMetricQuery } from "./parser.ts";
import { positionOf } from "./error.ts";

/** The position as "line:col" and pieces of the message, in the order in which they occur. */
function f(query: string, position: string, ...pieces: string[]): void {
  const result = parse(query);
  const name = query.length > 80 ? `${query.slice(0, 80)}…` : query;
  if (Result.isSuccess(result)) {
    t.fail(`${name} was accepted`);
    return;
  }
  const { line, column, message } = result.failure;
  t.equal(`${line}:${column}`, position, `${name} => ${message}`);
  let at = 0;
  for (const piece of pieces) {
    const found = message.indexOf(piece, at);
    t.ok(found >= 0, `${name} => ${message} has ${piece}`);
    at = found + piece.length;
  }
}

// Selectors.
f("", "1:1", "unexpected end of query", "expected a log or metric query", '{app="web"}');
f("   # only a comment", "1:20", "end of query");
f("{", "1:2", "unexpected end of query", 'expected a label name or "}"');
f("{}", "1:1", "at least one regexp or equality matcher", "empty-compatible", 'app=~".+"');
f('{app=~".*"}', "1:1", "at least one");
f('{app!="x"}', "1:1", "at least one");
f('{app=""}', "1:1", "at least one");
f('rate({app=~".*"}[5m])', "1:6", "at least one");
f("{app}", "1:5", 'unexpected "}"', '"=", "!=", "=~" or "!~"', 'name!=""');
f("{app=}", "1:6", 'unexpected "}"', "expected a string");
f("{app=web}", "1:6", 'unexpected "web"', "expected a string", 'did you mean "web"');
f('{app=="web"}', "1:5", 'unexpected "=="', 'did you mean "="?');
f('{"app"="web"}', "1:2", 'unexpected string "app"', "without quotes");
f('{app="web",}', "1:12", 'unexpected "}"', "expected a label name", "trailing comma");
f('{app="web" env="dev"}', "1:12", 'unexpected "env"', 'expected "," or "}"', "joined");
f('{app="web" or env="dev"}', "1:12", 'unexpected "or"', '=~"a|b"');
f('{app="web"', "1:11", "unexpected end of query", 'expected "," or "}"', "not closed");
f('{app:"web"}', "1:5", 'unexpected character ":"', 'name="value"');
f('{app-name="web"}', "1:5", 'unexpected "-"', 'a dash is written "_"');
f('{app.name="web"}', "1:5", 'unexpected character "."', 'a dot is written "_"');
f("{app='web'}", "1:6", "unexpected character", 'quoted with " or `');
f("{app=“web”}", "1:6", "typographic quotes");
f('{größe="1"}', "1:4", 'unexpected character "ö"', "[A-Za-z_]");
f('{app=~"("}', "1:7", 'invalid regular expression "("', "missing closing )");
f('{app=~"a(?!b)"}', "1:7", "invalid regular expression", "no lookaround");
f('{app="web}', "1:6", "string is not closed", "double quote");
f('{app="we\nb"}', "1:6", "string is not closed", "\\n or use backquotes");
f("{app=`web}", "1:6", "string is not closed", "backquote");
f('{app="\\d"}', "1:7", "unexpected escape \\d", "\\\\d", "backquotes");
f('{app="\\xff"}', "1:7", "not valid UTF-8");
f('{app="\\ud800"}', "1:7", "not a Unicode character");
f('{a="b"}{c="d"}', "1:8", 'unexpected "{"', "one selector");

// Pipelines.
f('{app="web"} "error"', "1:13", 'unexpected string "error"', 'did you mean |= "error"?');
f('{app="web"} = "error"', "1:13", 'unexpected "="', 'did you mean |= "error"?');
f('{app="web"} =~ "error"', "1:13", 'unexpected "=~"', 'did you mean |~ "error"?');
f('{app="web"} | "error"', "1:15", 'unexpected string "error"', 'did you mean |= "error"?');
f(
  '{app="web"} |= error',
  "1:16",
  'unexpected "error"',
  "expected a string",
  'did you mean "error"',
);
f('{app="web"} |=', "1:15", "unexpected end of query", "expected a string or ip(...)");
f('{app="web"} |= "a" or', "1:22", "unexpected end of query", "expected a string or ip(...)");
f('{app="web"} |~ "["', "1:16", "invalid regular expression", "missing closing ]");
f('{app="web"} |~ ip("1.2.3.4")', "1:16", "ip(...) goes with");
f('{app="web"} |= ip("1.2.3")', "1:19", 'invalid IP pattern "1.2.3"', "10.0.0.0/8");
f('{app="web"} |> "<a> x"', "1:16", "named captures are not allowed", "<_> for <a>");
f('{app="web"} |> "<_><_>"', "1:16", "captures may not touch");
f('{app="web"} !> "<_><_>"', "1:16", "captures may not touch");
f('{app="web"} json', "1:13", 'unexpected "json"', "did you mean | json?");
f('{app="web"} |', "1:14", "unexpected end of query", "expected a stage");
f('{app="web"} | jsn', "1:15", 'unexpected "jsn"', 'did you mean "json"?');
f('{app="web"} | logftm', "1:15", 'did you mean "logfmt"?');
f('{app="web"} | logfmt --lax', "1:22", 'unexpected "--lax"', "--strict or --keep-empty");
f('{app="web"} | json a=b', "1:22", 'unexpected "b"', "an expression in quotes");
f('{app="web"} | json a="b-c"', "1:22", "invalid json expression", "character 2", '["my-key"]');
f('{app="web"} | json a=""', "1:22", "the expression is empty");
f('{app="web"} | pattern "x"', "1:23", "at least one named capture");
f('{app="web"} | pattern "<a><b>"', "1:23", "captures may not touch", "<b>");
f('{app="web"} | pattern "<a> <a>"', "1:23", "<a> occurs twice");
f('{app="web"} | regexp "x"', "1:22", "at least one named capture", "(?P<status>");
f('{app="web"} | regexp "(?P<1x>a)"', "1:22", '"1x"', "digit");
f('{app="web"} | line_format x', "1:27", 'unexpected "x"', "a template in quotes");
f('{app="web"} | label_format a', "1:29", "unexpected end of query", 'expected "="');
f('{app="web"} | label_format a=b,a=c', "1:32", "multiple label name 'a'", "stage of its own");
f('{app="web"} | label_format __error__="x"', "1:28", "__error__ cannot be formatted");
f('{app="web"} | unwrap x', "1:15", "only allowed within a range aggregation");
f('{app="web"} | drop', "1:19", "expected a label name");
f('{app="web"} | status', "1:15", 'unexpected "status"', "expected a stage");

// Label filters.
f('{app="web"} | status >=', "1:24", "unexpected end of query", "expected a string, a number");
f('{app="web"} | status >= "500"', "1:22", 'unexpected ">="', "write 500 without quotes");
f('{app="web"} | status == "500"', "1:22", 'unexpected "=="', 'did you mean "="?');
f(
  '{app="web"} | status =~ 500',
  "1:25",
  "unexpected number 500",
  "expected a string",
  "strings only",
);
f('{app="web"} | a=1 and', "1:22", "unexpected end of query", "expected a label filter");
f('{app="web"} | (a=1', "1:19", "unexpected end of query", '"and", "or" or ")"');
f('{app="web"} | a=1 && b=2', "1:19", 'unexpected character "&"', 'did you mean "and"?');
f('{app="web"} | a > 5x', "1:19", 'unexpected "5x"', "a number, a duration or a size");
f('{app="web"} | a=~"("', "1:18", "invalid regular expression");
f('{app="web"} | a > ip("1.2.3.4")', "1:17", '"=" or "!=" before ip(...)');
f('{app="web"} | a > -5KB', "1:20", "sizes are not negative");

// Metric queries.
f('rate({app="web"})', "1:17", 'unexpected ")"', "expected a range such as [5m]");
f('rate({app="web"}[5])', "1:18", 'unexpected "5"', "did you mean [5s]?");
f('rate({app="web"}[1.5h])', "1:18", 'unexpected "1.5h"', "write 1h30m");
f('rate({app="web"}[5m:1m])', "1:18", "no subqueries");
f('rate({app="web"}[$__auto])', "1:18", "variables");
f('rate({app="web"}[5m', "1:17", "range is not closed");
f('rate({app="web"}[5m][5m])', "1:21", "unexpected range [5m]", "second range");
f('rate({app="web"}[5m] offset 5)', "1:29", "unexpected number 5", "did you mean 5s?");
f('rate({app="web"} offset 5m)', "1:18", 'unexpected "offset"', "range such as [5m] before");
f('rate({app="web"}[5m] @ 5)', "1:22", 'unexpected character "@"', "not part of LogQL");
f('rate({app="web"}[5m]', "1:21", "unexpected end of query", '")"');
f('{app="web"}[5m]', "1:12", "unexpected range [5m]", "rate({...}[5m])");
f('rate(rate({app="web"}[5m])[5m])', "1:6", 'unexpected "rate"', "takes log lines");
f('increase({app="web"}[5m])', "1:1", 'unknown function "increase"', "count_over_time");
f('ratte({app="web"}[5m])', "1:1", 'unknown function "ratte"', 'did you mean "rate"?');
f("rate", "1:1", 'unexpected "rate"', "write rate(...)");
f("error", "1:1", 'unexpected "error"', '{app="error"}');
f('"error"', "1:1", 'unexpected string "error"', '{app="web"} |= "error"');
f('sum({app="web"})', "1:5", "unexpected log query as argument of sum", "count_over_time");
f('{app="web"} + 1', "1:1", 'unexpected log query as operand of "+"');
f('1 + {app="web"}', "1:5", 'unexpected log query as operand of "+"');
f("1 +", "1:4", "unexpected end of query");
f("1 and vector(1)", "1:1", "unexpected literal in logical/set", "vector(1)");
f("vector(1) or 1", "1:14", "unexpected literal");
f("vector(1) + bool vector(1)", "1:13", 'unexpected "bool"', "bool goes with comparisons");
f("-vector(1)", "1:2", 'unexpected "vector"', "expected a number", "-1 * x");
f("vector(1) == on (a) group_left (b), 2", "1:35", 'unexpected ","');
f("vector(1) or on (a) group_left vector(1)", "1:21", 'no grouping allowed for "or"');
f("vector(1) + group_left vector(1)", "1:13", "follow on(...) or ignoring(...)");
f('sum_over_time({app="web"}[5m])', "1:1", "invalid aggregation sum_over_time without unwrap");
f(
  'count_over_time({app="web"}|unwrap x[5m])',
  "1:28",
  "invalid aggregation count_over_time with unwrap",
);
f(
  'sum_over_time({app="web"}|unwrap x[5m]) by (a)',
  "1:41",
  "grouping not allowed for sum_over_time",
  "sum by (a)",
);
f('rate({app="web"}|unwrap f(x)[5m])', "1:25", 'unknown conversion "f"', "duration()");
f('rate({app="web"}|unwrap x|json[5m])', "1:26", "only label filters may follow unwrap");
f(
  'quantile_over_time({app="web"}|unwrap x[5m])',
  "1:20",
  "parameter required for operation quantile_over_time",
);
f('rate(5, {app="web"}[5m])', "1:6", "parameter not supported for operation rate");
f("topk(vector(1))", "1:6", "parameter required for operation topk");
f("topk(0, vector(1))", "1:6", "invalid parameter topk(0, ...)", "greater than 0");
f("topk(1.5, vector(1))", "1:6", "invalid parameter", "whole number");
f("sum(5, vector(1))", "1:5", "unsupported parameter for operation sum");
f("sort by (a) (vector(1))", "1:6", "grouping not allowed for sort");
f("approx_topk(3, vector(1)) by (a)", "1:27", "grouping not allowed for approx_topk");
f("sum by (a) (vector(1)) by (b)", "1:24", 'unexpected "by"', "already given");
f('sum by ("a") (vector(1))', "1:9", 'unexpected string "a"', "without quotes");
f("sum by (a (vector(1))", "1:11", 'unexpected "("', '"," or ")"');
f('label_replace(vector(1), "a", "b", "c", "(")', "1:41", "invalid regular expression");
f('label_replace(vector(1), "a-b", "b", "c", "x")', "1:26", "invalid label name");
f('label_replace(vector(1), "a")', "1:29", 'unexpected ")"', 'expected ","');
f('variants(vector(1)) ({a="b"}[5m])', "1:21", 'expected "of"');
f("vector(x)", "1:8", 'unexpected "x"', "expected a number");
f("1 2", "1:3", "unexpected number 2", "expected an operator or end of query");
f("1e999", "1:1", 'unexpected "1e999"');
f("0x1F", "1:1", 'unexpected "0x1F"');
f("(1", "1:3", "unexpected end of query", 'an operator or ")"');
f("1)", "1:2", 'unexpected ")"', "end of query");
f('({app="web"}', "1:13", "unexpected end of query", 'a stage or ")"');
f('{app="web"} ; 1', "1:13", 'unexpected character ";"', "single expression");

// What other languages would write.
f('{a="b"} | limit 10', "1:11", 'unexpected "limit"', "the parameter limit");
f('{a="b"} | sort', "1:11", 'unexpected "sort"', "direction");
f('{a="b"} | json | where level="x"', "1:18", 'unexpected "where"', '| level="error"');
f('{a="b"} | json | status in (500, 501)', "1:18", 'unexpected "status"', 'name=~"a|b"');
f('{a="b"} | json | line contains "x"', "1:18", "or |=");
f('{a="b"} | json | not level="x"', "1:18", 'level!="error"');
f('{a="b"} | ip("10.0.0.1")', "1:11", "addr = ip(");
f('{a="b"} | = "x"', "1:11", 'did you mean |= "x"?');
f('{a="b"} |= "x" or |= "y"', "1:19", 'or "y"');
f('{a="b"} | json | size > 5 MB', "1:27", "5MB");
f('{a="b"} | json | took > 5 ms', "1:27", "5ms");
f('{a="b"} | json | status=~5..', "1:26", 'in quotes: "5.."');
f('{a="b"} | line_format {{.msg}}', "1:25", "a template is written in quotes");
f('{a="b} |= "x"', "1:13", "string is not closed", "a quote before it is missing");
f("sum by app (vector(1))", "1:8", 'expected "("', "(app)");
f("sum(vector(1)) by app", "1:19", "(app)");
f("vector(1) / vector(2) on (a)", "1:23", "follows the operator");
f("vector(1) > and 5", "1:13", "between two metric queries");
f("SELECT * FROM logs", "1:1", '{app="web"}');
f('histogram_quantile(0.9, rate({a="b"}[5m]))', "1:1", "quantile_over_time(0.99");
f('label_replace(vector(1), "a", "b", "c")', "1:39", "five arguments");

// Places in longer text.
f('{app="web"}\n  |= "a"\n  | jsno', "3:5", 'unexpected "jsno"');
f('# first\n{app="wéb😀"} x', "2:14", 'unexpected "x"');
f('{a="b"}\r\n| json\r\n|= x', "3:4", 'unexpected "x"');

// Limits.
f(`{a="${"x".repeat(131_072)}"}`, "1:1", "input size too long (131078 > 131072)");
f("(".repeat(1000), "1:130", "nested deeper than 128 levels");
f(`1${"+1".repeat(2000)}`, "1:2002", "more than 1000 operators");
f(`1${"^1".repeat(2000)}`, "1:259", "nested deeper than 128 levels");
f(`{a="b"} | ${"(".repeat(5000)}`, "1:140", "nested deeper than 128 levels");
f(`{a="b"} | ${"x=1 ".repeat(5000)}`, "1:4015", "more than 1000 operators");
f(`rate(${"(".repeat(5000)}`, "1:134", "nested deeper than 128 levels");
f('{a="b"} |~ "(x{500}){2}y{1000}{1000}"', "1:12", "invalid nested repetition");
f(`{a="b"} |~ "${"(?:[a-z]x){400}".repeat(20)}"`, "1:12", "limit is 4096", "smaller");
f(`{a="b"} |~ "${"x".repeat(20_000)}"`, "1:12", "limit is 16384", "several filters");

t.test("parseLogQuery and parseMetricQuery refuse the other type", (t) => {
  const message = (result: Result.Result<unknown, Error>) =>
    Result.isFailure(result) ? result.failure.message : "accepted";
  t.match(message(parseLogQuery("1 + 1")), "only log selector is supported");
  t.match(message(parseMetricQuery('{a="b"}')), "only metric queries");
  t.equal(message(parseLogQuery('{a="b"}')), "accepted");
  t.equal(message(parseMetricQuery("1 + 1")), "accepted");
  t.end();
});

t.test("parseMatchers takes selectors only, {} and nothing included", (t) => {
  const g = (text: string, expected: string) => {
    const result = parseMatchers(text);
    const found = Result.isFailure(result)
      ? result.failure.message
      : result.success.map(({ name, op, value }) => `${name}${op}${value}`).join(",");
    t.match(found, expected, text);
    if (!expected.includes("error")) t.equal(found, expected, text);
  };
  g("", "");
  g("{}", "");
  g(' { a = "b" } ', "a=b");
  g('{a="b", c!~"d.*"}', "a=b,c!~d.*");
  g('{a=~".*"}', "a=~.*");
  g(
    '{a="b"} |= "x"',
    'parse error at line 1, col 9: unexpected "|=", expected end of query; only label',
  );
  g(
    'rate({a="b"}[5m])',
    'parse error at line 1, col 1: unexpected "rate", expected a stream selector',
  );
  t.end();
});

t.test("positionOf counts lines and characters from 1", (t) => {
  const g = (query: string, offset: number, line: number, column: number) =>
    t.same(positionOf(query, offset), { line, column });
  g("", 0, 1, 1);
  g("ab", 1, 1, 2);
  g("a\nb", 2, 2, 1);
  g("😀b", 2, 1, 2);
  g("a\n\nb", 2, 2, 1);
  t.end();
});
