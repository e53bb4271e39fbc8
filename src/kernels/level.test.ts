/** Levels of lines: a table of what people see, and any line against the plain twin. */
import fc from "fast-check";
import t from "tap";
import { levelNames, levelOfText, lineLevel } from "./level.ts";
import * as reference from "./reference/level.ts";

const encoder = new TextEncoder();

t.test("lineLevel finds the level of a line", (t) => {
  const check = (line: string, want: string) => {
    t.equal(levelNames[lineLevel(encoder.encode(line))], want, line);
    t.equal(reference.lineLevel(encoder.encode(line)), want, `${line}, twin`);
  };
  check("", "unknown");
  check("=", "unknown");
  check("{}", "unknown");
  check("plain text", "unknown");
  check("something INFO happened", "info");
  check("[Error] it broke", "error");
  check("err: x", "error");
  check("errors: 3, terror, error_count, 1error", "unknown");
  check("error/debug", "debug");
  check("a warning, then an error", "error");
  check("CRITICAL", "critical");
  check("traces and a trace", "trace");
  check("information", "unknown");
  check("é error é", "error");
  check('{"level":"warn","msg":"error"}', "warn");
  check('{"level":"nonsense","msg":"error"}', "error");
  check('{"level":30,"msg":"fatal flaw"}', "fatal");
  check('{"msg":"debug","log":{"severity":"ERR"}}', "error");
  check('{"a":{"b":{"level":"fatal"}},"lvl":"info"}', "info");
  check('{"a":[{"level":"fatal"}],"lvl":"TRC"}', "trace");
  check('{"LeVel":"fatal"}', "fatal");
  check('{"LeVel":"fatal","m":1} debug', "debug");
  check(' {"severity_text" : "Information" } ', "info");
  check('{"log.level": "wrn", "level": "info"}', "warn");
  check('{"msg":"a \\" , \\"level\\":\\"fatal\\"","level":"info"}', "info");
  check('{"level":"","Level":"dbg"}', "debug");
  check('{"msg" "error"}', "error");
  check("level=info msg=x", "info");
  check('ts=1 lvl=error msg="level=warn" LEVEL=debug', "debug");
  check('lvl=error msg="fatal"', "error");
  check('severity=info lvl="error"', "info");
  check('msg="it said \\"no\\"" level=warn', "warn");
  check("level=notice an error", "error");
  check("a=b=c level=warn", "warn");
  check('GET /?q="x" level=warn debug', "warn");
  check('GET "/?q=x" level=warn debug', "debug");
  check("SEVERITYTEXT=fatal", "fatal");
  check("severity\x7ftext=debug error", "debug");
  check("Severity_Text=critical", "critical");
  t.end();
});

t.test("levelOfText knows Loki's spellings in any case", (t) => {
  for (const text of ["trc", "Trace", "DBG", "inf", "Information", "wrn", "WARNING", "Err"]) {
    t.equal(levelNames[levelOfText(text)], reference.levelOfText(text), text);
    t.not(levelOfText(text), 0, text);
  }
  for (const text of ["", "notice", "informations", "constructor", "emerg"]) {
    t.equal(levelOfText(text), 0, text);
  }
  t.end();
});

/** Fragments that meet in lines of every kind, so that random lines often come close to a level. */
const fragments = fc.constantFrom(
  ...[
    "level",
    "LEVEL",
    "log.level",
    "severity",
    "Severity",
    "SeverityText",
    "lvl",
    "severity_text",
  ],
  ...[
    "trace",
    "DEBUG",
    "info",
    "Warn",
    "warning",
    "error",
    "err",
    "critical",
    "fatal",
    "inf",
    "trc",
  ],
  ...["{", "}", "[", "]", '"', '"', '"', ":", ",", "=", "=", " ", " ", "\\", "\t", "_", "x", "7"],
  ...['":"', '{"', '"}', "\u00e9", "\u00a0", "\0", "a longer piece of text, so that vectors end "],
);

t.test("lineLevel equals its twin", (t) => {
  const line = fc.array(fragments, { maxLength: 24, size: "max" });
  const wrapped = line.map((parts) => ["{", ...parts, "}"]);
  fc.assert(
    fc.property(fc.oneof(line, wrapped), (parts) => {
      const bytes = encoder.encode(parts.join(""));
      const got = levelNames[lineLevel(bytes)];
      if (got !== reference.lineLevel(bytes)) {
        throw new Error(`${parts.join("")}: ${got}, twin ${reference.lineLevel(bytes)}`);
      }
    }),
    { numRuns: 20_000 },
  );
  t.end();
});

t.test("lineLevel equals its twin on well-formed JSON", (t) => {
  const text = fc.oneof(fragments, fc.string());
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      text,
      text,
      fc.integer(),
      fc.boolean(),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(text, tie("value"), { maxKeys: 4 }),
    ),
  }));
  fc.assert(
    fc.property(fc.dictionary(text, value, { maxKeys: 5 }), fc.nat(2), (object, indent) => {
      const bytes = encoder.encode(JSON.stringify(object, null, indent));
      t.equal(levelNames[lineLevel(bytes)], reference.lineLevel(bytes));
    }),
    { numRuns: 2000 },
  );
  t.end();
});
