// How the server is: what it holds and receives, what costs most, which queries run (and ending them), and its settings.
// Figures of the process are asked again every few seconds while this is looked at.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import {
  activeQueries,
  type ActiveQuery,
  cardinalities,
  configuration,
  endQuery,
  type IndexStats,
  indexStats,
  metrics,
  version,
  volumes,
} from "../api/operations.ts";
import { serverUrl } from "../api/serverUrl.ts";
import { nowNanoseconds } from "../model/nanoseconds.ts";
import type { Labels } from "../model/row.ts";
import { printSelector } from "../model/selector.ts";
import { resolveRange } from "../model/timeRange.ts";
import { address, go } from "../state/address.ts";
import { Asked } from "../state/asked.ts";
import { say } from "../state/screen.ts";
import { AskedState } from "./AskedState.tsx";
import { ClusterCard } from "./ClusterCard.tsx";
import { formatBytes, formatCount, formatSeconds } from "./figures.ts";
import { RulesCard } from "./RulesCard.tsx";

interface Process {
  readonly version: string;
  readonly metrics: ReadonlyMap<string, number>;
  /** Lines and bytes a second since the last look. */
  readonly linesPerSecond: number | undefined;
  readonly bytesPerSecond: number | undefined;
  readonly at: number;
}

const process = new Asked<Process>();
const stats = new Asked<IndexStats>();
const largest = new Asked<readonly { labels: Labels; bytes: number }[]>();
const labels = new Asked<readonly { label: string; cardinality: number }[]>();
const queries = new Asked<readonly ActiveQuery[]>();
const settings = new Asked<string>();
const refreshMs = 3000;
const largestCount = 20;

export function OperationsView() {
  const { range, tenant } = address.value;
  useEffect(askAll, [range, tenant]);
  useEffect(() => {
    const timer = setInterval(askProcess, refreshMs);
    askProcess();
    return () => clearInterval(timer);
  }, []);
  return (
    <main class="place" aria-label="Operations" aria-busy={stats.loading.value}>
      <div class="place-head">
        <h1>Operations</h1>
        <div class="grow" />
        <a class="button" href={serverUrl("actors").href}>Actors</a>
        <a class="button" href={serverUrl("metrics").href}>Metrics</a>
      </div>
      <div class="cards">
        <Figures />
        <Queries />
        <RulesCard />
        <ClusterCard />
        <Largest />
        <Cardinality />
        <Settings />
      </div>
    </main>
  );
}

