// What runs on Kubernetes in the present range, asked of the server, and what of it is unfolded and ticked, which outlives a look
// at the lines of a pod: model/podTree.ts makes the tree of it, and view/KubernetesView.tsx shows it.
import { signal } from "@preact/signals-core";
import { querySeries, type Series } from "../api/loki.ts";
import { seriesOf } from "../api/operations.ts";
import { nowNanoseconds } from "../model/nanoseconds.ts";
import { type Count, type Node, treeOf } from "../model/podTree.ts";
import { type ResolvedRange, resolveRange } from "../model/timeRange.ts";
import { address } from "./address.ts";
import { Asked } from "./asked.ts";

export const asked = new Asked<readonly Node[]>();
/** Keys of the nodes that are unfolded. */
export const unfolded = signal<ReadonlySet<string>>(new Set());
/** Ticked pods by their keys. */
export const ticked = signal<ReadonlyMap<string, Node>>(new Map());

/** Asks for the tree of the present range. */
export function ask(): void {
  const { range, zone, tenant } = address.peek();
  const resolved = resolveRange(range, nowNanoseconds(), zone);
  if (typeof resolved === "string") return;
  void asked.ask(JSON.stringify([range, tenant]), (signal) => fetchTree(resolved, signal));
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
  return treeOf(streams, countsOf(lines.series), countsOf(errors.series));
}

function countsOf(series: readonly Series[]): readonly Count[] {
  return series.map(({ labels, points }) => ({ labels, count: Number(points.at(-1)?.[1] ?? 0) }));
}
