/** The language of templates: actions, pipelines, variables, control, trimming, definitions. What is
 *  expected follows https://pkg.go.dev/text/template. */
import t, { type Test } from "tap";
import { failureOf, renderSample } from "../../testing/templates.ts";
import { compileTemplate } from "./mod.ts";

const table = (t: Test, rows: ReadonlyArray<readonly [string, string]>) => {
  for (const [template, wanted] of rows) t.equal(renderSample(template), wanted, template);
  t.end();
};

t.test("text, fields and constants", (t) =>
  table(t, [
    ["", ""],
    ["plain } text {", "plain } text {"],
    ["{{.app}}", "web"],
    ["[{{ .app }}|{{.level}}]", "[web|error]"],
    ["{{.missing}}", ""],
    ["{{$.app}}", "web"],
    ['{{"a\\tb\\u00e9\\x41\\xc3\\xa9\\101"}}', "a\tbéAéA"],
    ["{{`a\\tb`}}", "a\\tb"],
    ["{{'a'}} {{'\\n'}} {{'é'}}", "97 10 233"],
    [
      "{{12}} {{-3}} {{+4}} {{0x1F}} {{0b101}} {{0o17}} {{017}} {{1_000}}",
      "12 -3 4 31 5 15 15 1000",
    ],
    ["{{1.5}} {{1e3}} {{.5}} {{2.}} {{1000000.0}} {{123456.0}}", "1.5 1000 0.5 2 1e+06 123456"],
    ["{{true}} {{false}}", "true false"],
    [
      "{{.}}",
      renderSample('map[{{range $k, $v := .}}{{if ne $k "app"}} {{end}}{{$k}}:{{$v}}{{end}}]'),
    ],
  ]));

t.test("pipelines, parentheses and functions", (t) =>
  table(t, [
    ["{{.app | upper}}", "WEB"],
    ['{{.app | printf "%s-%s" "x"}}', "x-web"],
    ['{{printf "%s" (.app | upper | lower)}}', "web"],
    ["{{(upper .app)}}", "WEB"],
    ["{{(fromJson .json).a.b}}", "[1 2.5 x true <nil>]"],
    ["{{len (fromJson .json).m}}", "2"],
    ['{{ToUpper .app | trunc 2 | printf "%q"}}', '"WE"'],
    ["{{now.Unix | lt 1700000000}}", "true"],
    ["{{__line__ | len}}", "28"],
    ['{{__timestamp__ | date "2006-01-02"}}', "2024-03-05"],
    ['{{__timestamp__.Format "15:04:05.000"}}', "06:07:08.012"],
    ["{{__timestamp__.UnixNano}}", "1709618828012345678"],
    ["{{__timestamp__.UTC.Year}}", "2024"],
  ]));

t.test("trim markers and comments", (t) =>
  table(t, [
    ["a \n {{- .app -}} \t b", "awebb"],
    ["a {{- .app}} b", "aweb b"],
    ["a {{.app -}} b", "a webb"],
    ["{{23 -}} < {{- 45}}", "23<45"],
    ["a {{/* gone */}} b", "a  b"],
    ["a {{- /* gone */ -}} b", "ab"],
    ["{{/* {{.app}} */}}x", "x"],
    ["{{- -3}}", "-3"],
    ["{{-3}}", "-3"],
  ]));

t.test("variables", (t) =>
  table(t, [
    ["{{$x := .app}}{{$x}}{{$x}}", "webweb"],
    ["{{$x := 1}}{{$x = 2}}{{$x}}", "2"],
    ["{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2"],
    ["{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21"],
    ["{{if $x := .app}}{{$x}}{{end}}", "web"],
    ["{{with $x := .app}}{{$x}}{{.}}{{$.level}}{{end}}", "webweberror"],
    ["{{$j := fromJson .json}}{{$j.s}} {{$j.a.b | len}}", "text 5"],
    ["{{range $x := 3}}{{$x}}{{end}}", "012"],
    ["{{$x := 5}}{{range $x = 3}}{{end}}{{$x}}", "2"],
    ["{{($x := 3) | add 1}}{{$x}}", "43"],
  ]));