function Figures() {
  const now = process.answer.value;
  const held = stats.answer.value;
  const value = (name: string) => now?.metrics.get(name);
  const total = (name: string) => now === undefined ? undefined : sum(now.metrics, name);
  const started = value("process_start_time_seconds");
  const figures: readonly (readonly [string, string | undefined])[] = [
    ["Version", now?.version],
    ["Up for", started === undefined ? undefined : formatSeconds(Date.now() / 1000 - started)],
    ["Memory", bytes(value("process_resident_memory_bytes"))],
    ["Lines received", perSecond(now?.linesPerSecond, (rate) => formatCount(Math.round(rate)))],
    ["Bytes received", perSecond(now?.bytesPerSecond, formatBytes)],
    ["Streams with new lines", count(total("tailrace_ingester_streams"))],
    ["Not yet in segments", bytes(total("tailrace_ingester_unflushed_bytes"))],
    ["Live tails", count(value("tailrace_tail_clients"))],
    ["Streams in the range", count(held?.streams)],
    ["Lines in the range", count(held?.entries)],
    ["Bytes in the range", bytes(held?.bytes)],
    ["Chunks in the range", count(held?.chunks)],
  ];
  return (
    <section class="card wide">
      <h2>Now</h2>
      <AskedState asked={process} retry={askProcess} />
      <dl class="figures">
        {figures.map(([words, text]) => (
          <div key={words}>
            <dt>{words}</dt>
            <dd>{text ?? "–"}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Queries() {
  const found = queries.answer.value ?? [];
  const end = async (id: string) => {
    try {
      await endQuery(id);
      say("Ended the query");
    } catch (cause) {
      say(cause instanceof Error ? cause.message : String(cause));
    }
    askProcess();
  };
  return (
    <section class="card wide">
      <h2>Queries that run</h2>
      <AskedState asked={queries} retry={askProcess} />
      {queries.answer.value !== undefined && queries.failure.value === undefined &&
        found.length === 0 && <p class="hint">None at present.</p>}
      <ul class="lines">
        {found.map((query) => (
          <li key={query.id}>
            <code>{query.query}</code>
            <span class="hint">
              {formatSeconds(query.seconds)}
              {query.bytesTotal !== undefined && query.bytesTotal > 0 &&
                `, ${Math.floor((100 * (query.bytesDone ?? 0)) / query.bytesTotal)} %`}
            </span>
            <button type="button" class="button small" onClick={() => void end(query.id)}>
              End
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Largest() {
  const found = largest.answer.value ?? [];
  const most = Math.max(1, ...found.map((each) => each.bytes));
  const show = (selector: string) => go({ page: "explore", query: selector, entry: "" }, "push");
  return (
    <section class="card">
      <h2>Largest streams in the range</h2>
      <AskedState asked={largest} retry={askAll} />
      <ul class="lines bars-list">
        {found.map((each) => {
          const selector = printSelector(
            Object.entries(each.labels).map(([name, value]) => ({ name, operator: "=", value })),
          );
          return (
            <li key={selector}>
              <span
                class="share"
                style={{ width: `${(100 * each.bytes) / most}%` }}
                aria-hidden="true"
              />
              <button
                type="button"
                class="plain"
                title="Show its lines"
                onClick={() => show(selector)}
              >
                <code>{selector}</code>
              </button>
              <em>{formatBytes(each.bytes)}</em>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function Cardinality() {
  const found = labels.answer.value ?? [];
  const most = Math.max(1, ...found.map(({ cardinality }) => cardinality));
  return (
    <section class="card">
      <h2>Values of each label</h2>
      <AskedState asked={labels} retry={askAll} />
      <ul class="lines bars-list">
        {found.map(({ label, cardinality }) => (
          <li key={label}>
            <span
              class="share"
              style={{ width: `${(100 * cardinality) / most}%` }}
              aria-hidden="true"
            />
            <code>{label}</code>
            <em>{formatCount(cardinality)}</em>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Settings() {
  const search = useSignal("");
  useEffect(() => void settings.ask("settings", configuration), []);
  const wanted = search.value.trim().toLowerCase();
  const text = (settings.answer.value ?? "").split("\n")
    .filter((line) => wanted === "" || line.toLowerCase().includes(wanted)).join("\n");
  return (
    <section class="card wide">
      <div class="row">
        <h2>Settings and limits</h2>
        <div class="grow" />
        <input
          class="find"
          type="search"
          aria-label="Find a setting"
          placeholder="Find a setting"
          value={search.value}
          onInput={(event) => search.value = event.currentTarget.value}
        />
      </div>
      <AskedState asked={settings} retry={() => void settings.ask("settings", configuration)} />
      {settings.answer.value !== undefined && <pre class="settings" tabIndex={0}>{text}</pre>}
    </section>
  );
}

function askAll(): void {
  const { range, zone, tenant } = address.peek();
  const resolved = resolveRange(range, nowNanoseconds(), zone);
  if (typeof resolved === "string") return;
  const key = JSON.stringify([range, tenant]);
  void stats.ask(key, (signal) => indexStats(resolved, signal));
  void largest.ask(key, (signal) => volumes([], resolved, largestCount, signal));
  void labels.ask(key, (signal) => cardinalities(resolved, signal));
}

function askProcess(): void {
  const key = String(Date.now());
  void queries.ask(key, activeQueries);
  void process.ask(key, async (signal) => {
    const before = process.answer.peek();
    const found = await metrics(signal);
    const at = performance.now();
    const rate = (name: string) => {
      const [now, then] = [sum(found, name), before && sum(before.metrics, name)];
      return then === undefined || before === undefined
        ? undefined
        : Math.max(0, ((now - then) * 1000) / (at - before.at));
    };
    return {
      version: before?.version ?? await version(signal),
      metrics: found,
      linesPerSecond: rate("loki_distributor_lines_received_total"),
      bytesPerSecond: rate("loki_distributor_bytes_received_total"),
      at,
    };
  });
}

/** A counter over all its labels. */
function sum(found: ReadonlyMap<string, number>, name: string): number {
  let total = 0;
  for (const [key, value] of found) if (key === name || key.startsWith(`${name}{`)) total += value;
  return total;
}

function count(value: number | undefined): string | undefined {
  return value === undefined ? undefined : formatCount(value);
}

function perSecond(
  rate: number | undefined,
  print: (rate: number) => string,
): string | undefined {
  return rate === undefined ? undefined : `${print(rate)}/s`;
}

function bytes(value: number | undefined): string | undefined {
  return value === undefined ? undefined : formatBytes(value);
}
