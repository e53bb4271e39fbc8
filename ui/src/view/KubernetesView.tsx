// Namespaces, workloads, pods and containers as the labels of streams tell them, with how much each logs and how many
// errors: a click leads to the lines, the errors or the live tail, and several pods can be followed side by side.
import { useEffect, useMemo } from "preact/hooks";
import { hues } from "../model/hues.ts";
import { type Line, linesOf, matchersOfPods, type Node, type Order } from "../model/podTree.ts";
import { printSelector } from "../model/selector.ts";
import { address, go } from "../state/address.ts";
import { ask, asked, ticked, unfolded } from "../state/kubernetes.ts";
import { AskedState } from "./AskedState.tsx";
import { formatCount } from "./figures.ts";
import { Icon } from "./icons.tsx";

/** Rows drawn at once; a search leads to those beyond. */
const rowsMax = 500;
const errorFilter = ' | detected_level=~"error|critical|fatal"';

export function KubernetesView() {
  const { range, tenant, find, sort } = address.value;
  useMemo(() => hues.begin(), []);
  useEffect(ask, [range, tenant]);
  const roots = asked.answer.value;
  const lines = useMemo(
    () => linesOf(roots ?? [], unfolded.value, find.trim().toLowerCase(), sort),
    [roots, unfolded.value, find, sort],
  );
  return (
    <main class="place" aria-label="Kubernetes" aria-busy={asked.loading.value}>
      <div class="place-head">
        <h1>Kubernetes</h1>
        <input
          class="find"
          type="search"
          aria-label="Find a namespace, workload or pod"
          placeholder="Find a pod"
          value={find}
          onInput={(event) => go({ find: event.currentTarget.value }, "replace")}
        />
        <div class="grow" />
        {ticked.value.size > 0 && <SideBySide />}
        <button
          type="button"
          class="button"
          onClick={() => {
            asked.forget();
            ask();
          }}
        >
          <Icon name="refresh" /> Refresh
        </button>
      </div>
      <AskedState asked={asked} retry={ask} />
      {roots?.length === 0 && (
        <div class="empty">
          <p>
            No stream of this range has a label <code>namespace</code>. The collector sets it, and
            {" "}
            <code>pod</code> and <code>container</code>, from Kubernetes.
          </p>
        </div>
      )}
      {roots !== undefined && roots.length > 0 && (
        <div class="tree-frame" tabIndex={0} role="region" aria-label="Workloads">
          <table class="tree pods" role="table">
            <thead role="rowgroup">
              <tr role="row">
                <Head by="name" words="Name" />
                <Head by="lines" words="Lines" />
                <Head by="errors" words="Errors" />
                <th role="columnheader" scope="col">Show</th>
              </tr>
            </thead>
            <tbody role="rowgroup">
              {lines.slice(0, rowsMax).map((line) => <Branch key={line.node.key} line={line} />)}
            </tbody>
          </table>
          {lines.length === 0 && <p class="empty">Nothing has this in its name.</p>}
          {lines.length > rowsMax && (
            <p class="hint list-end">
              The first {rowsMax} of {formatCount(lines.length)}: find the others by name.
            </p>
          )}
        </div>
      )}
    </main>
  );
}

function Head({ by, words }: { by: Order; words: string }) {
  const isSorted = address.value.sort === by;
  const sort = !isSorted ? undefined : by === "name" ? "ascending" : "descending";
  return (
    <th role="columnheader" scope="col" class={by === "name" ? "" : "number"} aria-sort={sort}>
      <button type="button" onClick={() => go({ sort: by }, "replace")}>{words}</button>
    </th>
  );
}

function Branch({ line: { node, depth, isOpen } }: { line: Line }) {
  const isLeaf = node.children.length === 0;
  const weight = isLeaf ? "" : "label-name";
  const name = (
    <>
      <span class={node.kind === "pod" ? `pod-name hue-${hues.of("pod", node.name)}` : weight}>
        {node.name}
      </span>
      <span class="hint">{node.kind}</span>
    </>
  );
  return (
    <tr role="row" class={`tree-${node.kind}`}>
      <th role="rowheader" scope="row" style={{ paddingLeft: `${8 + depth * 20}px` }}>
        <span class="row">
          {node.kind === "pod" && (
            <input
              type="checkbox"
              aria-label={`Choose ${node.name}`}
              checked={ticked.value.has(node.key)}
              onChange={() => ticked.value = tickedOrNot(ticked.value, node)}
            />
          )}
          {isLeaf ? <span class="leaf">{name}</span> : (
            <button
              type="button"
              class="fold"
              aria-expanded={isOpen}
              onClick={() => unfolded.value = toggled(unfolded.value, node.key)}
            >
              <Icon name={isOpen ? "down" : "right"} />
              {name}
            </button>
          )}
        </span>
      </th>
      <td role="cell" class="number">{formatCount(node.lines)}</td>
      <td role="cell" class={`number ${node.errors > 0 ? "has-errors" : ""}`}>
        {formatCount(node.errors)}
      </td>
      <td role="cell">
        <Show node={node} />
      </td>
    </tr>
  );
}

function Show({ node }: { node: Node }) {
  const selector = printSelector(node.matchers);
  const show = (query: string, live: boolean) =>
    go({ page: "explore", tab: "lines", query, live, split: "", entry: "" }, "push");
  return (
    <span class="row">
      <button
        type="button"
        class="button small"
        aria-label={`Lines of ${node.name}`}
        onClick={() => show(selector, false)}
      >
        Lines
      </button>
      <button
        type="button"
        class="button small"
        aria-label={`Errors of ${node.name}`}
        onClick={() => show(`${selector}${errorFilter}`, false)}
      >
        Errors
      </button>
      <button
        type="button"
        class="button small"
        aria-label={`Live tail of ${node.name}`}
        onClick={() => show(selector, true)}
      >
        Live
      </button>
    </span>
  );
}

function SideBySide() {
  const pods = [...ticked.value.values()];
  const query = printSelector(matchersOfPods(pods));
  const follow = (apart: boolean) => {
    const look = apart ? { split: "pod", columns: [] } : { split: "", columns: ["pod"] };
    go({ page: "explore", tab: "lines", query, live: true, entry: "", ...look }, "push");
  };
  return (
    <>
      <button type="button" class="button primary" onClick={() => follow(true)}>
        Follow {pods.length} {pods.length === 1 ? "pod" : "pods side by side"}
      </button>
      {pods.length > 1 && (
        <button type="button" class="button" onClick={() => follow(false)}>In one list</button>
      )}
      <button type="button" class="button" onClick={() => ticked.value = new Map()}>Clear</button>
    </>
  );
}

function tickedOrNot(before: ReadonlyMap<string, Node>, pod: Node): ReadonlyMap<string, Node> {
  const next = new Map(before);
  if (!next.delete(pod.key)) next.set(pod.key, pod);
  return next;
}

function toggled(set: ReadonlySet<string>, item: string): ReadonlySet<string> {
  const next = new Set(set);
  if (!next.delete(item)) next.add(item);
  return next;
}
