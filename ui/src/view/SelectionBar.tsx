// What can be done with text that is selected in a row: only lines with it, lines without it, copy. It stands at the selection
// and goes when that does. Invariant: it never takes the selection away, so that the browser's own copying works as ever.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { filterLine, readSelector } from "../model/selector.ts";
import { draft, submit } from "../state/explore.ts";
import { copy } from "../state/screen.ts";
import { Icon } from "./icons.tsx";

interface Selected {
  readonly text: string;
  readonly left: number;
  readonly top: number;
}

const selectedText = signal<Selected | undefined>(undefined);
const charactersMax = 500;

export function SelectionBar() {
  useEffect(() => {
    const look = () => selectedText.value = present();
    const hide = () => selectedText.value = undefined;
    // While it is dragged a selection is not done; a bar would be in its way.
    const onChange = () => getSelection()?.isCollapsed !== false && hide();
    addEventListener("pointerup", look);
    document.addEventListener("selectionchange", onChange);
    document.addEventListener("scroll", hide, true);
    return () => {
      removeEventListener("pointerup", look);
      document.removeEventListener("selectionchange", onChange);
      document.removeEventListener("scroll", hide, true);
    };
  }, []);
  const found = selectedText.value;
  if (found === undefined) return null;
  const filter = (operator: "|=" | "!=") => {
    getSelection()?.removeAllRanges();
    submit(filterLine(draft.peek(), operator, found.text));
  };
  return (
    <div
      class="selection-bar"
      role="toolbar"
      aria-label="The selected text"
      style={{ left: `${found.left}px`, top: `${found.top}px` }}
      onPointerDown={(event) => event.preventDefault()}
    >
      <button type="button" title="Only lines with this text" onClick={() => filter("|=")}>
        <Icon name="plus" /> Only with
      </button>
      <button type="button" title="Only lines without this text" onClick={() => filter("!=")}>
        <Icon name="minus" /> Without
      </button>
      <button type="button" onClick={() => void copy(found.text, "the text")}>
        <Icon name="copy" /> Copy
      </button>
    </div>
  );
}

/** The selection, when it lies within the text of one row and the query can take a filter. */
function present(): Selected | undefined {
  const selection = getSelection();
  if (selection === null || selection.isCollapsed || selection.rangeCount === 0) return undefined;
  const range = selection.getRangeAt(0);
  const parent = range.commonAncestorContainer;
  const element = parent instanceof Element ? parent : parent.parentElement;
  const text = selection.toString();
  if (element?.closest(".log .text") == null || text.trim() === "") return undefined;
  if (text.length > charactersMax || text.includes("\n")) return undefined;
  if (typeof readSelector(draft.peek()) === "string") return undefined;
  const box = range.getBoundingClientRect();
  const widthPixels = 260;
  return {
    text,
    left: Math.max(8, Math.min(box.left, innerWidth - widthPixels)),
    top: box.top > 48 ? box.top - 38 : box.bottom + 6,
  };
}
