/** Operators and vector functions, by hand: each row is an expression over the vectors A, B, … and the
 *  series that it gives, as `{labels} value at each step`, with _ for no value. */
import { Result } from "effect";
import t from "tap";
import { formatLabels, parseLabels } from "../../streams/labels.ts";
import { parseMetricQuery } from "../parser.ts";
import { planMetric } from "../planner/metricPlan.ts";
import { Budget } from "./budget.ts";
import { evaluate } from "./evaluate.ts";
import type { Matrix, Series } from "./matrix.ts";

type Vectors = Readonly<Record<string, ReadonlyArray<string>>>;

function seriesOf(row: string): Series {
  const end = row.indexOf("}") + 1;
  const texts = row.slice(end).trim().split(/\s+/);
  return {
    labels: parseLabels(row.slice(0, end)),
    values: Float64Array.from(texts, (text) => text === "_" ? 0 : numberOf(text)),
    present: Uint8Array.from(texts, (text) => text === "_" ? 0 : 1),
  };
}

function numberOf(text: string): number {
  return text === "+Inf" ? Infinity : text === "-Inf" ? -Infinity : Number(text);
}

function textOf({ labels, values, present }: Series): string {
  const texts = Array.from(
    values,
    (value, step) =>
      present[step] === 0
        ? "_"
        : value === Infinity
        ? "+Inf"
        : value === -Infinity
        ? "-Inf"
        : String(value),
  );
  return `${formatLabels(labels)} ${texts.join(" ")}`;
}

/** Evaluates over the vectors; capital letters stand for range aggregations that give them. */
function ask(
  text: string,
  vectors: Vectors,
  isRange = false,
): ReadonlyArray<string> | number {
  const query = text.replace(
    /\b[A-C]\b/g,
    (name) => `last_over_time({vector="${name}"} | unwrap x [1m])`,
  );
  const parsed = parseMetricQuery(query);
  if (Result.isFailure(parsed)) throw parsed.failure;
  const plan = planMetric(parsed.success);
  const leaves = plan.leaves.map(({ range }): Matrix => ({
    kind: "matrix",
    series: vectors[range.selector.matchers[0]!.value]!.map(seriesOf),
  }));
  const count = leaves[0]?.series[0]?.values.length ?? 1;
  const budget = new Budget(1000, () => {});
  const steps = { count, isInstant: count === 1 && !isRange };
  const value = evaluate(plan.tree, leaves, steps, budget);
  return value.kind === "scalar" ? value.value : value.series.map(textOf);
}

function table(name: string, vectors: Vectors, rows: Readonly<Record<string, string[] | number>>) {
  t.test(name, (t) => {
    for (const [expr, wanted] of Object.entries(rows)) t.same(ask(expr, vectors), wanted, expr);
    t.end();
  });
}

function refused(
  name: string,
  vectors: Vectors,
  rows: Readonly<Record<string, RegExp>>,
): void {
  t.test(name, (t) => {
    for (const [expr, message] of Object.entries(rows)) {
      t.throws(() => ask(expr, vectors), { message }, expr);
    }
    t.end();
  });
}

const apps: Vectors = {
  A: [
    '{app="a", pod="1"} 1 2 _',
    '{app="a", pod="2"} 3 _ _',
    '{app="b", pod="1"} 5 7 9',
    '{pod="4"} 10 10 10',
  ],
};

table("aggregations over groups", apps, {
  "sum(A)": ["{} 19 19 19"],
  "sum by (app) (A)": ["{} 10 10 10", '{app="a"} 4 2 _', '{app="b"} 5 7 9'],
  "sum(A) without (pod)": ["{} 10 10 10", '{app="a"} 4 2 _', '{app="b"} 5 7 9'],
  "avg by (app) (A)": ["{} 10 10 10", '{app="a"} 2 2 _', '{app="b"} 5 7 9'],
  "count by (app) (A)": ["{} 1 1 1", '{app="a"} 2 1 _', '{app="b"} 1 1 1'],
  "min(A)": ["{} 1 2 9"],
  "max by (pod) (A)": ['{pod="1"} 5 7 9', '{pod="2"} 3 _ _', '{pod="4"} 10 10 10'],
  "stdvar by (app) (A)": ["{} 0 0 0", '{app="a"} 1 0 _', '{app="b"} 0 0 0'],
  "stddev by (app) (A)": ["{} 0 0 0", '{app="a"} 1 0 _', '{app="b"} 0 0 0'],
  "count(count by (app) (A))": ["{} 3 3 2"],
  "sum by (nothing) (A)": ["{} 19 19 19"],
  "sum(sum(A))": ["{} 19 19 19"],
});

