// The query's box: a plain text box at the first paint, the editor once the page is idle or the box is used. The swap keeps
// text and caret. editor/LogqlEditor.ts is the editor; what is written is state/explore.ts's `draft`.
import { effect, signal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { LogqlEditor } from "../editor/LogqlEditor.ts";
import { draft, failure, submit } from "../state/explore.ts";
import { history } from "../state/queries.ts";
import { say } from "../state/screen.ts";

const example = '{app="checkout"} |= "error"';

/** What the parser in the page objects to in the draft, or undefined. */
export const objection = signal<{ offset: number; message: string } | undefined>(undefined);

const loadedClass = signal<typeof LogqlEditor | undefined>(undefined);
let editor: LogqlEditor | undefined;
let plainBox: HTMLTextAreaElement | null = null;
/** Where in the history Ctrl+Up is; -1 is the draft. */
let recalled = -1;

/** Puts the keyboard into the query, at an offset when one is given. */
export function focusQuery(offset?: number): void {
  if (editor !== undefined) return editor.focus(offset);
  plainBox?.focus();
  if (offset !== undefined) plainBox?.setSelectionRange(offset, offset + 1);
}

/** Lays the query out over lines. */
export async function formatQuery(): Promise<void> {
  await load();
  const { format } = await import("../editor/check.ts");
  const text = format(draft.peek());
  if (text === undefined) say("The query cannot be read yet");
  else draft.value = text;
}

export function QueryEditor() {
  useEffect(() => {
    const idle = globalThis.requestIdleCallback ?? ((run: () => void) => setTimeout(run, 300));
    idle(() => void load(), { timeout: 3000 });
  }, []);
  return loadedClass.value === undefined ? <PlainBox /> : <Editor Editor={loadedClass.value} />;
}

let loading: Promise<void> | undefined;

function load(): Promise<void> {
  loading ??= import("../editor/LogqlEditor.ts").then((module) => {
    loadedClass.value = module.LogqlEditor;
  }).catch(() => {
    // The plain box goes on; the next use tries again.
    loading = undefined;
  });
  return loading;
}

function PlainBox() {
  const text = draft.value;
  const lines = text.split("\n").length;
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    if (lines > 1 && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    submit(draft.peek());
  };
  return (
    <textarea
      id="query"
      ref={(box) => void (plainBox = box)}
      aria-label="LogQL query"
      aria-invalid={failure.value !== undefined}
      aria-describedby="query-problem"
      placeholder={example}
      rows={Math.min(6, lines)}
      spellcheck={false}
      autocomplete="off"
      autocapitalize="off"
      value={text}
      onFocus={() => void load()}
      onInput={(event) => draft.value = event.currentTarget.value}
      onKeyDown={onKeyDown}
    />
  );
}

function Editor({ Editor }: { Editor: typeof LogqlEditor }) {
  const host = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    if (host.current === null) return undefined;
    const made = new Editor(host.current, {
      text: draft.peek(),
      caret: caretBeforeSwap,
      placeholder: example,
      onChange: (text) => draft.value = text,
      onRun: () => {
        recalled = -1;
        submit(draft.peek());
      },
      onOlder: () => recall(1),
      onNewer: () => recall(-1),
      onObjection: (found) => objection.value = found,
    });
    editor = made;
    const stop = effect(() => made.setText(draft.value));
    return () => {
      stop();
      editor = undefined;
      made.destroy();
    };
  }, []);
  const wrong = failure.value !== undefined || objection.value !== undefined;
  return <div class={`editor ${wrong ? "wrong" : ""}`} ref={host} />;
}

/** Read while the plain box still stands: the editor takes its place in the same frame. */
let caretBeforeSwap: number | undefined;
effect(() => {
  if (loadedClass.value === undefined || plainBox === null) return;
  caretBeforeSwap = document.activeElement === plainBox ? plainBox.selectionStart : undefined;
});

function recall(step: number): void {
  const next = Math.max(-1, Math.min(history.peek().length - 1, recalled + step));
  if (next < 0) return;
  recalled = next;
  draft.value = history.peek()[next] ?? "";
}
