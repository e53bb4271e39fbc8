// What runs on Kubernetes as the labels of streams tell it. Owns the tree of namespaces, workloads, pods and containers and
// how many lines and errors each has in the range; view/KubernetesView.tsx shows it.
import { querySeries } from "../api/loki.ts";
import { seriesOf } from "../api/operations.ts";
import { nowNanoseconds } from "../model/nanoseconds.ts";
import type { Labels } from "../model/row.ts";
import type { Matcher } from "../model/selector.ts";
import { type ResolvedRange, resolveRange } from "../model/timeRange.ts";
import { address } from "./address.ts";
import { Asked } from "./asked.ts";

export interface Node {
  readonly kind: "namespace" | "workload" | "pod" | "container";
  readonly name: string;
  /** Names the node among all. */
  readonly key: string;
  readonly matchers: readonly Matcher[];
  readonly children: Node[];
  lines: number;
  errors: number;
}

export const asked = new Asked<readonly Node[]>();

/** Labels that may name a workload, the surest first. */
const workloadLabels = ["app", "workload", "deployment", "statefulset", "daemonset", "job"];

/** Asks for the tree of the present range. */
export function ask(): void {
  const { range, zone, tenant } = address.peek();
  const resolved = resolveRange(range, nowNanoseconds(), zone);
  if (typeof resolved === "string") return;
  void asked.ask(JSON.stringify([range, tenant]), (signal) => fetchTree(resolved, signal));
}

/** What selects the streams of pods, each of which a namespace may have a pod of the same name beside. */
export function matchersOfPods(pods: readonly Node[]): readonly Matcher[] {
  return ["namespace", "pod"].map((name) => {
    const values = new Set(
      pods.flatMap(({ matchers }) => matchers.filter((each) => each.name === name))
        .map(({ value }) => value.replace(/[\\^$.|?*+()[\]{}]/g, "\\$&")),
    );
    return { name, operator: "=~", value: [...values].sort().join("|") };
  });
}

async function fetchTree(range: ResolvedRange, signal: AbortSignal): Promise<readonly Node[]> {
  const seconds = Math.max(1, Math.ceil(Number((range.end - range.start) / 1_000_000_000n)));
  const count = (filter: string) =>
    querySeries({
      query:
        `sum by (namespace, pod, container) (count_over_time({namespace=~".+"}${filter} [${seconds}s]))`,
      ...range,
    }, signal);
  const [streams, lines, errors] = await Promise.all([
    seriesOf('{namespace=~".+"}', range, signal),
    count(""),
    count(' | detected_level=~"error|critical|fatal"'),
  ]);
  const roots: Node[] = [];
  const leaves = new Map<string, Node[]>();
  for (const labels of streams) {
    const path = pathOf(roots, labels);
    const key = keyOf(labels);
    if (!leaves.has(key)) leaves.set(key, path);
  }
  for (const { labels, points } of lines.series) {
    for (const node of leaves.get(keyOf(labels)) ?? []) node.lines += valueOf(points);
  }
  for (const { labels, points } of errors.series) {
    for (const node of leaves.get(keyOf(labels)) ?? []) node.errors += valueOf(points);
  }
  sortTree(roots);
  return roots;
}

function valueOf(points: readonly (readonly [number, string])[]): number {
  return Number(points.at(-1)?.[1] ?? 0);
}

function keyOf(labels: Labels): string {
  return JSON.stringify([labels.namespace ?? "", labels.pod ?? "", labels.container ?? ""]);
}

/** The nodes from a namespace down to a container, put into the tree where they are missing. */
function pathOf(roots: Node[], labels: Labels): Node[] {
  const workload = workloadLabels.find((name) => labels[name] !== undefined);
  const steps: readonly (readonly [Node["kind"], string | undefined])[] = [
    ["namespace", "namespace"],
    ["workload", workload],
    ["pod", "pod"],
    ["container", "container"],
  ];
  const path: Node[] = [];
  let siblings = roots;
  let matchers: readonly Matcher[] = [];
  for (const [kind, label] of steps) {
    const value = label === undefined ? undefined : labels[label];
    if (label === undefined || value === undefined) continue;
    matchers = [...matchers, { name: label, operator: "=", value }];
    let node = siblings.find((each) => each.kind === kind && each.name === value);
    if (node === undefined) {
      const key = JSON.stringify(matchers.map((matcher) => [matcher.name, matcher.value]));
      node = { kind, name: value, key, matchers, children: [], lines: 0, errors: 0 };
      siblings.push(node);
    }
    path.push(node);
    siblings = node.children;
  }
  return path;
}

function sortTree(nodes: Node[]): void {
  nodes.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const node of nodes) sortTree(node.children);
}
