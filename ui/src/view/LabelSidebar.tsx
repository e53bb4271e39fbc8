// The labels at the left. What is ticked is read from the query's text and ticking writes it, so the two cannot disagree.
// state/labels.ts owns fetching names and values.
import { useSignal } from "@preact/signals";
import { ApiError } from "../api/request.ts";
import {
  chosenValues,
  type Matcher,
  readSelector,
  toggleValue,
  writeSelector,
} from "../model/selector.ts";
import { draft, submit } from "../state/explore.ts";
import { loadValues, names, refresh, toggleFold, values } from "../state/labels.ts";
import { FieldsPanel } from "./FieldsPanel.tsx";
import { Icon } from "./icons.tsx";

/** Values drawn per label; the search narrows more than these down. */
const valuesMax = 200;

export function LabelSidebar() {
  const search = useSignal("");
  const selector = readSelector(draft.value);
  const matchers = typeof selector === "string" ? [] : selector.matchers;
  const found = names.value;
  const wanted = search.value.trim().toLowerCase();
  return (
    <nav class="sidebar" aria-label="Labels and fields">
      <input
        class="search"
        type="search"
        aria-label="Find a label or value"
        placeholder="Find a label or value"
        value={search.value}
        onInput={(event) => search.value = event.currentTarget.value}
      />
      {selector === "unreadable" && (
        <p class="hint">The query's selector is not complete; labels can be chosen when it is.</p>
      )}
      {found === "loading" && <p class="hint">Loading labels…</p>}
      {found instanceof ApiError && (
        <div class="problem">
          <p>{found.message}</p>
          <button type="button" class="button small" onClick={() => void refresh()}>
            Try again
          </button>
        </div>
      )}
      {Array.isArray(found) && found.length === 0 && (
        <p class="hint">No stream has lines in this time range.</p>
      )}
      <ul class="labels">
        {shownNames(found, matchers, wanted).map((name) => (
          <Label
            key={name}
            name={name}
            matchers={matchers}
            search={name.toLowerCase().includes(wanted) ? "" : wanted}
            disabled={selector === "unreadable"}
          />
        ))}
      </ul>
      <FieldsPanel />
    </nav>
  );
}

/** All names, those the query uses included; while searching, those whose name or known values match. */
function shownNames(
  found: readonly string[] | ApiError | "loading",
  matchers: readonly Matcher[],
  wanted: string,
): string[] {
  const known = typeof found === "string" || found instanceof ApiError ? [] : found;
  const all = [...new Set([...known, ...matchers.map((matcher) => matcher.name)])].sort();
  if (wanted === "") return all;
  return all.filter((name) => {
    if (name.toLowerCase().includes(wanted)) return true;
    const loaded = values.value.get(name);
    return Array.isArray(loaded) &&
      loaded.some((value: string) => value.toLowerCase().includes(wanted));
  });
}

interface LabelProps {
  readonly name: string;
  readonly matchers: readonly Matcher[];
  readonly search: string;
  readonly disabled: boolean;
}

function Label({ name, matchers, search, disabled }: LabelProps) {
  const loaded = values.value.get(name);
  const chosen = chosenValues(matchers, name);
  const others = matchers.filter((matcher) =>
    matcher.name === name && chosenValues([matcher], name).size === 0
  );
  return (
    <li>
      <button
        type="button"
        class="fold"
        aria-expanded={loaded !== undefined}
        onClick={() => toggleFold(name)}
      >
        <Icon name={loaded === undefined ? "right" : "down"} />
        <span class="label-name">{name}</span>
        {chosen.size + others.length > 0 && <span class="tag">{chosen.size + others.length}</span>}
      </button>
      {others.map((matcher) => <OtherMatcher key={JSON.stringify(matcher)} matcher={matcher} />)}
      {loaded === "loading" && <p class="hint">Loading values…</p>}
      {loaded instanceof ApiError && (
        <div class="problem">
          <p>{loaded.message}</p>
          <button type="button" class="button small" onClick={() => void loadValues(name)}>
            Try again
          </button>
        </div>
      )}
      {Array.isArray(loaded) && (
        <Values name={name} known={loaded} chosen={chosen} search={search} disabled={disabled} />
      )}
    </li>
  );
}

interface ValuesProps {
  readonly name: string;
  readonly known: readonly string[];
  readonly chosen: ReadonlySet<string>;
  readonly search: string;
  readonly disabled: boolean;
}

function Values({ name, known, chosen, search, disabled }: ValuesProps) {
  const missing = [...chosen].filter((value) => !known.includes(value));
  const matching = [...missing, ...known].filter((value) => value.toLowerCase().includes(search));
  const left = matching.length - valuesMax;
  return (
    <ul class="values">
      {matching.slice(0, valuesMax).map((value) => (
        <li key={value}>
          <label title={value}>
            <input
              type="checkbox"
              checked={chosen.has(value)}
              disabled={disabled}
              onChange={() => submit(toggleValue(draft.peek(), name, value))}
            />
            <span>{value}</span>
          </label>
        </li>
      ))}
      {left > 0 && <li class="hint">{left.toLocaleString("en")} more: search to find them.</li>}
      {matching.length === 0 && <li class="hint">No value beside the rest of the query.</li>}
    </ul>
  );
}

/** A matcher that is not a choice of values, such as `!=`: shown as written, removable. */
function OtherMatcher({ matcher }: { matcher: Matcher }) {
  const remove = () => {
    const selector = readSelector(draft.peek());
    if (typeof selector === "string") return;
    const kept = selector.matchers.filter((each) =>
      JSON.stringify(each) !== JSON.stringify(matcher)
    );
    submit(writeSelector(draft.peek(), kept));
  };
  return (
    <div class="matcher">
      <code>{matcher.operator} {matcher.value}</code>
      <button
        type="button"
        class="icon-button"
        aria-label={`Remove ${matcher.name} ${matcher.operator} ${matcher.value}`}
        onClick={remove}
      >
        <Icon name="close" />
      </button>
    </div>
  );
}
