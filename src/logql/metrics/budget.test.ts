/** The limits on what evaluation holds and does, which operators ask before they make anything. */
import t from "tap";
import { parseLabels } from "../../streams/labels.ts";
import { combineVectors } from "./binary/vectors.ts";
import { Budget, seriesSize } from "./budget.ts";
import { CellTable } from "./cells.ts";
import { constantSeries, type Matrix } from "./matrix.ts";
import { replaceLabel } from "./vector/labelReplace.ts";

const samplesMax = 20_000;
const heldMax = 4 * samplesMax;
const workMax = 50 * samplesMax;
const ignore = () => {};

function matrix(name: string, count: number, stepCount: number): Matrix {
  const series = Array.from(
    { length: count },
    (_, index) => constantSeries(parseLabels(`{app="a", ${name}="${index}"}`), 1, stepCount),
  );
  return { kind: "matrix", series };
}

t.test("what is held ends with settle, what was worked through adds up", (t) => {
  const budget = new Budget(samplesMax, ignore);
  for (let round = 0; round < 10; round++) {
    budget.hold(heldMax);
    t.throws(() => budget.hold(1), {
      name: "MetricLimitReached",
      message: /80000 samples at once/,
    });
    budget.settle(0);
  }
  budget.work(workMax - 10 * (heldMax + 1));
  t.throws(() => budget.work(1), {
    name: "MetricLimitReached",
    message: /work through more than 1000000 samples.*max_query_samples \(20000\).*raise/,
  });
  t.end();
});

t.test("each question is a look at whether anybody waits", (t) => {
  const gone = new Error("gone");
  const budget = new Budget(samplesMax, () => {
    throw gone;
  });
  t.throws(() => budget.work(0), gone);
  t.throws(() => budget.hold(0), gone);
  t.end();
});

t.test("pairs of series are counted before they are made", (t) => {
  // At each step one of the many partners has a value: no pair of a step is ambiguous.
  const ones = matrix("one", 200, 200).series.map((series, index) => {
    series.present.fill(0);
    series.present[index] = 1;
    return series;
  });
  const operation = {
    op: "+",
    returnBool: false,
    matching: {
      kind: "VectorMatching",
      span: { start: 0, end: 0 },
      mode: "on",
      labels: ["app"],
      group: { side: "left", labels: ["one"] },
    },
  } as const;
  const budget = new Budget(samplesMax, ignore);
  const many = matrix("many", 200, 200);
  t.throws(() => combineVectors(operation, many, { kind: "matrix", series: ones }, budget), {
    message: /hold more than 80000/,
  });
  t.ok(budget.held < heldMax + 300, "and not all of them were made");
  t.end();
});

t.test("the text of labels counts, eight characters as a sample", (t) => {
  t.equal(seriesSize(parseLabels(`{app="${"x".repeat(797)}"}`), 7), 7 + 1 + 100);
  const replacing = {
    source: "app",
    destination: "long",
    regex: "(.*)",
    replacement: "x".repeat(16_000),
  };
  const budget = new Budget(samplesMax, ignore);
  t.throws(() => replaceLabel(matrix("many", 100, 1), replacing, budget), {
    message: /hold more than 80000/,
  });
  const table = new CellTable({ seriesMax: 1000, samplesMax: 100 });
  table.seriesOf(`{a="${"x".repeat(700)}"}`);
  t.throws(() => table.seriesOf(`{b="${"x".repeat(100)}"}`), {
    message: /more than 800 characters.*max_query_samples \(100\)/,
  });
  t.end();
});
