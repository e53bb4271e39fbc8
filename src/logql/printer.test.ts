/** Printing: parse(print(tree)) is the tree, for any tree; and how queries look. */
import { Result } from "effect";
import fc from "fast-check";
import t from "tap";
import { logQuery, metricExpr, withoutSpans } from "../testing/logqlTrees.ts";
import { parse } from "./parser.ts";
import { prettyPrint, print } from "./printer.ts";

t.test("print and prettyPrint give text that parses to the same tree", (t) => {
  fc.assert(
    fc.property(fc.oneof(logQuery, metricExpr), (tree) => {
      for (const text of [print(tree), prettyPrint(tree)]) {
        const again = Result.getOrThrowWith(parse(text), (error) => {
          return new Error(`${error.message} in ${text}`);
        });
        if (JSON.stringify(withoutSpans(again)) !== JSON.stringify(withoutSpans(tree))) {
          throw new Error(`${text} reads as another tree`);
        }
      }
    }),
    { numRuns: 1000 },
  );
  t.end();
});

t.test("print writes a query on one line, without needless parentheses", (t) => {
  const f = (query: string, expected: string) =>
    t.equal(print(Result.getOrThrow(parse(query))), expected);
  f('{ app = "web" , env!="dev"}', '{app="web", env!="dev"}');
  f('{app="web"}|="a"or"b"', '{app="web"} |= "a" or "b"');
  f("{app=`web`} |~ `\\d+` # digits", '{app="web"} |~ `\\d+`');
  f('{app="web"} | (a=1 and b=2) or c=3s', '{app="web"} | a == 1 and b == 2 or c == 3s');
  f('{app="web"} | a=1 , b=2 c=3', '{app="web"} | a == 1 and (b == 2 and c == 3)');
  f('{app="web"} | size > 1024B | t < 90m', '{app="web"} | size > 1KiB | t < 1h30m');
  f('{app="web"} | (json != "x")', '{app="web"} | (json!="x")');
  f("(1 + 2) * 3", "(1 + 2) * 3");
  f("1 + (2 * 3)", "1 + 2 * 3");
  f("(1 - 2) - 3", "1 - 2 - 3");
  f("1 - (2 - 3)", "1 - (2 - 3)");
  f("(2 ^ 3) ^ 2", "(2 ^ 3) ^ 2");
  f("2 ^ (3 ^ 2)", "2 ^ 3 ^ 2");
  f('sum(rate({a="b"}[60s])) by (x)', 'sum by (x) (rate({a="b"} [1m]))');
  f('rate(({a="b"} |= "x")[5m] offset 1h)', 'rate({a="b"} |= "x" [5m] offset 1h)');
  f('{a="b"} | json | line_format "{{.x}}"', '{a="b"} | json | line_format "{{.x}}"');
  t.end();
});

t.test("prettyPrint gives long queries a line per stage and argument", (t) => {
  const f = (query: string, ...lines: string[]) =>
    t.equal(prettyPrint(Result.getOrThrow(parse(query))), lines.join("\n"));
  f('{app="web"} |= "short"', '{app="web"} |= "short"');
  f(
    '{app="web", env="production"} |= "error" != "timeout" | json | status >= 500 | line_format "{{.msg}}"',
    '{app="web", env="production"}',
    '  |= "error"',
    '  != "timeout"',
    "  | json",
    "  | status >= 500",
    '  | line_format "{{.msg}}"',
  );
  f(
    'sum by (app) (rate({app="web", env="production"} |= "error" | json | status >= 500 | level="error" [5m]))' +
      " / 1000",
    "  sum by (app) (",
    "    rate(",
    '      {app="web", env="production"}',
    '        |= "error"',
    "        | json",
    "        | status >= 500",
    '        | level="error"',
    "        [5m]",
    "    )",
    "  )",
    "/",
    "  1000",
  );
  t.end();
});
