/** Functions of numbers: https://masterminds.github.io/sprig/math.html and mathf.html say what is
 *  expected. */
import t, { type Test } from "tap";
import { failureOf, renderSample } from "../../../testing/templates.ts";

const table = (t: Test, rows: ReadonlyArray<readonly [string, string]>) => {
  for (const [template, wanted] of rows) t.equal(renderSample(template), wanted, template);
  t.end();
};

t.test("conversions", (t) =>
  table(t, [
    [
      '{{int "42"}} {{int "-7"}} {{int "+7"}} {{int "3.00"}} {{int "3.7"}} {{int "abc"}} {{int ""}}',
      "42 -7 7 3 0 0 0",
    ],
    ['{{int 3.9}} {{int -3.9}} {{int true}} {{int "0x1f"}} {{int "08"}}', "3 -3 1 31 8"],
    ['{{int "9223372036854775807"}} {{int "9223372036854775808"}}', "9223372036854775807 0"],
    [
      '{{float64 "1.5"}} {{float64 "1e3"}} {{float64 "x"}} {{float64 7}} {{float64 "-Inf"}}',
      "1.5 1000 0 7 -Inf",
    ],
    ["{{.status | int | lt 400}} {{ge (.status | float64) 500.0}}", "true true"],
  ]));

t.test("integers", (t) =>
  table(t, [
    [
      '{{add 1 2 3}} {{add}} {{add "5" 1.9}} {{sub 5 2}} {{mul 2 3 4}} {{div 7 2}} {{div -7 2}}',
      "6 0 6 3 24 3 -3",
    ],
    ["{{mod 7 3}} {{mod -7 3}} {{max 1 5 3}} {{min 4 2 9}} {{max 3}}", "1 -1 5 2 3"],
    ["{{add 9223372036854775807 1}}", "-9223372036854775808"],
    ['{{.status | add 1}} {{.status | sub 1000}} {{"7" | div 21}}', "501 500 3"],
  ]));

t.test("decimals", (t) =>
  table(t, [
    [
      "{{addf 0.1 0.2}} {{addf 1.5 2 2}} {{subf 7.5 2 3}} {{mulf 1.5 2 2}} {{mulf 1.1 1.1}}",
      "0.3 5.5 2.5 6 1.21",
    ],
    [
      "{{divf 10 2 4}} {{divf 1 3}} {{divf 2 3}} {{divf -2 3}} {{divf 1 8}}",
      "1.25 0.3333333333333333 0.6666666666666667 -0.6666666666666667 0.125",
    ],
    ["{{maxf 1 2.5 2.4}} {{minf 1.5 -2 3}}", "2.5 -2"],
    [
      '{{ceil 123.001}} {{floor 123.9999}} {{ceil -1.5}} {{floor -1.5}} {{floor "2.5"}}',
      "124 123 -1 -2 2",
    ],
    [
      "{{round 123.5555 3}} {{round 123.555555 3 .5}} {{round 2.5 0}} {{round -2.5 0}} {{round 1234 -2}}",
      "123.556 123.556 3 -3 1200",
    ],
    ["{{round 2.4 0 0.3}} {{round -1.2 0}}", "3 -1"],
  ]));

t.test("what cannot be done", (t) => {
  t.match(failureOf("{{div 1 0}}"), /div: division by zero/);
  t.match(failureOf('{{mod 1 "x"}}'), /mod: division by zero/);
  t.match(failureOf("{{divf 1 0}}"), /divf: division by zero/);
  t.match(failureOf('{{addf 1 "inf"}}'), /addf cannot compute with Infinity/);
  t.match(failureOf("{{sub 1}}"), /sub takes 2 arguments, not 1/);
  t.end();
});
