/** Alerts and dashboards ask for metrics that there are: each name in k8s/components is one that a source file defines, or
 *  Prometheus' or Kubernetes' own. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { parse } from "yaml";

const root = fileURLToPath(new URL("../..", import.meta.url));
const components = join(root, "k8s", "components");
/** Made by Prometheus, the kubelet and kube-state-metrics. */
const ofOthers = new Set([
  "up",
  "kube_statefulset_status_replicas_ready",
  "kube_statefulset_replicas",
  "kubelet_volume_stats_available_bytes",
  "kubelet_volume_stats_capacity_bytes",
]);

const defined = definedNames();

t.test("alerts", (t) => {
  const { spec } = parse(readFileSync(join(components, "monitoring", "rules.yaml"), "utf8")) as {
    readonly spec: {
      readonly groups: ReadonlyArray<
        { readonly rules: ReadonlyArray<{ readonly alert: string; readonly expr: string }> }
      >;
    };
  };
  const rules = spec.groups.flatMap((group) => group.rules);
  t.ok(rules.length > 0);
  for (const { alert, expr } of rules) t.same(unknownIn(expr), [], alert);
  t.end();
});

t.test("dashboards", (t) => {
  const folder = join(components, "grafana");
  const files = readdirSync(folder).filter((name) => name.endsWith(".json"));
  const panels = files.flatMap((name) =>
    (JSON.parse(readFileSync(join(folder, name), "utf8")) as Dashboard).panels
  );
  const targets = panels.flatMap(({ title, datasource, targets = [] }) =>
    targets.map(({ expr }) => ({ title, type: datasource?.type, expr }))
  );
  const ofPrometheus = targets.filter(({ type }) => type === "prometheus");
  t.ok(ofPrometheus.length > 0);
  for (const { title, expr } of ofPrometheus) t.same(unknownIn(expr), [], title);
  t.end();
});

interface Dashboard {
  readonly panels: ReadonlyArray<{
    readonly title: string;
    readonly datasource?: { readonly type: string };
    readonly targets?: ReadonlyArray<{ readonly expr: string }>;
  }>;
}

/** Names of an expression's selectors that nothing defines; an expression without a selector is one. */
function unknownIn(expr: string): ReadonlyArray<string> {
  const names = [...expr.replace(/"(?:[^"\\]|\\.)*"/g, '""').matchAll(/([a-zA-Z_:][\w:]*)\s*\{/g)]
    .map(([, name]) => name!);
  if (names.length === 0) return [`no metric in ${expr}`];
  return names.filter((name) =>
    !ofOthers.has(name) && !defined.has(name) &&
    !defined.has(name.replace(/_(bucket|count|sum)$/, ""))
  );
}

/** Every string of a source file that could be a metric's name, tests aside. */
function definedNames(): ReadonlySet<string> {
  const folder = join(root, "src");
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => /(?<!\.test)\.ts$/.test(path) && !path.startsWith("testing/"));
  return new Set(
    files.flatMap((path) =>
      [
        ...readFileSync(join(folder, path), "utf8").matchAll(
          /"((?:tailrace|loki|promtail|process)_\w+)"/g,
        ),
      ]
        .map(([, name]) => name!)
    ),
  );
}