table("NaN and infinities in aggregations", {
  A: ['{a="1"} NaN NaN +Inf', '{a="2"} 1 NaN -Inf'],
}, {
  "min(A)": ["{} 1 NaN -Inf"],
  "max(A)": ["{} 1 NaN +Inf"],
  "sum(A)": ["{} NaN NaN NaN"],
  "count(A)": ["{} 2 2 2"],
});

table("sums do not lose what is small", { A: ['{a="1"} 1e16', '{a="2"} 1', '{a="3"} -1e16'] }, {
  "sum(A)": ["{} 1"],
});

table("topk and bottomk choose step by step and keep labels", {
  A: [
    '{app="a", pod="1"} 1 5 NaN',
    '{app="a", pod="2"} 2 5 1',
    '{app="a", pod="3"} 3 1 _',
    '{app="b", pod="1"} 9 _ 9',
  ],
}, {
  "topk(1, A)": ['{app="a", pod="1"} _ 5 _', '{app="b", pod="1"} 9 _ 9'],
  "topk(2, A) by (app)": [
    '{app="a", pod="1"} _ 5 NaN',
    '{app="a", pod="2"} 2 5 1',
    '{app="a", pod="3"} 3 _ _',
    '{app="b", pod="1"} 9 _ 9',
  ],
  "bottomk(1, A)": [
    '{app="a", pod="1"} 1 _ _',
    '{app="a", pod="2"} _ _ 1',
    '{app="a", pod="3"} _ 1 _',
  ],
  "bottomk by (app) (1, A)": [
    '{app="a", pod="1"} 1 _ _',
    '{app="a", pod="2"} _ _ 1',
    '{app="a", pod="3"} _ 1 _',
    '{app="b", pod="1"} 9 _ 9',
  ],
  "approx_topk(1, A)": ['{app="a", pod="1"} _ 5 _', '{app="b", pod="1"} 9 _ 9'],
  "sum(topk(2, A))": ["{} 12 10 10"],
});

table("sort orders an instant vector, NaN last", {
  A: ['{a="1"} 2', '{a="2"} NaN', '{a="3"} 1', '{a="4"} 2'],
}, {
  "sort(A)": ['{a="3"} 1', '{a="1"} 2', '{a="4"} 2', '{a="2"} NaN'],
  "sort_desc(A)": ['{a="1"} 2', '{a="4"} 2', '{a="3"} 1', '{a="2"} NaN'],
  "topk(2, sort(A))": ['{a="1"} 2', '{a="4"} 2'],
});

table("sort leaves a range as it is", { A: ['{a="1"} 2 1', '{a="2"} 1 2'] }, {
  "sort_desc(A)": ['{a="1"} 2 1', '{a="2"} 1 2'],
});

t.test("sort leaves a range of one step as it is, too", (t) => {
  const vectors = { A: ['{a="1"} 1', '{a="2"} 2'] };
  t.same(ask("sort_desc(A)", vectors, true), ['{a="1"} 1', '{a="2"} 2']);
  t.same(ask("sort_desc(A)", vectors), ['{a="2"} 2', '{a="1"} 1']);
  t.end();
});

table("numbers among themselves", {}, {
  "1 + 2 * 3": 7,
  "2 ^ 3 ^ 2": 512,
  "(2 ^ 3) ^ 2": 64,
  "7 % 4": 3,
  "-7 % 4": -3,
  "1 / 0": NaN,
  "1 % 0": NaN,
  "1 > 2": 0,
  "2 > bool 1": 1,
  "1 ^ (1 / 0)": 1,
});

