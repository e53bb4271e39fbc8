// Namespaces, workloads, pods and containers as the labels of streams tell them: the tree, its rows on the screen, and what
// selects its pods. Invariant: a node's matchers select the streams of all below it.
import type { Labels } from "./row.ts";
import type { Matcher } from "./selector.ts";

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

export type Order = "name" | "lines" | "errors";

/** A node as it is drawn. */
export interface Line {
  readonly node: Node;
  readonly depth: number;
  readonly isOpen: boolean;
}

/** How many lines or errors the streams of some labels have. */
export interface Count {
  readonly labels: Labels;
  readonly count: number;
}

/** Labels that may name a workload, the surest first. */
const workloadLabels = ["app", "workload", "deployment", "statefulset", "daemonset", "job"];

/** The tree of `streams`, with the counts that are by namespace, pod and container. */
export function treeOf(
  streams: readonly Labels[],
  lines: readonly Count[],
  errors: readonly Count[],
): readonly Node[] {
  const roots: Node[] = [];
  const leaves = new Map<string, Node[]>();
  for (const labels of streams) {
    const path = pathOf(roots, labels);
    const key = keyOf(labels);
    if (!leaves.has(key)) leaves.set(key, path);
  }
  for (const { labels, count } of lines) {
    for (const node of leaves.get(keyOf(labels)) ?? []) node.lines += count;
  }
  for (const { labels, count } of errors) {
    for (const node of leaves.get(keyOf(labels)) ?? []) node.errors += count;
  }
  sortTree(roots);
  return roots;
}

/** The nodes to draw, from the top: those in `open`, and, with a search (in small letters), those with it in their names, what
 *  they hang on, and what hangs on them. */
export function linesOf(
  roots: readonly Node[],
  open: ReadonlySet<string>,
  search: string,
  order: Order,
): readonly Line[] {
  const lines: Line[] = [];
  /** Whether the name of one of the nodes, or of one below, has the search in it. */
  const collect = (nodes: readonly Node[], depth: number, isWithin: boolean): boolean => {
    let found = false;
    const sorted = order === "name" ? nodes : [...nodes].sort((a, b) => b[order] - a[order]);
    for (const node of sorted) {
      const at = lines.length;
      const matches = search !== "" && node.name.toLowerCase().includes(search);
      lines.push({ node, depth, isOpen: false });
      const below = collect(node.children, depth + 1, isWithin || matches);
      const isOpen = below || open.has(node.key);
      if (search !== "" && !matches && !below && !isWithin) lines.length = at;
      else if (!isOpen) lines.length = at + 1;
      if (lines.length > at) lines[at] = { node, depth, isOpen };
      found ||= matches || below;
    }
    return found;
  };
  collect(roots, 0, false);
  return lines;
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
