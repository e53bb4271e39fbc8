// The answer to a query that computes numbers: a graph with its legend, a table, or single figures; and the numbers as a
// file. chart.ts draws; the choice among them is in the address.
import { type ReadonlySignal, type Signal, useComputed, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Series } from "../api/loki.ts";
import { formatDay, formatRfc3339, formatTimeOfDay } from "../model/nanoseconds.ts";
import { address, go } from "../state/address.ts";
import { type Address, choices } from "../state/addressText.ts";
import { downloadSeries } from "../state/download.ts";
import { type Computed, draft, type Run, shown } from "../state/explore.ts";
import { theme } from "../state/screen.ts";
import type { ChartSeries } from "./chart.ts";
import { formatValue } from "./figures.ts";
import { nameOf, SeriesTable } from "./SeriesTable.tsx";

/** Series drawn at once; more are told, and are in the table. */
const drawnMax = 50;

const kindWords: Record<Address["graph"], string> = {
  lines: "Lines",
  bars: "Bars",
  stacked: "Stacked",
  table: "Table",
  stat: "Figures",
};

export function MetricsView({ computed }: { computed: Computed }) {
  const run = shown.value;
  const { graph } = address.value;
  // One moment has no course to draw.
  const kind = computed.stepSeconds === undefined && graph !== "stat" ? "table" : graph;
  if (run === undefined) return null;
  return (
    <>
      <Options kind={kind} />
      {computed.series.length === 0
        ? <p class="empty">The query computed no points in this time range.</p>
        : kind === "table"
        ? <SeriesTable series={computed.series} />
        : kind === "stat"
        ? <Figures series={computed.series} />
        : <Graph computed={computed} run={run} kind={kind} />}
    </>
  );
}

function Options({ kind }: { kind: Address["graph"] }) {
  const { instant } = address.value;
  return (
    <div class="subbar">
      <div class="segments" role="group" aria-label="How numbers are shown">
        {choices.graph.map((name) => (
          <button
            key={name}
            type="button"
            aria-pressed={kind === name}
            disabled={instant && name !== "table" && name !== "stat"}
            onClick={() => go({ graph: name }, "replace")}
          >
            {kindWords[name]}
          </button>
        ))}
      </div>
      <button
        type="button"
        class="button small"
        aria-pressed={instant}
        title="Compute at the end of the range only"
        onClick={() => go({ instant: !instant }, "push")}
      >
        Instant
      </button>
      <div class="grow" />
      <button type="button" class="button small" onClick={() => downloadSeries("csv")}>CSV</button>
      <button type="button" class="button small" onClick={() => downloadSeries("json")}>
        JSON
      </button>
      <button type="button" class="button small" onClick={() => downloadSeries("txt")}>Text</button>
    </div>
  );
}

interface GraphProps {
  readonly computed: Computed;
  readonly run: Run;
  readonly kind: "lines" | "bars" | "stacked";
}

function Graph({ computed, run, kind }: GraphProps) {
  const hidden = useSignal<ReadonlySet<string>>(new Set());
  const hovered = useSignal<number | undefined>(undefined);
  const drawn = computed.series.slice(0, drawnMax).map((series, i) => ({
    name: nameOf(series),
    colour: `var(--series-${i % 10})`,
    points: new Map(series.points.map(([seconds, value]) => [seconds, Number(value)])),
  }));
  return (
    <div class="graph">
      <Canvas
        key={`${kind}`}
        all={drawn}
        hidden={hidden}
        hovered={hovered}
        run={run}
        kind={kind}
        stepSeconds={computed.stepSeconds ?? 1}
      />
      {computed.series.length > drawnMax && (
        <p class="hint list-end">
          The first {drawnMax} of {computed.series.length}{" "}
          series are drawn: the table has all, topk(10, …) the largest.
        </p>
      )}
      <SeriesTable
        series={computed.series}
        colourOf={(i) => i < drawnMax ? drawn[i]?.colour : undefined}
        hidden={hidden}
      />
    </div>
  );
}

