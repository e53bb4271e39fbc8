// One line that always says what is on screen: how many lines, of what range, at what cost; in live mode, the flow.
import { formatDay, formatTimeOfDay, nowNanoseconds } from "../model/nanoseconds.ts";
import { address, go } from "../state/address.ts";
import { choices } from "../state/addressText.ts";
import {
  failure,
  fastLinesPerSecond,
  live,
  loading,
  more,
  progress,
  rows,
  searchStarted,
  series,
  shown,
  statistics,
  version,
  warnings,
} from "../state/explore.ts";
import type { LiveSession } from "../state/liveSession.ts";
import { formatBytes, formatCount, formatSeconds } from "./figures.ts";
import { Icon } from "./icons.tsx";
import { togglePause } from "./keyboard.ts";
import { ListOptions } from "./ListOptions.tsx";

export function StatusStrip() {
  const session = live.value;
  const search = progress.value;
  const share = search === undefined || search.bytesTotal === 0
    ? undefined
    : Math.min(1, search.bytesDone / search.bytesTotal);
  return (
    <div class="status">
      <div
        class={`progress ${share === undefined ? "" : "known"}`}
        data-on={loading.value}
        style={share === undefined ? undefined : { width: `${100 * share}%` }}
      />
      {session === undefined ? <RunStatus /> : <LiveStatus session={session} />}
      {warnings.value.map((warning) => <span key={warning} class="warning">{warning}</span>)}
      <div class="grow" />
      {series.value === undefined && shown.value !== undefined && (
        <>
          {session === undefined && <Tabs />}
          {(address.value.tab === "lines" || session !== undefined) && <ListOptions />}
        </>
      )}
    </div>
  );
}

function Tabs() {
  const { tab } = address.value;
  return (
    <div class="segments small" role="group" aria-label="What is shown">
      {choices.tab.map((name) => (
        <button
          key={name}
          type="button"
          aria-pressed={tab === name}
          onClick={() => go({ tab: name }, "push")}
        >
          {name === "lines" ? "Lines" : "Patterns"}
        </button>
      ))}
    </div>
  );
}

function RunStatus() {
  version.value;
  const run = shown.value;
  if (loading.value) return <SearchStatus />;
  if (run === undefined) return <span>{failure.value === undefined ? "Ready" : "Failed"}</span>;
  const stats = statistics.value;
  const computed = series.value;
  const count = computed?.series.length ?? rows.value.size;
  const complete = more.value === "end";
  const noun = computed !== undefined ? "series" : count === 1 ? "line" : "lines";
  return (
    <>
      <span class="visually-hidden" role="status">{count} {noun} found</span>
      <span class="count">
        {formatCount(count)}
        {complete ? "" : "+"} {noun}
      </span>
      {!complete && (
        <span>
          <span class="wide-only">
            {address.value.order === "newest" ? "newest first," : "oldest first,"}
          </span>{" "}
          up to {lastTime()}
        </span>
      )}
      {computed === undefined && <HeldCount />}
      {stats !== undefined && stats.bytesProcessed > 0 && (
        <span class="wide-only">
          {formatBytes(stats.bytesProcessed)} searched in {formatSeconds(stats.seconds)}
        </span>
      )}
      {failure.value !== undefined && <span class="warning">these are the last good results</span>}
    </>
  );
}

/** Finding, jumping to errors and saving the loaded lines know the lines that are held. */
function HeldCount() {
  version.value;
  const { held, size } = rows.value;
  if (held === size) return null;
  return (
    <span
      class="tag"
      title="64 MB of the lines looked at last are held; the others come back where the list is scrolled to. Finding, and going to the next error, look through those that are held."
    >
      {formatCount(held)} held
    </span>
  );
}

/** What a search that takes a while has done, and how long it may still take. */
function SearchStatus() {
  const search = progress.value;
  if (search === undefined) return <span>Searching…</span>;
  const seconds = (performance.now() - searchStarted.value) / 1000;
  const speed = search.bytesDone / Math.max(seconds, 0.001);
  const left = (search.bytesTotal - search.bytesDone) / Math.max(speed, 1);
  const percent = search.bytesTotal === 0 ? 0 : 100 * search.bytesDone / search.bytesTotal;
  return (
    <>
      <span class="count">Searching… {Math.floor(percent)} %</span>
      <span>{formatCount(search.linesMatched)} lines match</span>
      <span class="wide-only">
        {formatBytes(search.bytesDone)} of {formatBytes(search.bytesTotal)}, {formatBytes(speed)}/s
      </span>
      {seconds > 1 && <span class="wide-only">about {formatSeconds(left)} left</span>}
    </>
  );
}

function lastTime(): string {
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
      {!paused && session.linesPerSecond.value > fastLinesPerSecond && (
        <span class="tag" title="Too fast to read: the display shows moments, nothing is left out">
          sampled display
        </span>
      )}
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
