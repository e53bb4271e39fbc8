// What stands in place of rows when there are none: at the start, while the first answer is on its way, when it failed, and
// when it is empty. Each says what to do next.
import { useEffect } from "preact/hooks";
import { ApiError } from "../api/request.ts";
import { serverUrl } from "../api/serverUrl.ts";
import { formatExact, nowNanoseconds } from "../model/nanoseconds.ts";
import { withoutLastStage } from "../model/selector.ts";
import { describeRange, presets, widenRange } from "../model/timeRange.ts";
import { address, go } from "../state/address.ts";
import { failure, shown, submit } from "../state/explore.ts";
import { names, refresh, values } from "../state/labels.ts";
import { copy } from "../state/screen.ts";
import { Icon } from "./icons.tsx";

export function StartScreen() {
  const found = names.value;
  if (found === "loading") return <Skeleton />;
  if (found instanceof ApiError) {
    return (
      <div class="empty" role="alert">
        <h2>
          {found.status === 0 ? "The server does not answer" : "The labels could not be read"}
        </h2>
        <p>{found.message}</p>
        <button type="button" class="button primary" onClick={() => void refresh()}>
          Try again
        </button>
      </div>
    );
  }
  return found.length === 0 ? <FirstRun /> : <Examples known={found} />;
}

function FirstRun() {
  const { range, zone } = address.value;
  const widest = presets.at(-1)?.[0] ?? "30d";
  useEffect(() => {
    const timer = setInterval(() => void refresh(), 3000);
    return () => clearInterval(timer);
  }, []);
  const command = ingestCommand();
  return (
    <div class="empty">
      <h2>No logs yet</h2>
      <p>
        Nothing was stored in this range ({describeRange(range, nowNanoseconds(), zone)
          .toLowerCase()}). Send a first line; it appears here by itself:
      </p>
      <div class="snippet">
        <pre tabIndex={0}>{command}</pre>
        <button
          type="button"
          class="button small"
          onClick={() => void copy(command, "the command")}
        >
          <Icon name="copy" /> Copy
        </button>
      </div>
      <p>
        Promtail, Alloy, Fluent Bit and every other client of Loki can send to the same address.
      </p>
      {range.from !== `now-${widest}` && (
        <button
          type="button"
          class="button"
          onClick={() => go({ range: { from: `now-${widest}`, to: "now" } }, "push")}
        >
          Look back {widest}
        </button>
      )}
    </div>
  );
}

function ingestCommand(): string {
  return `curl -H 'Content-Type: application/json' ${serverUrl("loki/api/v1/push").href} \\
  --data-raw '{"streams": [{"stream": {"app": "demo", "env": "dev"},
    "values": [["'$(date +%s)000000000'", "level=info msg=\\"hello from curl\\""]]}]}'`;
}

function Examples({ known }: { known: readonly string[] }) {
  const preferred = ["service_name", "app", "job", "container", "namespace"];
  const name = preferred.find((each) => known.includes(each)) ?? known[0] ?? "app";
  const loaded = values.value.get(name);
  const value = Array.isArray(loaded) ? loaded[0] as string | undefined : undefined;
  const one = value === undefined ? `{${name}=~".+"}` : `{${name}=${JSON.stringify(value)}}`;
  const examples: readonly (readonly [string, string])[] = [
    [`{${name}=~".+"}`, "everything, newest first"],
    [`{${name}=~".+"} | detected_level=~"error|critical"`, "errors of everything"],
    [`${one} |= "error"`, "lines that contain a text"],
    [`${one} |~ "timeout|refused"`, "lines that match a regular expression"],
  ];
  return (
    <div class="empty">
      <h2>What do you want to see?</h2>
      <p>Tick labels at the left, write a query above, or start from one of these:</p>
      <ul class="examples">
        {examples.map(([query, words]) => (
          <li key={query}>
            <button type="button" onClick={() => submit(query)}>
              <code>{query}</code>
              <span>{words}</span>
            </button>
          </li>
        ))}
      </ul>
      <p class="hint">
        Press <kbd>?</kbd> for keys and more queries.
      </p>
    </div>
  );
}

export function Skeleton() {
  return (
    <div class="skeleton" role="status">
      <span class="visually-hidden">Loading</span>
      {Array.from({ length: 12 }, (_, i) => <div key={i} />)}
    </div>
  );
}

export function FailedFirst() {
  const { status = 0, position } = failure.value?.error ?? {};
  const advice = status === 400
    ? position === undefined
      ? "The query can be read, but not answered as it is. What to change is said above."
      : "Correct the query above; the mark shows where the server stopped reading."
    : status === 429
    ? "The server is at its limit. Wait a moment, or ask for a shorter range."
    : status === 504
    ? "The query took too long. Ask for a shorter range or choose more labels."
    : "Nothing is shown: the query did not finish.";
  return (
    <div class="empty">
      <p>{advice}</p>
    </div>
  );
}

export function EmptyAnswer() {
  const { range, zone } = address.value;
  const run = shown.value;
  const now = nowNanoseconds();
  const wider = widenRange(range, now, zone);
  const shorter = withoutLastStage(run?.query ?? "");
  return (
    <div class="empty">
      <h2>No lines match</h2>
      {run !== undefined && (
        <p>
          between {formatExact(run.range.start.toString(), zone).slice(0, 19)} and{" "}
          {formatExact(run.range.end.toString(), zone).slice(0, 19)}
        </p>
      )}
      <div class="row center">
        {wider !== undefined && (
          <button
            type="button"
            class="button primary"
            onClick={() => go({ range: wider }, "push")}
          >
            Search the {describeRange(wider, now, zone).toLowerCase()}
          </button>
        )}
        {shorter !== undefined && (
          <button
            type="button"
            class="button"
            onClick={() => submit(shorter)}
          >
            Drop the last filter:{" "}
            <code>{run?.query.slice(shorter.length).trim().slice(0, 40)}</code>
          </button>
        )}
      </div>
    </div>
  );
}
