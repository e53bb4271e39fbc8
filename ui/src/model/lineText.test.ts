// How lines are cut for drawing: expectations by hand, from ECMA-48 and the documentation of LogQL.
import t from "tap";
import { linePieces, plainText, prettyJson, searchedText } from "./lineText.ts";

const cut = (line: string, query = "", more = "") =>
  linePieces(line, 2000, false, searchedText(query, more)).map(({ text, classes }) =>
    classes === "" ? text : [text, classes]
  );

t.test("terminal colours become classes, other escapes nothing", (t) => {
  t.strictSame(cut("\x1b[1;31mred\x1b[0m plain"), [["red", "ansi-1 ansi-bold"], " plain"]);
  t.strictSame(cut("\x1b[92mok\x1b[39m x\x1b[2K"), [["ok", "ansi-10"], " x"]);
  t.strictSame(cut("\x1b[38;5;3ma\x1b[38;2;9;8;7mb"), [["a", "ansi-3"], ["b", "ansi-3"]]);
  t.strictSame(cut("a\x1b]0;t\x07b"), ["a\u241b]0;t\u2407b"], "what is no style is shown");
  t.equal(plainText("\x1b[31ma\x1b[0m\nb", 100), "a \u21b5 b");
  t.end();
});

t.test("what the query searches is marked", (t) => {
  t.strictSame(cut("an error, an Error", '{a="b"} |= "error"'), [
    "an ",
    ["error", "mark"],
    ", an Error",
  ]);
  t.strictSame(cut("x Error y", '{a="|= z"} |~ "(?i)err[a-z]+"'), ["x ", ["Error", "mark"], " y"]);
  t.strictSame(cut("a1 b2", '{a="b"} |= "a1" or `b2` | json'), [["a1", "mark"], " ", [
    "b2",
    "mark",
  ]]);
  t.strictSame(cut("find me", '{a="b"} != "me"', "FIND"), [["find", "mark"], " me"]);
  t.strictSame(cut("\x1b[31mab\x1b[0m", '{a="b"} |= "b"'), [["a", "ansi-1"], ["b", "ansi-1 mark"]]);
  t.end();
});

t.test("patterns that a browser could hang on are not marked", (t) => {
  for (const pattern of ["(a+)+$", "(a|aa)+$", "((a*))*", "(.*a){20}", "(x+x+)+y"]) {
    t.equal(searchedText(`{a="b"} |~ "${pattern}"`), undefined, pattern);
  }
  t.end();
});

t.test("only the start of a long line is worked on", (t) => {
  const pieces = linePieces("ab".repeat(5_000_000), 100, false, /b/g);
  t.equal(pieces.map(({ text }) => text).join("").length, 100);
  t.end();
});

t.test("prettyJson", (t) => {
  t.equal(prettyJson('{"a":[1]}', 100), '{\n  "a": [\n    1\n  ]\n}');
  t.equal(prettyJson("a=1", 100), undefined);
  t.equal(prettyJson('{"a":', 100), undefined);
  t.equal(prettyJson('{"a":"long"}', 5), undefined);
  t.end();
});
