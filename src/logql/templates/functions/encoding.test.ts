/** Encodings, quantities, JSON and Go's own escaping and comparison functions. RFC 4648,
 *  https://pkg.go.dev/net/url, https://pkg.go.dev/text/template say what is expected. */
import t, { type Test } from "tap";
import { failureOf, renderSample } from "../../../testing/templates.ts";

const table = (t: Test, rows: ReadonlyArray<readonly [string, string]>) => {
  for (const [template, wanted] of rows) t.equal(renderSample(template), wanted, template);
  t.end();
};

t.test("base64", (t) =>
  table(t, [
    [
      '{{b64enc ""}}|{{b64enc "f"}}|{{b64enc "fo"}}|{{b64enc "foo"}}|{{b64enc "foob"}}',
      "|Zg==|Zm8=|Zm9v|Zm9vYg==",
    ],
    [
      '{{b64dec "Zm9vYmE="}} {{b64dec "Zm9v\\nYg=="}} {{b64enc "é"}} {{b64dec "w6k="}}',
      "fooba foob w6k= é",
    ],
    ['{{b64dec "Zm9v*"}}', "illegal base64 data at input byte 4"],
    ['{{b64dec "Zm9"}}', "illegal base64 data at input byte 0"],
    ['{{b64dec "Zg="}}', "illegal base64 data at input byte 3"],
    ['{{b64dec "Zg==x"}}', "illegal base64 data at input byte 4"],
  ]));

t.test("URLs", (t) =>
  table(t, [
    ["{{urlencode .path}}", "%2Fa%2Fb%3Fc%3Dd+e"],
    ['{{urlencode "a-b_c.d~e!\'()*"}}', "a-b_c.d~e%21%27%28%29%2A"],
    ['{{urldecode "%2Fa+b%C3%A9"}} {{urlquery "a b" 1 2}}', "/a bé a+b1+2"],
  ]));

t.test("durations and sizes", (t) =>
  table(t, [
    [
      '{{duration "1h30m"}} {{duration_seconds "1.5s"}} {{duration "250ms"}} {{duration "-2m"}} {{duration "0"}}',
      "5400 1.5 0.25 -120 0",
    ],
    ['{{bytes "2KB"}} {{bytes "1 KiB"}} {{bytes "1.5MB"}} {{bytes "42"}}', "2000 1024 1.5e+06 42"],
  ]));

t.test("JSON", (t) =>
  table(t, [
    ["{{(fromJson .json).n}} {{(fromJson .json).a}}", "1.234567e+06 map[b:[1 2.5 x true <nil>]]"],
    [
      '{{(fromJson .json).nothing}} {{fromJson `not json`}} {{fromJson `"x"`}}',
      "<no value> <no value> x",
    ],
    ["{{index (fromJson .json).a.b 1}} {{index (fromJson .json) `a` `b` 2}}", "2.5 x"],
    ["{{(fromJson .json).n | int}}", "1234567"],
    ['{{fromJson `{"b":1,"a":{"x":[]}}`}}', "map[a:map[x:[]] b:1]"],
  ]));

t.test("comparison", (t) =>
  table(t, [
    [
      '{{eq .app "web"}} {{eq .app "a" "b" "web"}} {{ne 1 2}} {{eq 1.0 1.0}} {{eq true true}}',
      "true true true true true",
    ],
    [
      '{{lt 1 2}} {{le 2 2}} {{gt "b" "a"}} {{ge 1.5 2.5}} {{lt "a" "B"}}',
      "true true true false false",
    ],
    ["{{eq nil nil}} {{eq (fromJson `null`) nil}} {{eq .app nil}}", "true true false"],
  ]));

t.test("len, index and slice", (t) =>
  table(t, [
    [
      '{{len .name}} {{len ""}} {{index "abc" 1}} {{slice "abcdef" 1 3}} {{slice "abc" 2}} {{slice "abc"}}',
      "13 0 98 bc c abc",
    ],
    ["{{slice (fromJson .json).a.b 1 3}} {{index . `app`}} [{{index . `nope`}}]", "[2.5 x] web []"],
  ]));

t.test("escaping", (t) =>
  table(t, [
    ["{{html `<a href=\"x\">'&'</a>`}}", "&lt;a href=&#34;x&#34;&gt;&#39;&amp;&#39;&lt;/a&gt;"],
    ['{{js `it\'s "<b>" = \\`}}', 'it\\\'s \\"\\u003Cb\\u003E\\" \\u003D \\\\'],
  ]));

t.test("what cannot be done", (t) => {
  const check = (template: string, wanted: RegExp) =>
    t.match(failureOf(template), wanted, template);
  check('{{urldecode "%zz"}}', /urldecode: invalid URL escape "%zz"/);
  check('{{bytes "2 parsecs"}}', /bytes: "2 parsecs" is not a size such as 2KB/);
  check('{{duration "1d"}}', /duration: "1d" is not a duration such as 1h30m/);
  check("{{gt .status 400}}", /cannot compare string "500" with int "400"; make them of one type/);
  check("{{eq 1 1.0}}", /cannot compare int "1" with float64 "1"/);
  check("{{lt true false}}", /bool has no order/);
  check("{{eq (fromJson .json) nil}}", /^$/);
  check("{{eq (fromJson .json) (fromJson .json)}}", /lists and maps cannot be compared/);
  check("{{index (fromJson .json).a.b 9}}", /index out of range: 9/);
  check('{{slice "abc" 2 1}}', /the end is before the start/);
  check("{{len 3}}", /int has no length/);
  check("{{call 3}}", /call needs a function/);
  t.end();
});
