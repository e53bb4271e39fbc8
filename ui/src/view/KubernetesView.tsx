// Namespaces, workloads, pods and containers as the labels of streams tell them, with how much each logs and how many
// errors: a click leads to the lines, the errors or the live tail, and several pods can be followed side by side.
import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { hues } from "../model/hues.ts";
import { printSelector } from "../model/selector.ts";
import { address, go } from "../state/address.ts";
import { ask, asked, matchersOfPods, type Node } from "../state/kubernetes.ts";
import { AskedState } from "./AskedState.tsx";
import { formatCount } from "./figures.ts";
import { Icon } from "./icons.tsx";

const errorFilter = ' | detected_level=~"error|critical|fatal"';

export function KubernetesView() {
  const { range, tenant } = address.value;
  const open = useSignal<ReadonlySet<string>>(new Set());
  const chosen = useSignal<ReadonlyMap<string, Node>>(new Map());
  const search = useSignal("");
  useMemo(() => hues.begin(), []);
  useEffect(ask, [range, tenant]);
  const roots = asked.answer.value;
  return (
    <main class="place" aria-label="Kubernetes" aria-busy={asked.loading.value}>
      <div class="place-head">
        <h1>Kubernetes</h1>
        <input
          class="find"
          type="search"
          aria-label="Find a namespace, workload or pod"
          placeholder="Find a pod"
          value={search.value}
          onInput={(event) => search.value = event.currentTarget.value}
        />
        <div class="grow" />
        {chosen.value.size > 0 && <SideBySide chosen={chosen} />}
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
                <th role="columnheader" scope="col">Name</th>
                <th role="columnheader" scope="col" class="number">Lines</th>
                <th role="columnheader" scope="col" class="number">Errors</th>
                <th role="columnheader" scope="col">Show</th>
              </tr>
            </thead>
            <tbody role="rowgroup">
              {roots.map((node) => (
                <Branch
                  key={node.key}
                  node={node}
                  depth={0}
                  open={open}
                  chosen={chosen}
                  search={search.value.trim().toLowerCase()}
                />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </main>
  );
}

interface BranchProps {
  readonly node: Node;
  readonly depth: number;
  readonly open: Signal<ReadonlySet<string>>;
  /** Pods by their keys. */
  readonly chosen: Signal<ReadonlyMap<string, Node>>;
  readonly search: string;
}

function Branch({ node, depth, open, chosen, search }: BranchProps) {
  if (search !== "" && !holds(node, search)) return null;
  const isOpen = open.value.has(node.key) || search !== "";
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
    <>
      <tr role="row" class={`tree-${node.kind}`}>
        <th role="rowheader" scope="row" style={{ paddingLeft: `${8 + depth * 20}px` }}>
          <span class="row">
            {node.kind === "pod" && (
              <input
                type="checkbox"
                aria-label={`Choose ${node.name}`}
                checked={chosen.value.has(node.key)}
                onChange={() => chosen.value = chosenOrNot(chosen.value, node)}
              />
            )}
            {isLeaf ? <span class="leaf">{name}</span> : (
              <button
                type="button"
                class="fold"
                aria-expanded={isOpen}
                onClick={() => open.value = toggled(open.value, node.key)}
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
      {isOpen && node.children.map((child) => (
        <Branch
          key={child.key}
          node={child}
          depth={depth + 1}
          open={open}
          chosen={chosen}
          search={search}
        />
      ))}
    </>
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

function SideBySide({ chosen }: { chosen: Signal<ReadonlyMap<string, Node>> }) {
  const pods = [...chosen.value.values()];
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
      <button type="button" class="button" onClick={() => chosen.value = new Map()}>Clear</button>
    </>
  );
}

function holds(node: Node, search: string): boolean {
  return node.name.toLowerCase().includes(search) ||
    node.children.some((child) => holds(child, search));
}

function chosenOrNot(chosen: ReadonlyMap<string, Node>, pod: Node): ReadonlyMap<string, Node> {
  const next = new Map(chosen);
  if (!next.delete(pod.key)) next.set(pod.key, pod);
  return next;
}

function toggled(set: ReadonlySet<string>, item: string): ReadonlySet<string> {
  const next = new Set(set);
  if (!next.delete(item)) next.add(item);
  return next;
}
