/** Relabel rules against Prometheus' documentation, and what remains of a target's labels. */
import { Result } from "effect";
import t from "tap";
import { decodeWith } from "../../platform/yaml/decode.ts";
import { checkRelabelConfigs, compileRelabelConfigs } from "./relabel.ts";
import { RelabelConfigs } from "./relabelConfig.ts";
import { targetRelabeler } from "./targetLabels.ts";

type Rule = Readonly<Record<string, unknown>>;

const decode = (rules: ReadonlyArray<Rule>) =>
  Result.getOrThrowWith(decodeWith(RelabelConfigs, rules, []), (problems) => problems);

const given = { a: "foo", b: "bar", c: "baz", __meta_x: "m", n_1: "one" };

t.test("actions", (t) => {
  const f = (rule: Rule, expected: Readonly<Record<string, string | null>> | null) => {
    const labels = new Map(Object.entries(given));
    const isKept = compileRelabelConfigs(decode([rule]))(labels);
    const name = JSON.stringify(rule);
    if (expected === null) return t.notOk(isKept, name);
    t.ok(isKept, name);
    const changed = Object.entries({ ...given, ...expected }).filter(([, value]) => value !== null);
    t.strictSame(Object.fromEntries(labels), Object.fromEntries(changed), name);
  };
  // replace
  f({ source_labels: ["a"], target_label: "d" }, { d: "foo" });
  f({ source_labels: ["a", "b"], target_label: "d" }, { d: "foo;bar" });
  f({ source_labels: ["a", "b"], separator: "", target_label: "d" }, { d: "foobar" });
  f({ source_labels: ["a"], regex: "f(.*)", target_label: "d", replacement: "ch${1}-ch$1" }, {
    d: "choo-choo",
  });
  f({ source_labels: ["a"], regex: "o", target_label: "d" }, {});
  f({ source_labels: ["a"], regex: "(?P<first>.)oo", target_label: "d", replacement: "$first!" }, {
    d: "f!",
  });
  f({ source_labels: ["a"], regex: "(.)oo", target_label: "d", replacement: "$1x$$" }, { d: "$" });
  f({ source_labels: ["a"], target_label: "b", replacement: "" }, { b: null });
  f({ source_labels: ["missing"], target_label: "b" }, { b: null });
  f({ source_labels: ["missing"], regex: "(.+)", target_label: "b" }, {});
  f({ source_labels: ["b", "a"], regex: "(.*);(.*)", target_label: "${2}_x", replacement: "$1" }, {
    foo_x: "bar",
  });
  f({ source_labels: ["a"], regex: "(.*)", target_label: "${1}-x", replacement: "y" }, {});
  f({ target_label: "d", replacement: "static" }, { d: "static" });
  f({ source_labels: ["a"], target_label: "d", regex: ".*\n?.*" }, { d: null });
  // keep, drop
  f({ action: "keep", source_labels: ["a"], regex: "foo|x" }, {});
  f({ action: "keep", source_labels: ["a"], regex: "fo" }, null);
  f({ action: "drop", source_labels: ["a"], regex: "f.o" }, null);
  f({ action: "drop", source_labels: ["a"], regex: "o" }, {});
  f({ action: "Drop", source_labels: ["missing"], regex: "" }, null);
  f({ action: "keepequal", source_labels: ["a"], target_label: "a" }, {});
  f({ action: "keepequal", source_labels: ["a"], target_label: "b" }, null);
  f({ action: "dropequal", source_labels: ["a"], target_label: "a" }, null);
  f({ action: "dropequal", source_labels: ["a"], target_label: "b" }, {});
  // The last eight bytes of MD5("foo") = acbd18db4cc2f85cedef654fccc4a4d8 are 0xedef654fccc4a4d8.
  f({ action: "hashmod", source_labels: ["a"], target_label: "d", modulus: 1000 }, {
    d: String(0xedef654fccc4a4d8n % 1000n),
  });
  f({ action: "hashmod", source_labels: ["a"], target_label: "d", modulus: 1 }, { d: "0" });
  f({ action: "lowercase", source_labels: ["a", "b"], target_label: "d" }, { d: "foo;bar" });
  f({ action: "uppercase", source_labels: ["a"], target_label: "a" }, { a: "FOO" });
  // Names.
  f({ action: "labelmap", regex: "__meta_(.+)" }, { x: "m" });
  f({ action: "labelmap", regex: "n_(\\d)", replacement: "k${1}_x" }, { k1_x: "one" });
  f({ action: "labeldrop", regex: "a|b" }, { a: null, b: null });
  f({ action: "labeldrop", regex: "_meta" }, {});
  f({ action: "labelkeep", regex: "a|__.*" }, { b: null, c: null, n_1: null });
  t.end();
});

t.test("rules apply in order, each to what the one before left", (t) => {
  const relabel = compileRelabelConfigs(decode([
    { source_labels: ["a"], target_label: "__tmp", replacement: "tmp-$1" },
    { source_labels: ["__tmp"], regex: "tmp-(f).*", target_label: "d" },
    { action: "labeldrop", regex: "a" },
    { source_labels: ["a"], regex: "", target_label: "gone", replacement: "yes" },
  ]));
  const labels = new Map([["a", "foo"]]);
  t.ok(relabel(labels));
  t.strictSame(Object.fromEntries(labels), { __tmp: "tmp-foo", d: "f", gone: "yes" });
  t.end();
});

t.test("mistakes", (t) => {
  const f = (rule: Rule, key: string, message: RegExp) => {
    const [problem, ...rest] = checkRelabelConfigs(decode([rule]), ["relabel_configs"]);
    t.strictSame([problem?.path, rest], [["relabel_configs", 0, key], []], JSON.stringify(rule));
    t.match(problem?.message, message);
  };
  f({ source_labels: ["a"] }, "target_label", /action replace needs a target_label/);
  f({ target_label: "a-b" }, "target_label", /"a-b" is not a label name/);
  f({ target_label: "a", regex: "(" }, "regex", /missing closing \)/);
  f({ action: "hashmod", target_label: "a" }, "modulus", /at least 1/);
  f({ action: "lowercase" }, "target_label", /needs a target_label/);
  f({ action: "labelmap", regex: "a", replacement: "-$1" }, "replacement", /label name/);
  f({ action: "labeldrop", regex: "a", target_label: "b" }, "target_label", /no meaning/);
  f(
    { action: "keepequal", source_labels: ["a"], target_label: "b", regex: "c" },
    "regex",
    /no mea/,
  );
  t.strictSame(checkRelabelConfigs(decode([{ target_label: "${1}", regex: "(a)" }]), []), []);
  t.end();
});

t.test("labels that begin with __ are dropped in the end, but for the tenant", (t) => {
  const relabel = targetRelabeler(decode([
    { source_labels: ["__meta_ns"], target_label: "__tenant_id__" },
    { source_labels: ["__meta_file"], target_label: "__path__", replacement: "/var/log/$1" },
    { action: "drop", source_labels: ["__meta_ns"], regex: "kube-system" },
  ]));
  const found = relabel(new Map([["__meta_ns", "shop"], ["__meta_file", "x.log"], ["app", "a"]]))!;
  t.equal(found.labels.text, '{app="a"}');
  t.equal(found.labels.tenant, "shop");
  t.equal(found.internal.get("__path__"), "/var/log/x.log");
  t.equal(relabel(new Map([["__meta_ns", "kube-system"]])), null);
  t.end();
});
