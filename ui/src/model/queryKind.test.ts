// Tests of what is told of a query without a parser.
import t from "tap";
import { fillVariables, isMetricQuery, roundStep } from "./queryKind.ts";

t.test("isMetricQuery", (t) => {
  for (const query of ["", "  ", '{a="b"}', '# sum\n {a="b"} | json', '({a="b"})', "| json"]) {
    t.notOk(isMetricQuery(query), query);
  }
  for (const query of ['rate({a="b"}[5m])', '# {a}\n(sum(rate({a="b"}[5m])))', "vector(1)", "1"]) {
    t.ok(isMetricQuery(query), query);
  }
  t.end();
});

t.test("fillVariables", (t) => {
  t.equal(fillVariables('rate({a="b"}[$__auto])', 30, 3600), 'rate({a="b"}[30s])');
  t.equal(fillVariables("x[$__range] y[${__interval}]", 5, 7200), "x[7200s] y[5s]");
  t.end();
});

t.test("roundStep is round, and gives no more points than asked", (t) => {
  const f = (range: number, points: number, step: number) =>
    t.equal(roundStep(range, points), step);
  f(60, 120, 1);
  f(3600, 120, 30);
  f(3601, 120, 60);
  f(6 * 3600, 120, 300);
  f(86_400, 120, 900);
  f(30 * 86_400, 120, 10 * 3600);
  f(365 * 86_400, 120, 4 * 86_400);
  t.end();
});