table("vector() and numbers", { A: ['{a="1"} 1 -2 _', '{a="2"} 0 4 NaN'] }, {
  "vector(1) + vector(1)": ["{} 2"],
  "A * 2": ['{a="1"} 2 -4 _', '{a="2"} 0 8 NaN'],
  "2 - A": ['{a="1"} 1 4 _', '{a="2"} 2 -2 NaN'],
  "1 / A": ['{a="1"} 1 -0.5 _', '{a="2"} NaN 0.25 NaN'],
  "A > 0": ['{a="1"} 1 _ _', '{a="2"} _ 4 _'],
  "0 < A": ['{a="1"} 1 _ _', '{a="2"} _ 4 _'],
  "A > bool 0": ['{a="1"} 1 0 _', '{a="2"} 0 1 0'],
  "A != 4": ['{a="1"} 1 -2 _', '{a="2"} 0 _ NaN'],
  "A > 100": [],
  "A + (1 + 1)": ['{a="1"} 3 0 _', '{a="2"} 2 6 NaN'],
  "A ^ 2": ['{a="1"} 1 4 _', '{a="2"} 0 16 NaN'],
});

const sides: Vectors = {
  A: ['{app="a", code="5"} 1 2 3', '{app="b", code="5"} 4 _ 6', '{app="c", code="4"} 7 8 9'],
  B: ['{app="a", code="5"} 10 10 _', '{app="b", code="5"} 2 2 2', '{app="d", code="5"} 1 1 1'],
  C: ['{app="a", team="x"} 2 2 2', '{app="b", team="y"} 4 4 4'],
};

table("one to one", sides, {
  "A + B": ['{app="a", code="5"} 11 12 _', '{app="b", code="5"} 6 _ 8'],
  "A - on (app) C": ['{app="a"} -1 0 1', '{app="b"} 0 _ 2'],
  "A * ignoring (code, team) C": ['{app="a"} 2 4 6', '{app="b"} 16 _ 24'],
  "A > B": ['{app="b", code="5"} 4 _ 6'],
  "A > bool B": ['{app="a", code="5"} 0 0 _', '{app="b", code="5"} 1 _ 1'],
  "A > on (app) C": ['{app="a"} _ _ 3', '{app="b"} _ _ 6'],
  "B < A": ['{app="b", code="5"} 2 _ 2'],
});

table("many to one", {
  A: ['{app="a", code="2"} 8', '{app="a", code="5"} 2', '{app="b", code="2"} 3'],
  B: ['{app="a", team="x"} 10', '{app="b", code="9", team="y"} 3'],
}, {
  "A / on (app) group_left B": [
    '{app="a", code="2"} 0.8',
    '{app="a", code="5"} 0.2',
    '{app="b", code="2"} 1',
  ],
  "A / on (app) group_left (team) B": [
    '{app="a", code="2", team="x"} 0.8',
    '{app="a", code="5", team="x"} 0.2',
    '{app="b", code="2", team="y"} 1',
  ],
  "B / on (app) group_right (team) A": [
    '{app="a", code="2", team="x"} 1.25',
    '{app="a", code="5", team="x"} 5',
    '{app="b", code="2", team="y"} 1',
  ],
});

table("set operators", sides, {
  "A and B": ['{app="a", code="5"} 1 2 _', '{app="b", code="5"} 4 _ 6'],
  "A and on (app) C": ['{app="a", code="5"} 1 2 3', '{app="b", code="5"} 4 _ 6'],
  "A unless B": ['{app="a", code="5"} _ _ 3', '{app="c", code="4"} 7 8 9'],
  "A unless ignoring (app) B": ['{app="c", code="4"} 7 8 9'],
  "A or B": [
    '{app="a", code="5"} 1 2 3',
    '{app="b", code="5"} 4 2 6',
    '{app="c", code="4"} 7 8 9',
    '{app="d", code="5"} 1 1 1',
  ],
  "A or on (code) B": [
    '{app="a", code="5"} 1 2 3',
    '{app="b", code="5"} 4 _ 6',
    '{app="c", code="4"} 7 8 9',
  ],
  "B and on () vector(1)": [
    '{app="a", code="5"} 10 10 _',
    '{app="b", code="5"} 2 2 2',
    '{app="d", code="5"} 1 1 1',
  ],
});

