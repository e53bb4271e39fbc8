/** YAML that is made to hold up a process: refused with its line, whatever it is. Also what aliases and anchors stand for. That a
 *  bomb is refused, and not only ends in the end, shows in its message: of unbounded parsing each takes seconds to hours. */
import t from "tap";
import { ConfigDocument } from "./document.ts";
import { readYaml } from "../config/yamlFile.ts";

const bytes = 1_000_000;

/** A map in a map, each a space further to the right. */
function staircase(step: (indent: number) => string): string {
  let text = "";
  for (let indent = 0; text.length < bytes; indent++) text += step(indent);
  return text;
}

const bombs: Readonly<Record<string, readonly [text: string, line: number, message: RegExp]>> = {
  "opening brackets": ["[".repeat(bytes), 1, /deeper than 128 levels/],
  "opening braces": ["{a: ".repeat(bytes / 4), 1, /deeper than 128 levels/],
  "braces after lines": ["a: 1\nb:\n  c: 2\nd: " + "{a: ".repeat(1000), 4, /deeper than 128/],
  "lists in lists of one line": ["- ".repeat(bytes / 2), 1, /deeper than 128 levels/],
  "keys that are keys": ["? ".repeat(bytes / 2), 1, /deeper than 128 levels/],
  "maps by indentation": [
    staircase((at) => `${" ".repeat(at)}a:\n`),
    129,
    /deeper than 128 levels/,
  ],
  "lists by indentation": [
    staircase((at) => `${" ".repeat(at)}-\n`),
    129,
    /deeper than 128 levels/,
  ],
  "aliases": [`a: &a 1\nb:\n${"- *a\n".repeat(bytes / 5)}`, 1003, /more than 1000 aliases/],
  "aliases of one line": [`a: &a 1\nb: [${"*a, ".repeat(bytes / 4)}]`, 2, /more than 1000 aliases/],
  "aliases of aliases": [
    [
      "a0: &a0 [x, x]",
      ...Array.from({ length: 40 }, (_, at) => `a${at + 1}: &a${at + 1} [*a${at}, *a${at}]`),
    ].join("\n"),
    1,
    /more than 200000 values/,
  ],
  "a chain of aliases": [
    ["a0: &a0 [x]", ...Array.from({ length: 900 }, (_, at) => `a${at + 1}: &a${at + 1} [*a${at}]`)]
      .join("\n"),
    1,
    /aliases nest deeper than 256 levels|more than 200000 values/,
  ],
  "an alias within what it stands for": ["a: 1\nb: &b [*b]", 2, /aliases nest deeper/],
  "a text that is merged": [
    `a: &a ${"x".repeat(bytes / 2)}\nb:\n${"- {<<: *a}\n".repeat(1000)}`,
    3,
    /<< takes a map/,
  ],
  "a long map of one line": [
    `{${Array.from({ length: bytes / 10 }, (_, at) => `k${at}: 1`).join(", ")}}`,
    1,
    /more than 250000 words and signs/,
  ],
};

t.test("bombs are refused with a line", (t) => {
  for (const [name, [text, line, message]] of Object.entries(bombs)) {
    const document = new ConfigDocument(text);
    t.match(document.syntaxProblems, [{ message }], name);
    t.equal(document.syntaxProblems.length, 1, name);
    if (line > 1) t.equal(document.syntaxProblems[0]!.line, line, name);
    t.equal(document.value, undefined, name);
  }
  t.end();
});

t.test("the server's own configuration has the same limits", (t) => {
  for (const name of ["opening brackets", "maps by indentation", "aliases"]) {
    const [text, line, message] = bombs[name]!;
    t.match(readYaml(text), { values: [], problems: [{ line, message }] }, name);
  }
  t.end();
});

t.test("settings that hold themselves, or grow, are refused", (t) => {
  const growing = Array.from(
    { length: 9 },
    (_, at) => `    a${at + 1}: &a${at + 1} [*a${at}, *a${at}, *a${at}, *a${at}]`,
  );
  for (
    const value of [
      "&a { log_attributes: [*a] }",
      ["", "    a0: &a0 [x]", ...growing].join("\n"),
    ]
  ) {
    t.match(readYaml(`limits_config:\n  otlp_config: ${value}\n`), {
      values: [],
      problems: [{ message: /limits_config.otlp_config" has aliases/ }],
    });
  }
  t.end();
});

t.test("a map of forty thousand keys is read, and one that it has twice is found", (t) => {
  const keys = Array.from({ length: 40_000 }, (_, at) => `k${at}: ${at}`);
  t.equal(Object.keys(new ConfigDocument(keys.join("\n")).value as object).length, 40_000);
  const { syntaxProblems } = new ConfigDocument([...keys, "k7: again"].join("\n"));
  t.match(syntaxProblems, [{ line: 40_001, message: /must be unique: "k7"/ }]);
  t.end();
});

t.test("128 levels are not too many, whichever way", (t) => {
  for (
    const text of [
      `${"[".repeat(127)}${"]".repeat(127)}`,
      `a: ${"[".repeat(126)}${"]".repeat(126)}`,
      Array.from({ length: 128 }, (_, at) => `${" ".repeat(at)}a:\n`).join(""),
      `${"- ".repeat(127)}x`,
      Array.from({ length: 5000 }, () => "- a:\n  - b: [c, {d: e}]\n  - f\n").join(""),
    ]
  ) t.same(new ConfigDocument(text).syntaxProblems, [], text.slice(0, 30));
  t.end();
});

t.test("an alias stands for the last node before it that has its anchor", (t) => {
  const { value, syntaxProblems } = new ConfigDocument(
    "a: &x 1\nb: *x\nc: &x [2]\nd: *x\ne: {<<: &y {f: 3}, g: *x}\nh: *y\n",
  );
  t.same(syntaxProblems, []);
  t.same(value, { a: "1", b: "1", c: ["2"], d: ["2"], e: { f: "3", g: ["2"] }, h: { f: "3" } });
  t.match(new ConfigDocument("a: 1\nb: *x\nc: &x 2\n").syntaxProblems, [{ line: 2, column: 4 }]);
  t.end();
});

t.test("<< merges maps: a map's own keys win, then those of the first; anything else is a mistake", (t) => {
  const { value } = new ConfigDocument(
    "a: &a {x: 1, y: 1}\nb: &b {x: 2, z: 2}\nc: {<<: *b, x: 3}\nd:\n  <<: [*a, *b, {w: 4}]\n",
  );
  t.match(value, { c: { x: "3", z: "2" }, d: { w: "4", x: "1", y: "1", z: "2" } });
  for (const merged of ["text", "3", "", "[text]", "[[{a: 1}]]", "[{a: 1}, ]x", "*a"]) {
    const { syntaxProblems } = new ConfigDocument(`a: &a text\nb:\n  <<: ${merged}\n`);
    t.match(syntaxProblems, [{ line: 3 }], merged);
  }
  t.end();
});
