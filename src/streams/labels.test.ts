/** Labels: tables of what Prometheus accepts and rejects, and the round trip over arbitrary values.
 */
import fc from "fast-check";
import t from "tap";
import {
  formatLabels,
  type Labels,
  labelsFromObject,
  LabelsParseError,
  parseLabels,
} from "./labels.ts";

t.test("parseLabels reads what Prometheus and Loki write", async (t) => {
  const f = (text: string, want: Labels) => t.strictSame(parseLabels(text), want, text);
  f("{}", []);
  f(" { } ", []);
  f('{a="b"}', [["a", "b"]]);
  f('{a="b",}', [["a", "b"]]);
  f('\t{ c = "d" ,\r\n a="b" }\n', [["a", "b"], ["c", "d"]]);
  f('{B="1", a="2", A="3", _="4"}', [["A", "3"], ["B", "1"], ["_", "4"], ["a", "2"]]);
  f('{a="", b="x"}', [["b", "x"]]);
  f("{a=`x\\n\"'\n`}", [["a", "x\\n\"'\n"]]);
  f("{a='it\\'s \"so\"'}", [["a", 'it\'s "so"']]);
  f('{a="\\a\\b\\f\\n\\r\\t\\v\\\\\\""}', [["a", '\x07\b\f\n\r\t\v\\"']]);
  f('{a="\\x41\\101\\u00e9\\U0001F600"}', [["a", "AAé😀"]]);
  f('{a="é\\xc3\\xa9\\303\\251é"}', [["a", "éééé"]]);
  f('{a="\\xef\\xbb\\xbf"}', [["a", "\ufeff"]]);
  f('{a="😀, }"}', [["a", "😀, }"]]);
});

t.test("parseLabels names the place and the expectation", async (t) => {
  const f = (text: string, position: number, expected: RegExp) => {
    try {
      parseLabels(text);
      t.fail(`${text} should not parse`);
    } catch (error) {
      if (!(error instanceof LabelsParseError)) throw error;
      t.equal(error.position, position, `${text}: ${error.message}`);
      t.match(error.expected, expected, text);
    }
  };
  f("", 0, /opening brace/);
  f('a="b"', 0, /opening brace/);
  f("{", 1, /label name/);
  f('{a="b"', 6, /"," or "}"/);
  f('{a="b"}}', 7, /nothing after/);
  f('{a="b" c="d"}', 7, /","/);
  f('{,a="b"}', 1, /label name/);
  f('{a="b",,}', 7, /label name/);
  f('{1a="b"}', 1, /label name/);
  f('{a.b="c"}', 2, /"=" after the label name "a"/);
  f('{a:b="c"}', 2, /"="/);
  f('{é="c"}', 1, /label name/);
  f('{a=~"c"}', 3, /quoted label value/);
  f("{a=b}", 3, /quoted label value/);
  f('{a="b', 5, /closing quote/);
  f("{a=`b", 5, /closing backtick/);
  f('{a="b\n"}', 5, /line break/);
  f('{a="\\q"}', 4, /escape of Go/);
  f('{a="\\\'"}', 4, /escape of Go/);
  f('{a="\\x4"}', 6, /2 hexadecimal digits/);
  f('{a="\\ud800"}', 4, /Unicode character/);
  f('{a="\\U00110000"}', 4, /Unicode character/);
  f('{a="\\400"}', 4, /octal/);
  f('{a="\\xff"}', 4, /valid UTF-8/);
  f('{a="b", a="c"}', 8, /each label name once/);
  f('{a="b", a=""}', 8, /each label name once/);
});

t.test("formatLabels is canonical", async (t) => {
  const f = (labels: Labels, want: string) => t.equal(formatLabels(labels), want);
  f([], "{}");
  f([["a", "b"], ["c", "d"]], '{a="b", c="d"}');
  f([["a", '\x07\b\f\n\r\t\v\\"\0\x1b\x7f']], '{a="\\a\\b\\f\\n\\r\\t\\v\\\\\\"\\x00\\x1b\\x7f"}');
  f([["a", "é😀\u2028\u0085\ufeff"]], '{a="é😀\\u2028\\u0085\\ufeff"}');
});

t.test("labelsFromObject sorts, drops empty values, mends surrogates, checks names", async (t) => {
  t.strictSame(labelsFromObject({ b: "1", a: "x\ud800", c: "" }), [["a", "x\ufffd"], ["b", "1"]]);
  t.throws(() => labelsFromObject({ "a-b": "1" }), LabelsParseError);
  t.throws(() => labelsFromObject({ "": "1" }), LabelsParseError);
});

const labelsArbitrary = fc.dictionary(
  fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_]{0,8}$/),
  fc.string({ unit: "binary", maxLength: 12 }),
  { noNullPrototype: true },
).map(labelsFromObject);

t.test("parseLabels undoes formatLabels, also through UTF-8", async () => {
  fc.assert(fc.property(labelsArbitrary, (labels) => {
    const text = formatLabels(labels);
    const stored = new TextDecoder().decode(new TextEncoder().encode(text));
    const again = parseLabels(stored);
    return JSON.stringify(again) === JSON.stringify(labels) && formatLabels(again) === text;
  }));
});

t.test("parseLabels on any text returns canonical labels or LabelsParseError", async () => {
  const fragment = fc.constantFrom(
    "{",
    "}",
    "a",
    "=",
    '"',
    "`",
    "'",
    "\\",
    ",",
    " ",
    "x41",
    "u00e9",
    "\n",
    "é",
    "0",
  );
  fc.assert(
    fc.property(fc.array(fragment, { maxLength: 20 }), (fragments) => {
      try {
        const labels = parseLabels(fragments.join(""));
        return JSON.stringify(parseLabels(formatLabels(labels))) === JSON.stringify(labels);
      } catch (error) {
        return error instanceof LabelsParseError;
      }
    }),
    { numRuns: 2000 },
  );
});
