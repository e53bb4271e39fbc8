// Fields of a line and filters by them: expectations by hand, from the documentation of LogQL's json and logfmt stages.
import t from "tap";
import { filterParsed, lineFields } from "./lineFields.ts";

t.test("lineFields", (t) => {
  t.strictSame(lineFields('{"a":"x","n":1.5,"ok":true,"l":[1],"z":null,"in":{"b-c":"y"}}'), {
    parser: "json",
    fields: { a: "x", n: "1.5", ok: "true", in_b_c: "y" },
  });
  t.strictSame(lineFields('level=info msg="a \\"b\\"" took=12ms 2x=1'), {
    parser: "logfmt",
    fields: { level: "info", msg: 'a "b"', took: "12ms", _2x: "1" },
  });
  for (const line of ["plain", "prose with a=b in it and more", '{"a":', "[1]", ""]) {
    t.equal(lineFields(line), undefined, line);
  }
  t.equal(lineFields(`{"a":"${"x".repeat(300_000)}"}`), undefined, "long lines are not read");
  t.end();
});

t.test("filterParsed puts the parser in once", (t) => {
  const once = filterParsed('{a="b"}', "json", "level", "error", true);
  t.equal(once, '{a="b"} | json | level="error"');
  t.equal(filterParsed(once, "json", "n", "1", false), `${once} | n!="1"`);
  t.end();
});
