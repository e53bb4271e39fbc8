// Where completion offers what, with the caret at the end of the text or at the first "¦".
import fc from "fast-check";
import t from "tap";
import { placeAt } from "./place.ts";
import { tokensOf } from "./tokens.ts";

t.test("places", (t) => {
  const f = (before: string, kind: string, typed = "", name?: string) => {
    const place = placeAt(before);
    t.equal(place.kind, kind, before);
    if (place.kind === "nothing") return;
    t.equal(before.slice(place.from), typed, `${before}: what is replaced`);
    if (name !== undefined) t.equal("name" in place ? place.name : undefined, name, before);
  };
  f("", "expression");
  f("ra", "expression", "ra");
  f("{", "labelName");
  f("{ap", "labelName", "ap");
  f('{app="x", ', "labelName");
  f('{app="', "labelValue", "", "app");
  f('{app="x", env=~"pr', "labelValue", "pr", "env");
  f("{app=`pr", "labelValue", "pr", "app");
  f("{app", "labelName", "app");
  f("{app=", "nothing");
  f('{app="x"}', "pipeline");
  f('{app="x"} |= "y" ', "pipeline");
  f('{app="x"} |= "y', "nothing");
  f('{app="x"} | ', "stage");
  f('{app="x"} | js', "stage", "js");
  f('{app="x"} | json | level="er', "fieldValue", "er", "level");
  f('{app="x"} | json | level="e" or lev', "stage", "lev");
  f('{app="x"} | json | level=', "nothing");
  f("sum by (", "grouping");
  f("sum by (app, po", "grouping", "po");
  f("sum(", "expression");
  f('sum by (app) (rate({app="x"} | json | unwrap ', "grouping");
  f('rate({app="x"}[', "range");
  f('rate({app="x"}[5', "range", "5");
  f('rate({app="x"}[5m]) / ', "expression");
  f('rate({app="x"}[5m]) / ra', "expression", "ra");
  f("# comment {", "nothing");
  t.end();
});

t.test("tokens ascend, whatever the text", (t) => {
  fc.assert(fc.property(fc.string({ unit: "grapheme-ascii", maxLength: 60 }), (text) => {
    let end = 0;
    for (const token of tokensOf(text)) {
      if (token.start < end || text.slice(token.start, token.end) !== token.text) return false;
      end = token.end;
    }
    return true;
  }));
  t.end();
});

t.test("words are keywords by place", (t) => {
  const kinds = (text: string) => tokensOf(text).map((token) => token.kind);
  t.strictSame(kinds("rate by json x"), ["function", "keyword", "keyword", "name"]);
  t.strictSame(kinds('{rate="x"} | json="y"').filter((kind) => kind === "keyword"), []);
  t.strictSame(kinds('"a" `b` "c'), ["string", "string", "unclosed"]);
  t.end();
});
