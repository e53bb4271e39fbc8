// Lines over time by level, above the rows: drag to zoom, click a bar for its time, click a level to filter by it. SVG of at
// most 120 bars; state/volume.ts asks for the counts. A table says the same to screen readers.
import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { ApiError } from "../api/request.ts";
import { formatDay, formatRfc3339, formatTimeOfDay } from "../model/nanoseconds.ts";
import { type Level, levelNames } from "../model/row.ts";
import { RowPages } from "../model/rowPages.ts";
import { filterField } from "../model/selector.ts";
import { address, go } from "../state/address.ts";
import { draft, rows, submit, version } from "../state/explore.ts";
import { type Bucket, retryVolume, type Volume, volume, volumeState } from "../state/volume.ts";
import { formatCount } from "./figures.ts";

const heightUnits = 100;

export function Histogram() {
  const found = volume.value;
  const state = volumeState.value;
  if (state instanceof ApiError) {
    return (
      <div class="histogram-problem">
        The histogram could not be computed: {state.message}
        <button type="button" class="button small" onClick={retryVolume}>Try again</button>
      </div>
    );
  }
  return (
    <section class={`histogram ${state === "loading" ? "stale" : ""}`} aria-label="Lines over time">
      {found === undefined ? <Counting /> : <Bars volume={found} />}
      {found !== undefined && <Legend volume={found} />}
    </section>
  );
}

/** As high as the bars and their legend will be: the lines below stay where they are. */
function Counting() {
  return (
    <>
      <div class="bars counting">
        <span role="status">Counting the lines by time and level…</span>
      </div>
      <div class="legend" />
    </>
  );
}

function Bars({ volume }: { volume: Volume }) {
  const { buckets, stepSeconds } = volume;
  const hovered = useSignal<number | undefined>(undefined);
  const dragged = useSignal<readonly [from: number, to: number] | undefined>(undefined);
  const root = useRef<HTMLDivElement>(null);
  const most = Math.max(1, ...buckets.map(({ total }) => total));
  const indexAt = (event: PointerEvent) => {
    const box = root.current?.getBoundingClientRect();
    if (box === undefined) return 0;
    const share = (event.clientX - box.left) / box.width;
    return Math.max(0, Math.min(buckets.length - 1, Math.floor(share * buckets.length)));
  };
  const onUp = () => {
    const [from, to] = dragged.value ?? [];
    dragged.value = undefined;
    if (from === undefined || to === undefined) return;
    zoom(buckets[Math.min(from, to)], buckets[Math.max(from, to)], stepSeconds);
  };
  const [from, to] = dragged.value ?? [];
  const hover = hovered.value === undefined ? undefined : buckets[hovered.value];
  return (
    <div
      class="bars"
      ref={root}
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        const index = indexAt(event);
        dragged.value = [index, index];
      }}
      onPointerMove={(event) => {
        hovered.value = indexAt(event);
        if (dragged.value !== undefined) dragged.value = [dragged.value[0], hovered.value];
      }}
      onPointerUp={onUp}
      onPointerCancel={() => dragged.value = undefined}
      onPointerLeave={() => hovered.value = undefined}
    >
      <svg
        viewBox={`0 0 ${buckets.length} ${heightUnits}`}
        preserveAspectRatio="none"
        aria-hidden="true"
      >
        {buckets.map((bucket, i) => <Bar key={bucket.end} bucket={bucket} x={i} most={most} />)}
        {from !== undefined && to !== undefined && (
          <rect
            class="brush"
            x={Math.min(from, to)}
            width={Math.abs(to - from) + 1}
            y={0}
            height={heightUnits}
          />
        )}
      </svg>
      <span class="most">{formatCount(most)}</span>
      <Edges volume={volume} />
      <LoadedBand volume={volume} />
      {hover !== undefined && (
        <Tooltip bucket={hover} step={stepSeconds} share={(hovered.value ?? 0) / buckets.length} />
      )}
      <CountTable volume={volume} />
    </div>
  );
}

function Bar({ bucket, x, most }: { bucket: Bucket; x: number; most: number }) {
  let top = heightUnits;
  return (
    <g>
      {[...levelNames].reverse().map((level) => {
        const count = bucket.counts.get(level) ?? 0;
        if (count === 0) return null;
        // A single line must be seen among thousands.
        const height = Math.max(1.5, (count / most) * (heightUnits - 4));
        top -= height;
        return (
          <rect
            key={level}
            class={`bar-${level}`}
            x={x + 0.08}
            width={0.84}
            y={Math.max(0, top)}
            height={height}
          />
        );
      })}
    </g>
  );
}

