// Finds and marks a text in the lines that are held, which the browser's own search cannot do: it knows only those drawn.
import { rows } from "../state/explore.ts";
import { findText, say } from "../state/screen.ts";
import { selectNext } from "../state/selection.ts";
import { formatCount } from "./figures.ts";

/** Puts the keyboard into the box. */
export function focusFind(): void {
  const box = document.querySelector<HTMLInputElement>("#find");
  box?.focus();
  box?.select();
}

/** Goes to the next line that holds the text, or the previous one. */
export function findNext(step: 1 | -1): void {
  const wanted = findText.peek().toLowerCase();
  if (wanted === "") return focusFind();
  if (!selectNext(step, (entry) => entry.line.toLowerCase().includes(wanted))) {
    say(nothing("line with this text"));
  }
}

/** That there is none, and where none was looked for. */
export function nothing(what: string): string {
  const { held, size } = rows.peek();
  return held === size
    ? `No ${what} is loaded`
    : `No ${what} among the ${formatCount(held)} lines held of ${formatCount(size)}`;
}

export function FindBox() {
  return (
    <input
      id="find"
      class="find"
      type="search"
      aria-label="Find in the loaded lines"
      placeholder="Find in lines"
      title="Find in the loaded lines (f); Enter goes to the next"
      value={findText.value}
      onInput={(event) => findText.value = event.currentTarget.value}
      onKeyDown={(event) => {
        if (event.key !== "Enter") return;
        event.preventDefault();
        findNext(event.shiftKey ? -1 : 1);
      }}
    />
  );
}
