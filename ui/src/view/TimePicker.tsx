// Chooses the time range: presets, or two moments written by hand; and the zone in which times are shown.
import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { nowNanoseconds, type Zone } from "../model/nanoseconds.ts";
import { describeRange, presets, resolveRange, type TimeRange } from "../model/timeRange.ts";
import { address, go } from "../state/address.ts";
import { draft } from "../state/explore.ts";
import { rangeOpen } from "../state/screen.ts";
import { Icon } from "./icons.tsx";
import { useOutsideClose } from "./outside.ts";

export function TimePicker() {
  const { range, zone } = address.value;
  const root = useOutsideClose<HTMLDivElement>(() => rangeOpen.value = false);
  return (
    <div class="picker" ref={root}>
      <button
        type="button"
        class="button"
        aria-haspopup="dialog"
        aria-expanded={rangeOpen.value}
        title="Time range (t)"
        onClick={() => rangeOpen.value = !rangeOpen.value}
      >
        <Icon name="clock" />
        <span class="picker-text">{describeRange(range, nowNanoseconds(), zone)}</span>
        {zone !== "local" && <span class="tag">{zone === "utc" ? "UTC" : zone}</span>}
        <Icon name="down" />
      </button>
      {rangeOpen.value && <RangePanel />}
    </div>
  );
}

const hint = "now-90m, 2026-01-31 12:00:05, 2026-01-31T12:00:05.123456789Z";

function choose(range: TimeRange) {
  rangeOpen.value = false;
  go({ query: draft.peek(), range, entry: "" }, "push");
}

function RangePanel() {
  const { range, zone } = address.value;
  const from = useSignal(range.from);
  const to = useSignal(range.to);
  const first = useRef<HTMLInputElement>(null);
  useEffect(() => first.current?.focus(), []);
  const resolved = resolveRange({ from: from.value, to: to.value }, nowNanoseconds(), zone);
  const problem = typeof resolved === "string" ? resolved : "";
  const apply = (event: Event) => {
    event.preventDefault();
    if (problem === "") choose({ from: from.value.trim(), to: to.value.trim() });
  };
  return (
    <div class="panel range-panel" role="dialog" aria-label="Time range">
      <form onSubmit={apply}>
        <label>
          From
          <input
            ref={first}
            name="from"
            value={from.value}
            spellcheck={false}
            autocomplete="off"
            onInput={(event) => from.value = event.currentTarget.value}
          />
        </label>
        <label>
          To
          <input
            name="to"
            value={to.value}
            spellcheck={false}
            autocomplete="off"
            onInput={(event) => to.value = event.currentTarget.value}
          />
        </label>
        <p class={problem === "" ? "hint" : "problem"} role={problem === "" ? undefined : "alert"}>
          {problem === "" ? hint : problem}
        </p>
        <div class="row">
          <ZoneChoice zone={zone} />
          <button type="submit" class="button primary" disabled={problem !== ""}>Apply</button>
        </div>
      </form>
      <ul class="presets">
        {presets.map(([duration, words]) => (
          <li key={duration}>
            <button
              type="button"
              aria-current={range.to === "now" && range.from === `now-${duration}`}
              onClick={() => choose({ from: `now-${duration}`, to: "now" })}
            >
              {words}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

function ZoneChoice({ zone }: { zone: Zone }) {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  // Listing them takes long enough to be seen at the start of the page.
  const others = useMemo(
    () =>
      (Intl.supportedValuesOf?.("timeZone") ?? []).filter((name) => name !== own && name !== "UTC"),
    [own],
  );
  return (
    <label class="zone">
      Times in
      <select
        value={zone}
        onChange={(event) => go({ zone: event.currentTarget.value }, "replace")}
      >
        <option value="local">local time ({own})</option>
        <option value="utc">UTC</option>
        {others.map((name) => <option key={name} value={name}>{name}</option>)}
      </select>
    </label>
  );
}
