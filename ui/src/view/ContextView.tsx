// The lines around an entry in its stream, the entry itself marked. state/context.ts fetches them.
import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
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
  const self = useRef<HTMLLIElement>(null);
  const { before, after } = context.state.value;
  const isComplete = before !== "loading" && after !== "loading";
  // The line itself in the middle, once what is around it is there; later the person decides where to look.
  const placed = useRef<Context | undefined>(undefined);
  useLayoutEffect(() => {
    if (!isComplete || placed.current === context || context.before.value.length === 0) return;
    placed.current = context;
    self.current?.scrollIntoView({ block: "center" });
  });
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
        <Line entry={entry} self={self} />
        {context.after.value.map((each) => <Line key={each} entry={each} />)}
      </ol>
      <More context={context} side="after" />
    </section>
  );
}

function Line({ entry, self }: { entry: Entry; self?: RefObject<HTMLLIElement | null> }) {
  const { zone } = address.value;
  return (
    <li
      class={`level-${levelOf(entry)} ${self === undefined ? "" : "self"}`}
      aria-current={self !== undefined}
      {...(self === undefined ? {} : { ref: self })}
    >
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