t.test("if, else, with and truth", (t) =>
  table(t, [
    ["{{if .app}}y{{else}}n{{end}}", "y"],
    ["{{if .empty}}y{{else}}n{{end}}", "n"],
    ["{{if .missing}}y{{end}}", ""],
    ['{{if eq .app "api"}}1{{else if eq .app "web"}}2{{else}}3{{end}}', "2"],
    ['{{if eq .app "api"}}1{{else if eq .app "x"}}2{{else}}3{{end}}', "3"],
    ["{{if 0}}y{{else}}n{{end}}{{if 0.0}}y{{else}}n{{end}}{{if 1}}y{{end}}", "nny"],
    ["{{with .app}}<{{.}}>{{end}}", "<web>"],
    ["{{with .empty}}<{{.}}>{{else}}none{{end}}", "none"],
    ["{{with .empty}}1{{else with .app}}{{.}}{{else}}3{{end}}", "web"],
    ["{{with fromJson .json}}{{.s}} {{if .e}}y{{else}}n{{end}}{{end}}", "text n"],
    ["{{if and .app .empty}}y{{else}}n{{end}}", "n"],
    ["{{if or .empty .app}}y{{end}}", "y"],
    ["{{and 1 0 (index .json 99999)}}", "0"],
    ["{{or 0 2 (index .json 99999)}} {{and 1 2}} {{or 0 0.0}}", "2 2 0"],
    ["{{not .empty}} {{not .app}}", "true false"],
  ]));

t.test("range, break and continue", (t) =>
  table(t, [
    ["{{range (fromJson .json).a.b}}[{{.}}]{{end}}", "[1][2.5][x][true][<no value>]"],
    [
      "{{range $i, $x := (fromJson .json).a.b}}{{$i}}={{$x}} {{end}}",
      "0=1 1=2.5 2=x 3=true 4=<no value> ",
    ],
    ["{{range $k, $v := (fromJson .json).m}}{{$k}}:{{$v}};{{end}}", "y:2;z:1;"],
    ["{{range (fromJson .json).e}}x{{else}}empty{{end}}", "empty"],
    ["{{range 3}}{{.}}{{end}}{{range 0}}x{{else}}none{{end}}", "012none"],
    ["{{range 5}}{{if eq . 1}}{{continue}}{{end}}{{if eq . 3}}{{break}}{{end}}{{.}}{{end}}", "02"],
    ["{{range 2}}{{range 3}}{{if eq . 1}}{{break}}{{end}}{{.}}{{end}};{{end}}", "0;0;"],
    ["{{range 2}}{{$.app}}{{end}}", "webweb"],
  ]));

t.test("define, template and block", (t) =>
  table(t, [
    ['{{define "x"}}<{{.}}>{{end}}{{template "x" .app}}{{template "x"}}', "<web><<no value>>"],
    ['{{template "x" .}}{{define "x"}}{{.app}}{{$.level}}{{end}}', "weberror"],
    ['{{block "b" .app}}[{{.}}]{{end}}', "[web]"],
    [
      '{{define "down"}}{{.}}{{if gt . 0}}{{template "down" (sub . 1)}}{{end}}{{end}}{{template "down" 3}}',
      "3210",
    ],
  ]));

t.test("what cannot be read says what and where", (t) => {
  const check = (template: string, wanted: string) =>
    t.equal(failureOf(template), `TemplateSyntaxError: template error at ${wanted}`, template);
  check("{{.app", 'line 1, col 1: "{{" is not closed with "}}"');
  check("a\nb {{ uper .app }}", 'line 2, col 6: there is no function "uper"; did you mean upper?');
  check("{{ app }}", 'line 1, col 4: there is no function "app"; a label is read with a dot, .app');
  check("{{if .a}}x", "line 1, col 11: an action is not closed with {{end}}");
  check("{{end}}", "line 1, col 1: unexpected {{end}}");
  check("{{$x}}", "line 1, col 3: undefined variable $x; declare it with $x := …");
  check('{{"a}}', "line 1, col 3: string is not closed");
  check("{{}}", "line 1, col 3: a value or a function is missing");
  check("{{.a | }}", "line 1, col 8: a value or a function is missing");
  check("{{.a | 3}}", "line 1, col 8: only a function can stand after a |");
  check("{{1 2}}", "line 1, col 5: only a function takes arguments");
  check("{{break}}", "line 1, col 1: {{break}} outside of {{range}}");
  check("{{/* x }}", 'line 1, col 1: comment is not closed with "*/"');
  check("{{(.a}}", 'line 1, col 6: unexpected "}}"');
  check("{{.a)}}", 'line 1, col 5: unexpected ")"');
  check("{{.a ; .b}}", 'line 1, col 6: unexpected ";" in an action');
  check(
    '{{"\\d"}}',
    "line 1, col 4: unknown escape \\d; put a regex in backquotes, or double its backslashes",
  );
  check('{{template "x"}}', 'line 1, col 1: there is no template "x"');
  check(
    "{{99999999999999999999}}",
    "line 1, col 3: the number 99999999999999999999 does not fit 64 bits",
  );
  check(
    "{{if .a}}{{else}}{{else}}{{end}}",
    "line 1, col 24: expected {{end}}: there was an {{else}} already",
  );
  t.end();
});

