/** Rule files: what is read from them, that printing and reading gives the same, and what is said of mistakes. */
import { Result } from "effect";
import t from "tap";
import { parseRuleFile, parseRuleGroup } from "./parseRules.ts";
import { printNamespaces, printRuleGroup } from "./printRules.ts";

const example = `
namespace: shop
groups:
  - name: errors
    interval: 1m30s
    limit: 10
    query_offset: 30s
    labels: { team: checkout }
    rules:
      - alert: HighErrorRate
        expr: |
          sum by (app) (rate({app="shop"} |= "error" [5m]))
            > 0.05
        for: 10m
        keep_firing_for: 1h
        labels:
          severity: page
        annotations:
          summary: "{{ $labels.app }} has {{ $value | humanize }} errors a second"
      - record: app:errors:rate5m
        expr: sum by (app) (rate({app="shop"} |= "error" [5m]))
        labels: { source: logs }
  - name: empty
    rules: []
`;

t.test("a file as lokitool has it", (t) => {
  const { namespace, groups } = Result.getOrThrow(parseRuleFile(example));
  t.equal(namespace, "shop");
  t.same(groups.map(({ name, rules }) => [name, rules.length]), [["errors", 2], ["empty", 0]]);
  t.match(groups[0], {
    intervalMs: 90_000,
    limit: 10,
    queryOffsetMs: 30_000,
    labels: { team: "checkout" },
    rules: [
      { kind: "alerting", name: "HighErrorRate", forMs: 600_000, keepFiringForMs: 3_600_000 },
      { kind: "recording", name: "app:errors:rate5m", labels: { source: "logs" } },
    ],
  });
  t.end();
});

t.test("what is printed reads as the same", (t) => {
  const { groups } = Result.getOrThrow(parseRuleFile(example));
  for (const group of groups) {
    t.same(Result.getOrThrow(parseRuleGroup(printRuleGroup(group))), group);
  }
  t.match(printNamespaces(new Map([["a/b", groups]])), /^a\/b:\n {4}- name: errors\n/);
  t.end();
});

/** Each rule alone in a group, and what is said of it. */
const mistakes: ReadonlyArray<readonly [rule: string, message: string]> = [
  ["alert: a\n    expr: '{app=\"a\"}'", 'line 4, col 5: group "g", rule "a": expr: '],
  ["alert: a\n    expr: 'rate({app=\"a\"}[5m]'", 'rule "a": expr: '],
  [
    "alert: a\n    exp: 1",
    'line 4, col 5: group "g", rule "a": exp: there is no such key; did you mean "expr"?',
  ],
  ["expr: 'vector(1)'", 'line 3, col 5: group "g", rule 1: needs alert (a name) or record'],
  ["alert: a\n    record: b\n    expr: vector(1)", "a rule has alert or record, not both"],
  ["record: a-b\n    expr: vector(1)", '"a-b" is not a metric name'],
  ["record: a\n    for: 5m\n    expr: vector(1)", "for: is for alerts"],
  ["alert: a\n    expr: vector(1)\n    for: soon", '"soon" is not a duration'],
  ["alert: a\n    expr: vector(1)\n    labels: { a-b: c }", '"a-b" is not a label name'],
  ["alert: a\n    expr: vector(1)\n    labels: { __name__: c }", "__name__: is set by record"],
  [
    "alert: a\n    expr: vector(1)\n    annotations:\n      s: '{{ $label.x }}'",
    'line 6, col 7: group "g", rule "a": annotations.s: template error at line 1, col 4: undefined variable $label',
  ],
  [
    "alert: a\n    expr: vector(1)\n    annotations: { s: '{{ humanise 1 }}' }",
    "did you mean humanize?",
  ],
];

t.test("mistakes name group, rule, place and what is wrong", (t) => {
  for (const [rule, message] of mistakes) {
    const parsed = parseRuleGroup(`name: g\nrules:\n  - ${rule}\n`);
    if (Result.isSuccess(parsed)) t.fail(`no mistake in ${rule}`);
    else t.match(parsed.failure.message, message, rule);
  }
  const said = (text: string) => {
    const parsed = parseRuleFile(text);
    return Result.isFailure(parsed) ? parsed.failure.message : "";
  };
  t.match(said("groups: [{ name: a, interval: 0s }]"), "interval: must be from 1ms to 7d");
  t.match(said("groups: [{ name: a }, { name: a }]"), 'there is a group "a" above already');
  t.match(said("groups:\n  - name: ''"), "name: must not be empty");
  t.match(said("groups: [{ name: a, limt: 1 }]"), 'did you mean "limit"?');
  t.match(said("a: [1"), /^line 1, col \d+: /);
  t.match(said(`groups: [{ name: ${"a".repeat(300)} }]`), "longer than 256 bytes");
  t.match(said(" ".repeat(2_000_000)), "more than 1048576 characters");
  t.equal(said(""), "");
  t.end();
});