refused("matches that are not clear", {
  A: ['{app="a", pod="1"} 1 _', '{app="a", pod="2"} 2 1'],
  B: ['{app="a"} 1 1'],
}, {
  "A + on (app) B": /many-to-one matching must be explicit/,
  "B + on (app) A": /duplicate series on the right hand-side/,
  "B + on (app) group_right A + on (app) group_left A": /duplicate series on the right/,
  "A + on (app) group_left (pod) B": /grouping labels must ensure unique matches/,
  "sum(1)": /sum takes a vector/,
  "(1 + 1) or A": /combines vectors/,
});

table("a match is only ambiguous where both are there", {
  A: ['{app="a", pod="1"} 1 _', '{app="a", pod="2"} _ 2'],
  B: ['{app="a"} 1 1'],
}, {
  "A + on (app) B": ['{app="a"} 2 3'],
  "B + on (app) A": ['{app="a"} 2 3'],
  'label_replace(A, "pod", "", "pod", ".*")': ['{app="a"} 1 2'],
});

table("series that label_replace makes equal", {
  A: ['{app="a", pod="1"} 1 _ 5', '{app="a", pod="2"} 2 1 _', '{app="b", pod="2"} 7 _ _'],
}, {
  'label_replace(A, "pod", "", "pod", ".*")': [
    '{app="a"} 1 1 5',
    '{app="a"} 2 _ _',
    '{app="b"} 7 _ _',
  ],
  'sum by (app) (label_replace(A, "pod", "", "pod", ".*"))': [
    '{app="a"} 3 1 5',
    '{app="b"} 7 _ _',
  ],
  'label_replace(A, "pod", "", "pod", ".*") > 1': ['{app="a"} 2 _ 5', '{app="b"} 7 _ _'],
  'topk by (app) (1, label_replace(A, "pod", "", "pod", ".*"))': [
    '{app="a"} 2 1 5',
    '{app="b"} 7 _ _',
  ],
  'label_replace(A, "pod", "", "pod", ".*") and on (app) A': [
    '{app="a"} 1 1 5',
    '{app="a"} 2 _ _',
    '{app="b"} 7 _ _',
  ],
});

table("label_replace within label_replace cannot double a value for ever", {
  A: ['{app="aaaaaaaaaa"} 1'],
}, {
  [doubled("A", 2)]: [`{app="${"a".repeat(40)}"} 1`],
});

refused("values that label_replace makes too long", { A: ['{app="aaaaaaaaaa"} 1'] }, {
  [doubled("A", 20)]: /label_replace makes a value of "app" longer than 16384 characters/,
});

function doubled(expr: string, times: number): string {
  if (times === 0) return expr;
  return `label_replace(${doubled(expr, times - 1)}, "app", "$1$1", "app", "(.*)")`;
}

table("label_replace", { A: ['{host="db-01.eu"} 1', '{host="web"} 2', "{} 3"] }, {
  'label_replace(A, "zone", "$2", "host", "(.*)\\\\.(.*)")': [
    "{} 3",
    '{host="db-01.eu", zone="eu"} 1',
    '{host="web"} 2',
  ],
  'label_replace(A, "kind", "${name}!", "host", "(?P<name>[a-z]+).*")': [
    "{} 3",
    '{host="db-01.eu", kind="db!"} 1',
    '{host="web", kind="web!"} 2',
  ],
  'label_replace(A, "host", "$$$1_x", "host", "(w).b")': [
    "{} 3",
    '{host="$"} 2',
    '{host="db-01.eu"} 1',
  ],
  'label_replace(A, "new", "x", "missing", "")': [
    '{host="db-01.eu", new="x"} 1',
    '{host="web", new="x"} 2',
    '{new="x"} 3',
  ],
});

table("variants", { A: ['{a="1"} 1'], B: ["{} 2"] }, {
  'variants(A, sum(B)) of ({app="x"}[1m])': ['{__variant__="0", a="1"} 1', '{__variant__="1"} 2'],
});

table("equal leaves are one", { A: ['{a="1"} 4'] }, { "A / A": ['{a="1"} 1'] });
