// What stands below the last row: that there is more, that this is all, or why it stopped.
import { formatDay, formatTimeOfDay } from "../model/nanoseconds.ts";
import { ApiError } from "../api/request.ts";
import { listedRowsMax } from "../model/rowPages.ts";
import { address } from "../state/address.ts";
import { live, loadMore, more, rows, shown, version } from "../state/explore.ts";
import { formatCount } from "./figures.ts";

export function ListEnd() {
  version.value;
  const state = more.value;
  const newestFirst = address.value.order === "newest";
  const further = newestFirst ? "older" : "newer";
  if (live.value !== undefined) {
    return rows.value.size === 0 ? <p class="list-end">Waiting for the first line…</p> : null;
  }
  if (state instanceof ApiError) {
    return (
      <div class="list-end problem" role="alert">
        More lines could not be loaded: {state.message}
        <button type="button" class="button small" onClick={() => void loadMore()}>
          Try again
        </button>
      </div>
    );
  }
  if (state === "full") {
    return (
      <p class="list-end">
        A list ends at {formatCount(listedRowsMax)} lines; narrow the time range or filter to see
        {" "}
        {further} ones.
      </p>
    );
  }
  if (state === "end") {
    return (
      <p class="list-end">
        {newestFirst ? "Start" : "End"} of the range: {edgeOfRange(newestFirst)}
      </p>
    );
  }
  return (
    <p class="list-end">
      <button
        type="button"
        class="button small"
        disabled={state === "loading"}
        onClick={() => void loadMore()}
      >
        {state === "loading" ? `Loading ${further} lines…` : `Load ${further} lines`}
      </button>
    </p>
  );
}

function edgeOfRange(newestFirst: boolean): string {
  const { zone } = address.value;
  const range = shown.value?.range;
  const edge = (newestFirst ? range?.start : range?.end)?.toString() ?? "0";
  return `${formatDay(edge, zone)} ${formatTimeOfDay(edge, zone).slice(0, 8)}`;
}
