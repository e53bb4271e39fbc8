// Queries of the past and saved ones, in a panel under the query. state/queries.ts owns keeping them.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { draft, submit } from "../state/explore.ts";
import { clearHistory, history, save, saved, unsave } from "../state/queries.ts";
import { queriesOpen } from "../state/screen.ts";
import { Icon } from "./icons.tsx";
import { useOutsideClose } from "./outside.ts";

export function QueryMenu() {
  const root = useOutsideClose<HTMLDivElement>(() => queriesOpen.value = false);
  return (
    <div class="picker" ref={root}>
      <button
        type="button"
        class="button quiet"
        aria-haspopup="dialog"
        aria-expanded={queriesOpen.value}
        aria-label="Past and saved queries"
        title="Past and saved queries (q); Ctrl+Up in the query recalls the last"
        onClick={() => queriesOpen.value = !queriesOpen.value}
      >
        <Icon name="history" />
      </button>
      {queriesOpen.value && <QueriesPanel />}
    </div>
  );
}

function QueriesPanel() {
  const search = useSignal("");
  const first = useRef<HTMLInputElement>(null);
  useEffect(() => first.current?.focus(), []);
  const wanted = search.value.trim().toLowerCase();
  const matches = (...texts: string[]) => texts.some((text) => text.toLowerCase().includes(wanted));
  const kept = saved.value.filter(({ name, query }) => matches(name, query));
  const past = history.value.filter((query) => matches(query));
  const run = (query: string) => {
    queriesOpen.value = false;
    submit(query);
  };
  return (
    <div class="panel queries-panel" role="dialog" aria-label="Past and saved queries">
      <input
        ref={first}
        class="search"
        type="search"
        aria-label="Find a query"
        placeholder="Find a query"
        value={search.value}
        onInput={(event) => search.value = event.currentTarget.value}
      />
      <SaveForm />
      <h2>Saved</h2>
      {kept.length === 0 && <p class="hint">Queries you save stay in this browser.</p>}
      <ul>
        {kept.map(({ name, query }) => (
          <li key={name}>
            <button type="button" class="query-item" onClick={() => run(query)}>
              <b>{name}</b>
              <code>{query}</code>
            </button>
            <button
              type="button"
              class="icon-button"
              aria-label={`Forget ${name}`}
              onClick={() => unsave(name)}
            >
              <Icon name="close" />
            </button>
          </li>
        ))}
      </ul>
      <div class="row">
        <h2>Past</h2>
        <div class="grow" />
        {past.length > 0 && (
          <button type="button" class="button small" onClick={clearHistory}>Clear</button>
        )}
      </div>
      {past.length === 0 && <p class="hint">What you run appears here.</p>}
      <ul>
        {past.map((query) => (
          <li key={query}>
            <button type="button" class="query-item" onClick={() => run(query)}>
              <code>{query}</code>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

function SaveForm() {
  const name = useSignal("");
  const query = draft.value.trim();
  if (query === "") return null;
  const keep = (event: Event) => {
    event.preventDefault();
    if (name.value.trim() === "") return;
    save(name.value.trim(), query);
    name.value = "";
  };
  return (
    <form class="row" onSubmit={keep}>
      <input
        class="search"
        aria-label="Name for the present query"
        placeholder="Name for the present query"
        maxLength={80}
        value={name.value}
        onInput={(event) => name.value = event.currentTarget.value}
      />
      <button type="submit" class="button" disabled={name.value.trim() === ""}>Save</button>
    </form>
  );
}
