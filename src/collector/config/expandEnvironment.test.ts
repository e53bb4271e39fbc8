/** Environment variables in a configuration's text, after Promtail's documentation. */
import t from "tap";
import { expandEnvironment } from "./expandEnvironment.ts";

t.test("references are replaced", (t) => {
  const environment = { HOST: "db1", EMPTY: "" };
  const f = (text: string, expected: string) =>
    t.strictSame(expandEnvironment(text, environment), { text: expected, problems: [] }, text);
  f("host: ${HOST}", "host: db1");
  f("${HOST}${HOST}", "db1db1");
  f("[${MISSING}]", "[]");
  f("${MISSING:-a b}", "a b");
  f("${EMPTY:-a}", "a");
  f("${EMPTY-a}", "");
  f("${MISSING-a}", "a");
  f("${MISSING=a}", "a");
  f("${host:-lower}", "lower");
  f("$HOST $1 $$ $", "$HOST $1 $$ $");
  f("$${HOST}", "${HOST}");
  f("\\\\d+ \\d", "\\d+ \\d");
  t.end();
});

t.test("other forms are mistakes", (t) => {
  const f = (text: string, at: number, message: RegExp) => {
    const { problems } = expandEnvironment(text, { HOST: "db1" });
    t.equal(problems.length, 1, text);
    t.equal(problems[0]!.at, at, text);
    t.match(problems[0]!.message, message, text);
  };
  f("a ${1}", 2, /\$\{1\} is not \$\{NAME\}/);
  f("${HOST/a/b}", 0, /is not/);
  f("${HOST^^}", 0, /is not/);
  f("${}", 0, /is not/);
  f("x: ${HOST\ny: 1", 3, /no closing brace/);
  t.end();
});
