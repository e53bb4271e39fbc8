// The lines around an entry in its stream, the entry itself marked. state/context.ts fetches them.
import { useEffect, useMemo } from "preact/hooks";
import { ApiError } from "../api/request.ts";
import { linePieces } from "../model/lineText.ts";
import { formatTimeOfDay } from "../model/nanoseconds.ts";
import { type Entry, levelOf } from "../model/row.ts";
import { address } from "../state/address.ts";
import { Context, type Side } from "../state/context.ts";
import { submit } from "../state/explore.ts";

const lineCharactersMax = 600;

export function ContextView({ entry }: { entry: Entry }) {
  const context = useMemo(() => new Context(entry), [entry]);
  useEffect(() => {
    void context.load("before");
    void context.load("after");
    return () => context.stop();
  }, [context]);
  return (
    <section class="context" aria-label="Lines around it">
      <div class="row">
        <h3>Its stream</h3>
        <code class="stream-name">{context.selector}</code>
        <button type="button" class="button small" onClick={() => submit(context.selector)}>
          Open
        </button>
      </div>
      <More context={context} side="before" />
      <ol>
        {context.before.value.map((each) => <Line key={each} entry={each} />)}
        <Line entry={entry} self />
        {context.after.value.map((each) => <Line key={each} entry={each} />)}
      </ol>
      <More context={context} side="after" />
    </section>
  );
}

function Line({ entry, self = false }: { entry: Entry; self?: boolean }) {
  const { zone } = address.value;
  return (
    <li class={`level-${levelOf(entry)} ${self ? "self" : ""}`} aria-current={self}>
      <time>{formatTimeOfDay(entry.nanoseconds, zone)}</time>
      <span class="text">
        {linePieces(entry.line, lineCharactersMax, true, undefined).map(({ text, classes }, i) =>
          classes === "" ? text : <span key={i} class={classes}>{text}</span>
        )}
      </span>
    </li>
  );
}

function More({ context, side }: { context: Context; side: Side }) {
  const state = context.state.value[side];
  const words = side === "before" ? "earlier" : "later";
  if (state === "end") return <p class="hint">No {words} lines within a day.</p>;
  return (
    <p class="row">
      <button
        type="button"
        class="button small"
        disabled={state === "loading"}
        onClick={() => void context.load(side)}
      >
        {state === "loading" ? "Loading…" : `20 ${words} lines`}
      </button>
      {state instanceof ApiError && <span class="problem">{state.message}</span>}
    </p>
  );
}