t.test("what fails while it runs says why", (t) => {
  const check = (template: string, wanted: string) =>
    t.equal(failureOf(template), `TemplateFailed: ${wanted}`, template);
  check("{{lower}}", "lower takes 1 argument, not 0");
  check("{{lower 5}}", "argument 1 of lower must be a string, not int 5");
  check("{{.app.x}}", "cannot read .x of string");
  check("{{.app 1}}", ".app is no function and takes no arguments");
  check(
    "{{(fromJson .json).nothing.x}}",
    "cannot read .x of a value that is not there; test it with if or with first",
  );
  check("{{range .app}}{{end}}", "cannot range over string; only over a list, a map or an integer");
  check("{{range $a, $b := 3}}{{end}}", "range over an integer has one variable, not two");
  check(
    '{{define "x"}}{{template "x"}}{{end}}{{template "x"}}',
    'template "x" calls itself too deep',
  );
  t.end();
});

t.test("rendering is bounded", (t) => {
  const check = (template: string) => t.match(failureOf(template), /limit|steps/, template);
  check("{{range 10000000}}{{end}}");
  check("{{range 1000}}{{range 1000}}{{range 1000}}{{end}}{{end}}{{end}}");
  check('{{repeat 2000000 "x"}}');
  check('{{printf "%999999d%999999d" 1 1}}');
  check('{{printf "%2000000d" 1}}{{range 3000000}}{{end}}');
  check('{{alignLeft 2000000 "x"}}');
  check('{{indent 2000000 "x"}}');
  check('{{range 100}}{{repeat 100000 "x"}}{{end}}');
  check('{{$x := "aaaaaaaaaa"}}{{range 30}}{{$x = print $x $x}}{{end}}');
  check('{{$x := repeat 2000 "a"}}{{replace "a" $x $x}}');
  check('{{$x := repeat 1000 "a"}}{{regexReplaceAll "a" $x (repeat 2000 "b")}}');
  check('{{range 100}}{{$x := repeat 100000 "a"}}{{$y := count "a*b" $x}}{{end}}');
  t.match(failureOf("{{if .a}}".repeat(300)), /more than 200 actions/);
  t.match(failureOf(`{{${"(".repeat(300)}}}`), /more than 200 actions/);
  t.equal(renderSample("{{fromJson `" + "[".repeat(5000) + "]".repeat(5000) + "`}}"), "<no value>");
  t.end();
});

t.test("the labels that a template reads", (t) => {
  const check = (template: string, wanted: ReadonlyArray<string> | "all") => {
    const { labelNames } = compileTemplate(template);
    t.strictSame(labelNames === "all" ? "all" : [...labelNames].sort(), wanted, template);
  };
  check("x{{__line__}}", []);
  check("{{.a}}{{.b | upper}}{{$.c}}{{.a}}", ["a", "b", "c"]);
  check("{{if .a}}{{.b}}{{else}}{{.c}}{{end}}", ["a", "b", "c"]);
  check("{{with .a}}{{.b}}{{$.c}}{{else}}{{.d}}{{end}}", ["a", "c", "d"]);
  check("{{range (fromJson .a).items}}{{.x}}{{end}}", ["a"]);
  check("{{.}}", "all");
  check("{{range $k, $v := .}}{{$k}}{{end}}", "all");
  check('{{index . "a"}}', "all");
  check('{{define "t"}}{{.x}}{{end}}{{template "t" .a}}', ["a"]);
  check('{{define "t"}}{{.x}}{{end}}{{template "t" .}}', "all");
  t.equal(compileTemplate("{{__line__}}").readsLine, true);
  t.equal(compileTemplate("{{.a}}").readsLine, false);
  t.equal(compileTemplate("{{__timestamp__ | unixEpoch}}").readsTimestamp, true);
  t.end();
});

t.test("a caller's own functions and missing labels", (t) => {
  t.equal(renderSample("{{.missing}}", { missing: null }), "<no value>");
  t.equal(renderSample("{{if .missing}}y{{else}}n{{end}}", { missing: null }), "n");
  t.throws(
    () => compileTemplate("{{lower .app}}", { functions: new Map() }),
    /no function "lower"/,
  );
  t.end();
});
