// Keys and a few queries to start from.
import { useLayoutEffect, useRef } from "preact/hooks";
import { helpOpen } from "../state/screen.ts";
import { bindings } from "./keyboard.ts";

const examples: readonly (readonly [query: string, words: string])[] = [
  ['{app="checkout"}', "all lines of one app"],
  ['{app="checkout"} |= "error" != "timeout"', "lines with one text and without another"],
  ['{app="checkout"} |~ "status=5\\\\d\\\\d"', "lines that match a regular expression"],
  ['{app="checkout"} | json | status >= 500', "JSON fields as labels, compared as numbers"],
  ['{app="checkout"} | detected_level="error"', "by level"],
  ['sum by (app) (count_over_time({env="prod"}[5m]))', "numbers instead of lines"],
];

const keyNames: Record<string, string> = {
  ArrowDown: "\u2193",
  ArrowUp: "\u2191",
  Escape: "Esc",
};

export function HelpDialog() {
  const dialog = useRef<HTMLDialogElement>(null);
  const title = useRef<HTMLHeadingElement>(null);
  const open = helpOpen.value;
  useLayoutEffect(() => {
    if (!open) return dialog.current?.close();
    dialog.current?.showModal();
    // The browser would go to the button at the end, and scroll the beginning away.
    title.current?.focus();
  }, [open]);
  return (
    <dialog
      ref={dialog}
      class="help"
      aria-labelledby="help-title"
      onClose={() => helpOpen.value = false}
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}
    >
      <div class="help-body">
        <h2 id="help-title" ref={title} tabIndex={-1}>Keys</h2>
        <dl>
          {bindings.map(({ keys, words }) => (
            <div key={words}>
              <dt>{keys.map((key) => <kbd key={key}>{keyNames[key] ?? key}</kbd>)}</dt>
              <dd>{words}</dd>
            </div>
          ))}
          <div>
            <dt>
              <kbd>Ctrl</kbd>
              <kbd>Enter</kbd>
            </dt>
            <dd>run, from a query of several lines</dd>
          </div>
          <div>
            <dt>
              <kbd>Ctrl</kbd>
              <kbd>F</kbd>
            </dt>
            <dd>find in the loaded lines; once more: the browser's search</dd>
          </div>
          <div>
            <dt>
              <kbd>Ctrl</kbd>
              <kbd>↑</kbd>
            </dt>
            <dd>the query before</dd>
          </div>
        </dl>
        <h2>Queries</h2>
        <dl>
          {examples.map(([query, words]) => (
            <div key={query}>
              <dt>
                <code>{query}</code>
              </dt>
              <dd>{words}</dd>
            </div>
          ))}
        </dl>
        <form method="dialog">
          <button type="submit" class="button">Close</button>
        </form>
      </div>
    </dialog>
  );
}
