/** The stage replace against Promtail's documentation. */
import t from "tap";
import { extracted, pipelineProblems, runPipeline } from "../../testing/collectorPipelines.ts";

const access =
  '11.11.11.11 - frank [25/Jan/2000:14:00:01 -0500] "GET /1986.js HTTP/1.1" 200 932 "-" ' +
  '"Mozilla/5.0 (Windows; U; Windows NT 5.1; de; rv:1.9.1.7) Gecko/20091221 Firefox/3.5.7 GTB6"';
const combined =
  "^(?P<ip>\\S+) (?P<identd>\\S+) (?P<user>\\S+) \\[(?P<timestamp>[\\w:/]+\\s[+\\-]\\d{4})\\] " +
  '"(?P<action>\\S+)\\s?(?P<path>\\S+)?\\s?(?P<protocol>\\S+)?" (?P<status>\\d{3}|-) (?P<size>\\d+|-)' +
  '\\s?"?(?P<referer>[^"]*)"?\\s?"?(?P<useragent>[^"]*)?"?$';

const stage = (expression: string, replace: string, source?: string) =>
  `- replace: ${JSON.stringify({ expression, replace, source })}`;

t.test("groups are replaced in the line", (t) => {
  const f = (expression: string, replace: string, line: string, expected: string) =>
    t.equal(runPipeline(stage(expression, replace), [line])[0]!.line, expected, expression);
  f("password (\\S+)", "****", "with password xyz! and", "with password **** and");
  f("11.11.11.11 - (\\S+\\s)", "", access, access.replace("frank ", ""));
  f(
    "(\\d{2}.\\d{2}.\\d{2}.\\d{2}) - (\\S+)",
    "*",
    "11.11.11.11 - frank 12.12.12.12 - frank",
    "* - * * - *",
  );
  f("no group", "x", "no group", "no group");
  f("(nothing)", "x", "else", "else");
  f("(a)(b)", "{{ .Value | ToUpper }}", "ab ab", "AB AB");
  f("((a)b)", "<{{ .Value }}>", "ab", "<ab>");
  f("(a)|(b)", "x", "cab", "cxx");
  f("(é+)😀", "e", "éé😀é😀", "e😀e😀");
  f("x*()", "-", "axb", "-ax-b-");
  f("(\\d+)", "{{ .missing }}#", "a1b22", "a#b#");
  f(
    "([0-9]{3}-[0-9]{2}-[0-9]{4})",
    '*SSN*{{ .Value | Sha2Hash "salt" | trunc 4 }}*',
    "ssn 123-45-6789.",
    "ssn *SSN*c4bf*.",
  );
  const combinedUpper = access.replace("frank", "FRANK").replace("Jan", "JAN").replace("js", "JS")
    .replace(/Mozilla.*6/, (agent) => agent.toUpperCase());
  f(combined, "{{ .Value | ToUpper }}", access, combinedUpper);
  t.end();
});

t.test("named groups are extracted as they were replaced", (t) => {
  t.strictSame(
    extracted(
      stage(combined, "{{ .Value | ToUpper }}"),
      ["ip", "user", "timestamp", "path", "status", "referer"],
      access,
    ),
    {
      ip: "11.11.11.11",
      user: "FRANK",
      timestamp: "25/JAN/2000:14:00:01 -0500",
      path: "/1986.JS",
      status: "200",
      referer: "-",
    },
  );
  t.end();
});

t.test("a source is replaced where it is, the line stays", (t) => {
  const stages = `- json: {expressions: {msg: , level: }}\n${
    stage('\\S+ - "POST (\\S+) .*', "/loki/api/v1/push/{{ .level }}", "msg")
  }`;
  const line = JSON.stringify({
    level: "info",
    msg: '11.11.11.11 - "POST /loki/api/push/ HTTP/1.1" 200',
  });
  t.strictSame(extracted(stages, ["msg"], line), {
    msg: '11.11.11.11 - "POST /loki/api/v1/push/info HTTP/1.1" 200',
  });
  t.equal(runPipeline(stages, [line])[0]!.line, line);
  t.strictSame(extracted(stages, ["msg"], "no json"), {});
  t.end();
});

t.test("replace refuses what cannot work", (t) => {
  t.match(pipelineProblems("- replace: {}"), /replace.expression: is required/);
  t.match(pipelineProblems("- replace: {expression: '('}"), /replace.expression: invalid regular/);
  t.match(
    pipelineProblems("- replace: {expression: (a), replace: '{{'}"),
    /replace.replace: template/,
  );
  t.end();
});
