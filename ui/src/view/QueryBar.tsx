// The query box with Run, and the server's objection beneath it with its position marked.
import { address } from "../state/address.ts";
import { cancel, draft, failure, loading, submit } from "../state/explore.ts";
import { queryBox } from "./keyboard.ts";

export function QueryBar() {
  const text = draft.value;
  const lines = text.split("\n").length;
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    if (lines > 1 && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    submit(draft.peek());
  };
  return (
    <section class="querybar" aria-label="Query">
      <div class="querybox">
        <textarea
          id="query"
          aria-label="LogQL query"
          aria-invalid={failure.value !== undefined}
          aria-describedby="query-problem"
          placeholder='{app="checkout"} |= "error"'
          rows={Math.min(6, lines)}
          spellcheck={false}
          autocomplete="off"
          autocapitalize="off"
          value={text}
          onInput={(event) => draft.value = event.currentTarget.value}
          onKeyDown={onKeyDown}
        />
        {loading.value
          ? <button type="button" class="button" onClick={cancel}>Cancel</button>
          : (
            <button
              type="button"
              class={`button ${text === address.value.query ? "" : "primary"}`}
              title="Run (Enter; Ctrl+Enter in a query of several lines)"
              onClick={() => submit(draft.peek())}
            >
              Run
            </button>
          )}
      </div>
      <div id="query-problem" role="alert">{failure.value !== undefined && <Problem />}</div>
    </section>
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
          onClick={() => goTo(query, marked.offset)}
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

function goTo(query: string, offset: number) {
  draft.value = query;
  const box = queryBox();
  if (box === null) return;
  box.value = query;
  box.focus();
  box.setSelectionRange(offset, offset + 1);
}
