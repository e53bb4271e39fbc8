// What stands below the last row: that there is more, that this is all, or why it stopped.
import { formatDay, formatTimeOfDay } from "../model/nanoseconds.ts";
import { ApiError } from "../api/loki.ts";
import { address } from "../state/address.ts";
import { live, loadOlder, older, rows, shown, version } from "../state/explore.ts";

export function ListEnd() {
  version.value;
  const state = older.value;
  if (live.value !== undefined) {
    return rows.value.size === 0 ? <p class="list-end">Waiting for the first line…</p> : null;
  }
  if (state instanceof ApiError) {
    return (
      <div class="list-end problem" role="alert">
        Older lines could not be loaded: {state.message}
        <button type="button" class="button small" onClick={() => void loadOlder()}>
          Try again
        </button>
      </div>
    );
  }
  if (state === "full") {
    return (
      <p class="list-end">
        64 MB of lines are loaded; narrow the time range or filter to see older ones.
      </p>
    );
  }
  if (state === "end") return <p class="list-end">Start of the range: {startOfRange()}</p>;
  return (
    <p class="list-end">
      <button
        type="button"
        class="button small"
        disabled={state === "loading"}
        onClick={() => void loadOlder()}
      >
        {state === "loading" ? "Loading older lines…" : "Load older lines"}
      </button>
    </p>
  );
}

function startOfRange(): string {
  const { zone } = address.value;
  const start = shown.value?.range.start.toString() ?? "0";
  return `${formatDay(start, zone)} ${formatTimeOfDay(start, zone).slice(0, 8)}`;
}
