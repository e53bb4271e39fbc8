/** Functions of text and of regular expressions: https://pkg.go.dev/strings,
 *  https://masterminds.github.io/sprig/strings.html and https://pkg.go.dev/regexp say what is
 *  expected. */
import t, { type Test } from "tap";
import { failureOf, renderSample } from "../../../testing/templates.ts";

const table = (t: Test, rows: ReadonlyArray<readonly [string, string]>) => {
  for (const [template, wanted] of rows) t.equal(renderSample(template), wanted, template);
  t.end();
};

t.test("Go's, subject first", (t) =>
  table(t, [
    ['{{ToLower "AbÇ"}} {{ToUpper "abç ß"}}', "abç ABÇ ß"],
    ['{{Replace "oink oink oink" "k" "ky" 2}}', "oinky oinky oink"],
    ['{{Replace "oink oink" "oink" "moo" -1}}', "moo moo"],
    [
      '{{Replace "abc" "" "-" -1}} {{Replace "abc" "" "-" 2}} {{Replace "" "" "-" -1}}',
      "-a-b-c- -a-bc -",
    ],
    ['{{Trim "xxhixx" "x"}} {{TrimLeft "xyhix" "xy"}} {{TrimRight "xhixy" "yx"}}', "hi hix xhi"],
    [
      '{{TrimPrefix "foobar" "foo"}} {{TrimSuffix "foobar" "bar"}} {{TrimPrefix "a" "b"}}',
      "bar foo a",
    ],
    ['[{{TrimSpace " \\t\\n x y \\u00a0\\u3000 "}}]', "[x y]"],
  ]));

t.test("sprig's, subject last", (t) =>
  table(t, [
    [
      '{{lower "HELLO"}} {{upper "hello"}} {{title "hello wOrld-foo_bar don\'t"}}',
      "hello HELLO Hello WOrld-Foo_bar Don'T",
    ],
    [
      '[{{trim "  x "}}] {{trimAll "$" "$5.00$"}} {{trimPrefix "-" "-a"}} {{trimSuffix "-" "a-"}}',
      "[x] 5.00 a a",
    ],
    [
      '{{trunc 5 "hello world"}} {{trunc -5 "hello world"}} {{trunc 50 "x"}} [{{trunc 0 "x"}}]',
      "hello world x []",
    ],
    ["{{trunc 3 .name}}|{{trunc 2 .name}}", "hé|h\ufffd"],
    [
      '{{substr 0 5 "hello world"}} {{substr 6 -1 "hello world"}} {{substr -1 2 "abc"}} {{substr 1 99 "abc"}}',
      "hello world ab bc",
    ],
    [
      '{{contains "ell" "hello"}} {{hasPrefix "he" "hello"}} {{hasSuffix "he" "hello"}}',
      "true true false",
    ],
    ['{{"I Am Henry VIII" | replace " " "-"}}', "I-Am-Henry-VIII"],
    ['{{repeat 3 "ab"}}[{{repeat 0 "x"}}]', "ababab[]"],
    ['{{indent 2 "a\\nb"}}', "  a\n  b"],
    ['{{nindent 1 "a\\nb"}}', "\n a\n b"],
    [
      '[{{alignLeft 5 "ab"}}] [{{alignRight 5 "ab"}}] [{{alignLeft 2 "héy"}}] [{{alignRight 2 "héy"}}]',
      "[ab   ] [   ab] [hé] [éy]",
    ],
    [
      '{{alignLeft -1 "abc"}} {{alignLeft 3 "abc"}} [{{alignLeft 0 "abc"}}] [{{alignRight 0 "abc"}}]',
      "abc abc [] []",
    ],
    [
      '{{default "none" .empty}} {{.app | default "none"}} {{default 3 0}} {{default "x"}}',
      "none web 3 x",
    ],
  ]));

t.test("regular expressions", (t) =>
  table(t, [
    ['{{regexReplaceAll "a(x*)b" "-ab-axxb-" "${1}W"}}', "-W-xxW-"],
    [
      '{{regexReplaceAll "a(x*)b" "-ab-axxb-" "$1"}} {{regexReplaceAll "a(x*)b" "-ab-axxb-" "$1W"}}',
      "--xx- ---",
    ],
    [
      '{{regexReplaceAll "(?P<first>\\\\w+) (?P<last>\\\\w+)" "ada lovelace" "$last, ${first}"}}',
      "lovelace, ada",
    ],
    [
      '{{regexReplaceAll "b" "abc" "$$"}} {{regexReplaceAll "b" "abc" "$0$0"}} {{regexReplaceAll "b" "abc" "[$ ]"}}',
      "a$c abbc a[$ ]c",
    ],
    ['{{regexReplaceAllLiteral "a(x*)b" "-ab-axxb-" "${1}"}}', "-${1}-${1}-"],
    ['{{regexReplaceAll "a*" "baaac" "x"}} {{regexReplaceAll "" "é😀" "-"}}', "xbxcx -é-😀-"],
    ['{{regexReplaceAll "^a" "aaa" "x"}} {{regexReplaceAll "\\\\bx" "x xx" "y"}}', "xaa y yx"],
    ['{{count "a|b" "abcab"}} {{count "x*" "abc"}} {{count "z" "abc"}}', "4 4 0"],
  ]));

t.test("what cannot be done", (t) => {
  const check = (template: string, wanted: RegExp) =>
    t.match(failureOf(template), wanted, template);
  check('{{repeat -1 "x"}}', /cannot repeat a text -1 times/);
  check('{{substr 4 2 "abcdef"}}', /substr 4 2 lies outside/);
  check('{{substr 7 -1 "abc"}}', /substr 7 -1 lies outside/);
  check('{{regexReplaceAll "(" "a" "b"}}', /invalid regular expression "\("/);
  check('{{.path | regexReplaceAll "/"}}', /regexReplaceAll takes 3 arguments, not 2/);
  check('{{trunc "3" "abc"}}', /argument 1 of trunc must be an integer, not string 3/);
  t.end();
});
