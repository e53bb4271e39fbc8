// Finds and marks a text in the lines that are loaded, which the browser's own search cannot do: it knows only those drawn.
import { findText, say } from "../state/screen.ts";
import { selectNext } from "../state/selection.ts";

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
    say("No loaded line holds this text");
  }
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
