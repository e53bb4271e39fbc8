// One line that always says what is on screen: how many lines, of what range, at what cost; in live mode, the flow.
import { formatDay, formatTimeOfDay, nowNanoseconds } from "../model/nanoseconds.ts";
import { address, go } from "../state/address.ts";
import {
  failure,
  live,
  loading,
  older,
  rows,
  series,
  shown,
  statistics,
  version,
  warnings,
} from "../state/explore.ts";
import type { LiveSession } from "../state/liveSession.ts";
import { Icon } from "./icons.tsx";
import { togglePause } from "./keyboard.ts";

export function StatusStrip() {
  const { wrap } = address.value;
  const session = live.value;
  return (
    <div class="status">
      <div class="progress" data-on={loading.value} />
      {session === undefined ? <RunStatus /> : <LiveStatus session={session} />}
      {warnings.value.map((warning) => <span key={warning} class="warning">{warning}</span>)}
      <div class="grow" />
      {series.value === undefined && shown.value !== undefined && (
        <button
          type="button"
          class="button small"
          aria-pressed={wrap}
          title="Wrap long lines (w)"
          onClick={() => go({ wrap: !wrap }, "replace")}
        >
          Wrap
        </button>
      )}
    </div>
  );
}

function RunStatus() {
  version.value;
  const run = shown.value;
  if (loading.value) return <span>Searching…</span>;
  if (run === undefined) return <span>{failure.value === undefined ? "Ready" : "Failed"}</span>;
  const stats = statistics.value;
  const count = series.value?.length ?? rows.value.size;
  const noun = series.value === undefined ? "line" : "series";
  const complete = older.value === "end";
  const plural = noun === "line" && count !== 1 ? "s" : "";
  return (
    <>
      <span class="visually-hidden" role="status">{count} {noun}{plural} found</span>
      <span class="count">
        {formatCount(count)}
        {complete ? "" : "+"} {noun}
        {plural}
      </span>
      {!complete && (
        <span>
          <span class="wide-only">newest first,</span> back to {backTo()}
        </span>
      )}
      {stats !== undefined && stats.bytesProcessed > 0 && (
        <span class="wide-only">
          {formatBytes(stats.bytesProcessed)} searched in {formatSeconds(stats.seconds)}
        </span>
      )}
      {failure.value !== undefined && <span class="warning">these are the last good results</span>}
    </>
  );
}

function backTo(): string {
  const { zone } = address.value;
  const buffer = rows.value;
  const last = buffer.at(buffer.end - 1);
  if (last?.kind !== "entry") return "";
  const { nanoseconds } = last;
  const day = formatDay(nanoseconds, zone);
  const today = formatDay(nowNanoseconds().toString(), zone);
  return `${day === today ? "" : `${day} `}${formatTimeOfDay(nanoseconds, zone).slice(0, 8)}`;
}

function LiveStatus({ session }: { session: LiveSession }) {
  version.value;
  const paused = session.paused.value;
  const phase = session.phase.value;
  const words = {
    connecting: "Connecting…",
    following: paused ? "Paused" : "Live",
    waiting: `Connection lost (${session.trouble.value}), trying again…`,
    refused: `Live shows lines, not numbers (${session.trouble.value})`,
    stopped: "Stopped",
  }[phase];
  return (
    <>
      <span class={`state state-${paused ? "paused" : phase}`}>{words}</span>
      <button
        type="button"
        class={`button small ${paused ? "primary" : ""}`}
        title={paused ? "Show what came meanwhile and follow (Space, End)" : "Hold still (Space)"}
        onClick={togglePause}
      >
        <Icon name={paused ? "play" : "pause"} />
        {paused ? `Resume (${formatCount(session.waiting)} new)` : "Pause"}
      </button>
      <span>{formatCount(session.linesPerSecond.value)} lines/s</span>
      <span class="wide-only">{formatCount(session.received)} received</span>
      <span class="wide-only">{formatCount(rows.value.size)} kept</span>
      {session.droppedByServer > 0 && (
        <span class="warning">
          {formatCount(session.droppedByServer)} left out by server
        </span>
      )}
      {session.overflowed > 0 && (
        <span class="warning">
          {formatCount(session.overflowed)} did not fit while paused
        </span>
      )}
    </>
  );
}

/** Prints bytes with three digits at most: `1.21 GB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : Number(value.toPrecision(3))} ${units[unit] ?? ""}`;
}

function formatSeconds(seconds: number): string {
  return seconds < 1 ? `${Math.max(1, Math.round(seconds * 1000))} ms` : `${seconds.toFixed(1)} s`;
}

const counts = new Intl.NumberFormat("en");

function formatCount(count: number): string {
  return counts.format(count);
}
