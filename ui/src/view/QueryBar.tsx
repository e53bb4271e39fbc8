// The query with Run beneath the top bar; below it what is wrong with the query, as the parser in the page and then the
// server say it, and the queries of the past. QueryEditor.tsx owns the text.
import { address } from "../state/address.ts";
import { cancel, draft, failure, loading, submit } from "../state/explore.ts";
import { explainOpen } from "../state/screen.ts";
import { Icon } from "./icons.tsx";
import { focusQuery, formatQuery, objection, QueryEditor } from "./QueryEditor.tsx";
import { QueryMenu } from "./QueryMenu.tsx";

export function QueryBar() {
  const text = draft.value;
  return (
    <section class="querybar" aria-label="Query">
      <div class="querybox">
        <QueryEditor />
        <QueryMenu />
        <button
          type="button"
          class="button quiet wide-only"
          title="Lay the query out over lines"
          aria-label="Format the query"
          disabled={text.trim() === ""}
          onClick={() => void formatQuery()}
        >
          <Icon name="format" />
        </button>
        <button
          type="button"
          class="button quiet wide-only"
          title="What the server does for this query"
          aria-label="Explain the query"
          disabled={text.trim() === ""}
          onClick={() => explainOpen.value = true}
        >
          <Icon name="explain" />
        </button>
        {loading.value
          ? <button type="button" class="button run" onClick={cancel}>Cancel</button>
          : (
            <button
              type="button"
              class={`button run ${text === address.value.query ? "" : "primary"}`}
              title="Run (Enter; Ctrl+Enter in a query of several lines)"
              onClick={() => submit(draft.peek())}
            >
              Run
            </button>
          )}
      </div>
      <div id="query-problem" role="alert">
        {failure.value !== undefined ? <Problem /> : <Objection />}
      </div>
    </section>
  );
}

/** While one types: what the parser expects next is a hint, not an alarm. */
function Objection() {
  const found = objection.value;
  if (found === undefined || draft.value === "") return null;
  return (
    <div class="objection">
      <button type="button" class="marked" onClick={() => focusQuery(found.offset)}>
        {found.message}
      </button>
    </div>
  );
}

function Problem() {
  const problem = failure.value;
  if (problem === undefined) return null;
  const { error, query } = problem;
  const marked = error.position === undefined ? undefined : markedLine(query, error.position);
  return (
    <div class="failure">
      <p>{error.message}</p>
      {marked !== undefined && (
        <button
          type="button"
          class="marked"
          title="Go to this place in the query"
          onClick={() => {
            draft.value = query;
            focusQuery(marked.offset);
          }}
        >
          <code>
            {marked.before}
            <mark>{marked.at}</mark>
            {marked.after}
          </code>
        </button>
      )}
      {error.position === undefined && (
        <button
          type="button"
          class="button"
          onClick={() => submit(draft.peek())}
        >
          Try again
        </button>
      )}
    </div>
  );
}

interface MarkedLine {
  readonly before: string;
  readonly at: string;
  readonly after: string;
  /** Where the mark stands in the whole query. */
  readonly offset: number;
}

function markedLine(
  query: string,
  position: { line: number; column: number },
): MarkedLine | undefined {
  const lines = query.split("\n");
  const line = lines[position.line - 1];
  if (line === undefined) return undefined;
  // The server counts characters, a string's index counts UTF-16 units.
  const column = [...line].slice(0, position.column - 1).join("").length;
  const offset = lines.slice(0, position.line - 1).reduce(
    (sum, each) => sum + each.length + 1,
    column,
  );
  const contextCharacters = 60;
  return {
    before: line.slice(Math.max(0, column - contextCharacters), column),
    at: line[column] ?? " ",
    after: line.slice(column + 1, column + contextCharacters),
    offset,
  };
}