interface CanvasProps {
  readonly all: readonly Omit<ChartSeries, "isShown">[];
  readonly hidden: Signal<ReadonlySet<string>>;
  readonly hovered: Signal<number | undefined>;
  readonly run: Run;
  readonly kind: "lines" | "bars" | "stacked";
  readonly stepSeconds: number;
}

function Canvas({ all, hidden, hovered, run, kind, stepSeconds }: CanvasProps) {
  const host = useRef<HTMLDivElement>(null);
  const { zone } = address.value;
  const scheme = theme.value;
  const start = Number(run.range.start / 1_000_000n) / 1000;
  const end = Number(run.range.end / 1_000_000n) / 1000;
  useEffect(() => {
    let remove = () => {};
    let isGone = false;
    void import("./chart.ts").then(({ drawChart }) => {
      const element = host.current;
      if (isGone || element === null) return;
      const style = getComputedStyle(element);
      const colourOf = (name: string) => style.getPropertyValue(name.slice(4, -1));
      remove = drawChart(
        element,
        all.map((each) => ({
          ...each,
          colour: resolveColour(element, colourOf(each.colour)),
          isShown: !hidden.value.has(each.name),
        })),
        {
          kind,
          start,
          end,
          stepSeconds,
          format: formatValue,
          formatTime: (seconds, withDay) => formatMoment(seconds, zone, withDay),
          onHover: (seconds) => hovered.value = seconds,
          onZoom: (from, to) => zoom(from, to),
        },
      );
    });
    return () => {
      isGone = true;
      remove();
    };
  }, [all, hidden.value, kind, zone, scheme]);
  return (
    <div
      class="graph-canvas"
      ref={host}
      aria-label="Graph; the table below has the numbers"
      role="img"
    >
      <Hovered all={all} hidden={hidden} hovered={hovered} />
    </div>
  );
}

/** `light-dark()` is no colour to a canvas until an element has it. */
function resolveColour(host: HTMLElement, value: string): string {
  const probe = document.createElement("i");
  probe.style.color = value;
  host.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

function Hovered({ all, hidden, hovered }: Pick<CanvasProps, "all" | "hidden" | "hovered">) {
  const rows: ReadonlySignal<readonly (readonly [string, string, number])[]> = useComputed(() => {
    const time = hovered.value;
    if (time === undefined) return [];
    return all.filter(({ name }) => !hidden.value.has(name))
      .map(({ name, colour, points }) => [name, colour, points.get(time) ?? NaN] as const)
      .filter(([, , value]) => !Number.isNaN(value))
      .sort((a, b) => b[2] - a[2]).slice(0, 12);
  });
  if (hovered.value === undefined || rows.value.length === 0) return null;
  return (
    <div class="tooltip graph-tooltip">
      <b>{formatMoment(hovered.value, address.value.zone, true)}</b>
      {rows.value.map(([name, colour, value]) => (
        <span key={name}>
          <i style={{ background: colour }} />
          <b>{name}</b>
          <em>{formatValue(value)}</em>
        </span>
      ))}
    </div>
  );
}

function Figures({ series }: { series: readonly Series[] }) {
  return (
    <div class="stats" tabIndex={0} role="region" aria-label="Figures">
      {series.slice(0, 200).map((each) => (
        <div key={nameOf(each)} class="stat">
          <code>{nameOf(each)}</code>
          <b>{formatValue(Number(each.points.at(-1)?.[1] ?? "NaN"))}</b>
        </div>
      ))}
      {series.length > 200 && <p class="hint">and {series.length - 200} more</p>}
    </div>
  );
}

function formatMoment(seconds: number, zone: string, withDay: boolean): string {
  const moment = BigInt(Math.round(seconds * 1000)) * 1_000_000n;
  const text = moment.toString();
  const time = formatTimeOfDay(text, zone).slice(0, 8).replace(/:00$/, "");
  return withDay ? `${formatDay(text, zone).slice(5)} ${time}` : time;
}

function zoom(from: number, to: number): void {
  const moment = (seconds: number) => formatRfc3339(BigInt(Math.round(seconds)) * 1_000_000_000n);
  const range = { from: moment(Math.floor(from)), to: moment(Math.ceil(to)) };
  go({ range, query: draft.peek() }, "push");
}
