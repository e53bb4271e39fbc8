// Tests of reading and rewriting selectors: tables, and laws over arbitrary labels and values.
import fc from "fast-check";
import t from "tap";
import {
  chosenValues,
  filterField,
  filterLabel,
  type Matcher,
  printSelector,
  readSelector,
  toggleValue,
  withoutLastStage,
  writeSelector,
} from "./selector.ts";

const names = fc.constantFrom("app", "env", "_x1", "service_name");
const texts = fc.oneof(
  fc.string(),
  fc.constantFrom('a"b', "a|b", "\\", ".*", "{}", "`", "a\nb", "#", "}"),
);
const matchers = fc.array(
  fc.record({ name: names, operator: fc.constantFrom("=", "!=", "=~", "!~"), value: texts }, {
    noNullPrototype: true,
  }),
  { maxLength: 4 },
) as fc.Arbitrary<Matcher[]>;

t.test("what printSelector prints, readSelector reads", (t) => {
  fc.assert(fc.property(matchers, (wanted) => {
    const text = printSelector(wanted);
    const read = readSelector(`${text} |= "{no}"`);
    t.strictSame(read, { start: 0, end: text.length, matchers: wanted });
  }));
  t.end();
});

t.test("readSelector", (t) => {
  const reads = (query: string, wanted: unknown) => {
    const read = readSelector(query);
    t.strictSame(typeof read === "string" ? read : read.matchers, wanted, query);
  };
  const app = { name: "app", operator: "=", value: "a" };
  reads("", "none");
  reads('  |= "x"', "none");
  reads("error", "unreadable");
  reads("{", "unreadable");
  reads('{app="a', "unreadable");
  reads('{app="a",}', "unreadable");
  reads("{}", []);
  reads('{ app = "a" , env!~`b|"c"` }', [app, { name: "env", operator: "!~", value: 'b|"c"' }]);
  reads('sum(rate({app="a"}[5m])) # {', [app]);
  reads('# {env="x"}\n{app="a"}', [app]);
  reads('{app="\\x61"}', [app]);
  reads('{app="\\u00e4\\t\\""}', [{ ...app, value: 'ä\t"' }]);
  t.end();
});

t.test("toggleValue twice changes nothing that is chosen; once changes one value", (t) => {
  const values = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 4 });
  fc.assert(fc.property(values, fc.string({ minLength: 1 }), (start, value) => {
    const query = start.reduce((text, each) => toggleValue(text, "app", each), '{env="x"} |= "y"');
    const chosenIn = (text: string) => {
      const selector = readSelector(text);
      return typeof selector === "string"
        ? undefined
        : new Set(chosenValues(selector.matchers, "app"));
    };
    t.strictSame(chosenIn(query), new Set(start));
    const once = new Set(start);
    if (!once.delete(value)) once.add(value);
    t.strictSame(chosenIn(toggleValue(query, "app", value)), once);
    t.strictSame(
      chosenIn(toggleValue(toggleValue(query, "app", value), "app", value)),
      new Set(start),
    );
    t.ok(toggleValue(query, "app", value).endsWith('} |= "y"'), "the pipeline stays");
  }));
  t.end();
});

t.test("toggleValue writes what a person would", (t) => {
  const writes = (query: string, value: string, wanted: string) =>
    t.equal(toggleValue(query, "app", value), wanted, query);
  writes("", "a", '{app="a"}');
  writes('{app="a"}', "a", "");
  writes('{app="a"} |= "x"', "b", '{app=~"a|b"} |= "x"');
  writes('{app=~"a|b"}', "a", '{app="b"}');
  writes('{app=~"a.*"}', "b", '{app=~"a.*", app="b"}');
  writes('{env="x"}', "a.b", '{env="x", app="a.b"}');
  writes('|= "x"', "a", '{app="a"} |= "x"');
  writes("{app=", "a", "{app=");
  t.end();
});

t.test("filterLabel and filterField", (t) => {
  t.equal(filterLabel('{app="a"} |= "x"', "env", "p", true), '{app="a", env="p"} |= "x"');
  t.equal(filterLabel('{app="a"}', "app", "b", true), '{app="b"}');
  t.equal(filterLabel('{env="p", app=~"a|b"}', "app", "a", false), '{env="p", app="b", app!="a"}');
  t.equal(
    filterLabel('{app="a"}', "app", "a", false),
    '{app=~".+", app!="a"}',
    "one matcher must hold",
  );
  t.equal(filterField('{app="a"}', "level", 'x"', true), '{app="a"} | level="x\\""');
  t.equal(filterField('{app="a"} | level="x"', "level", "x", false), '{app="a"} | level!="x"');
  t.equal(filterField('{app="a"} | level="x"', "level", "x", true), '{app="a"} | level="x"');
  t.equal(filterField('{app="a"} # why', "level", "x", true), '{app="a"} # why\n| level="x"');
  t.end();
});

t.test("writeSelector leaves the rest alone", (t) => {
  t.equal(writeSelector('sum(rate({app="a"}[5m]))', []), "sum(rate({}[5m]))");
  t.equal(writeSelector("{oops", []), "{oops");
  t.end();
});

t.test("withoutLastStage", (t) => {
  const drops = (query: string, wanted: string | undefined) =>
    t.equal(withoutLastStage(query), wanted, query);
  drops('{app="a"}', undefined);
  drops('{app="a"} |= "x|y"', '{app="a"}');
  drops('{app="a"} |= "x" != "y"', '{app="a"} |= "x"');
  drops('{app="a"} | json | status != "5"', '{app="a"} | json');
  drops('{app="a"} | json | status >= 500', '{app="a"} | json');
  drops('{app="a"} != `x`', '{app="a"}');
  drops('sum(rate({app="a"} |= "x" [5m]))', undefined);
  t.end();
});