function Tooltip({ bucket, step, share }: { bucket: Bucket; step: number; share: number }) {
  const { zone } = address.value;
  const [start, end] = bounds(bucket, step);
  return (
    <div class={`tooltip ${share > 0.6 ? "left" : ""}`} style={{ left: `${100 * share}%` }}>
      <b>
        {formatTimeOfDay(start.toString(), zone).slice(0, 8)} to{" "}
        {formatTimeOfDay(end.toString(), zone).slice(0, 8)}
      </b>
      {levelNames.filter((level) => (bucket.counts.get(level) ?? 0) > 0).map((level) => (
        <span key={level} class={`level-${level}`}>
          <i class={`bar-${level}`} /> {level} <em>{formatCount(bucket.counts.get(level) ?? 0)}</em>
        </span>
      ))}
      {bucket.total === 0 && <span>no lines</span>}
    </div>
  );
}

function Edges({ volume }: { volume: Volume }) {
  const { zone } = address.value;
  const { range } = volume;
  const [start, end] = [range.start.toString(), range.end.toString()];
  const days = formatDay(start, zone) !== formatDay(end, zone);
  const print = (moment: string) =>
    `${days ? `${formatDay(moment, zone).slice(5)} ` : ""}${
      formatTimeOfDay(moment, zone).slice(0, 5)
    }`;
  return (
    <div class="edges" aria-hidden="true">
      <span>{print(start)}</span>
      <span>{print(((range.start + range.end) / 2n).toString())}</span>
      <span>{print(end)}</span>
    </div>
  );
}

/** Underlines the part of the range whose lines are loaded. */
function LoadedBand({ volume }: { volume: Volume }) {
  version.value;
  const buffer = rows.value;
  const span = buffer instanceof RowPages ? buffer.span : undefined;
  if (span === undefined) return null;
  const { start, end } = volume.range;
  const share = (nanoseconds: string) =>
    Math.max(0, Math.min(1, Number(BigInt(nanoseconds) - start) / Number(end - start)));
  const [a, b] = [share(span[0]), share(span[1])];
  const least = 0.003;
  const left = Math.min(a, b, 1 - least);
  return (
    <div
      class="loaded"
      title="The loaded lines"
      style={{ left: `${100 * left}%`, width: `${100 * Math.max(least, Math.abs(a - b))}%` }}
    />
  );
}

function Legend({ volume }: { volume: Volume }) {
  const total = [...volume.totals.values()].reduce((sum, count) => sum + count, 0);
  return (
    <ul class="legend">
      <li class="hint">{formatCount(total)} lines</li>
      {levelNames.filter((level) => volume.totals.has(level)).map((level) => (
        <li key={level}>
          <button
            type="button"
            class={`level-${level}`}
            title={level === "unknown" ? "Lines whose level is not known" : `Only ${level}`}
            disabled={level === "unknown"}
            onClick={() => submit(onlyLevel(draft.peek(), level))}
          >
            <i class={`bar-${level}`} aria-hidden="true" /> {level}{" "}
            <em>{formatCount(volume.totals.get(level) ?? 0)}</em>
          </button>
        </li>
      ))}
    </ul>
  );
}

/** Filters by a level; clicking the level that is filtered by takes the filter away. */
export function onlyLevel(query: string, level: Level): string {
  const present = /\s*\| detected_level=(?:"[^"]*"|`[^`]*`)\s*$/.exec(query);
  if (present === null) return filterField(query, "detected_level", level, true);
  const base = query.slice(0, present.index);
  return present[0].includes(`"${level}"`)
    ? base
    : filterField(base, "detected_level", level, true);
}

function CountTable({ volume }: { volume: Volume }) {
  const { zone } = address.value;
  return (
    <table class="visually-hidden">
      <caption>Lines over time</caption>
      <tbody>
        {volume.buckets.filter(({ total }) => total > 0).map((bucket) => (
          <tr key={bucket.end}>
            <th scope="row">
              {formatTimeOfDay(bounds(bucket, volume.stepSeconds)[0].toString(), zone).slice(0, 8)}
            </th>
            <td>{bucket.total}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function zoom(first: Bucket | undefined, last: Bucket | undefined, step: number): void {
  if (first === undefined || last === undefined) return;
  const range = {
    from: formatRfc3339(bounds(first, step)[0]),
    to: formatRfc3339(bounds(last, step)[1]),
  };
  go({ range, query: draft.peek(), entry: "" }, "push");
}

function bounds(bucket: Bucket, stepSeconds: number): readonly [start: bigint, end: bigint] {
  const end = BigInt(Math.round(bucket.end)) * 1_000_000_000n;
  return [end - BigInt(stepSeconds) * 1_000_000_000n, end];
}
