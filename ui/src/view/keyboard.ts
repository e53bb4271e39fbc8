// The page's keys, in one table that the help shows too. Invariant: no key acts while text is typed, except Escape, which
// leaves the box; and none with Ctrl, Meta or Alt, which belong to the browser, but for Ctrl+F.
import { address, go } from "../state/address.ts";
import { draft, groups, live, open, opened, selected, submit } from "../state/explore.ts";
import { refresh } from "../state/labels.ts";
import { helpOpen, nextTheme, queriesOpen, rangeOpen, say, sidebarOpen } from "../state/screen.ts";
import { type Entry, levelOf } from "../model/row.ts";
import { move, openSelected, select, selectNext } from "../state/selection.ts";
import { findNext, focusFind, nothing } from "./FindBox.tsx";
import { focusQuery } from "./QueryEditor.tsx";

interface Binding {
  /** `KeyboardEvent.key`; a space is "Space". */
  readonly keys: readonly string[];
  readonly words: string;
  readonly run: () => void;
}

export const bindings: readonly Binding[] = [
  { keys: ["/"], words: "write in the query", run: () => focusQuery() },
  { keys: ["j", "ArrowDown"], words: "next line", run: () => move(1) },
  { keys: ["k", "ArrowUp"], words: "previous line", run: () => move(-1) },
  { keys: ["g", "Home"], words: "first line", run: () => select(groups.peek().first) },
  { keys: ["G", "End"], words: "last line; in live mode, follow again", run: toEnd },
  { keys: ["Enter"], words: "open the line's details", run: openSelected },
  { keys: ["Space"], words: "live: pause, go on", run: togglePause },
  { keys: ["l"], words: "live mode on, off", run: toggleLive },
  { keys: ["r"], words: "run the query again", run: runAgain },
  {
    keys: ["w"],
    words: "wrap long lines",
    run: () => go({ wrap: !address.peek().wrap }, "replace"),
  },
  {
    keys: ["p"],
    words: "lay JSON lines out",
    run: () => go({ pretty: !address.peek().pretty }, "replace"),
  },
  {
    keys: ["v"],
    words: "lines over time",
    run: () => go({ histogram: !address.peek().histogram }, "replace"),
  },
  {
    keys: ["o"],
    words: "newest first, oldest first",
    run: () => go({ order: address.peek().order === "newest" ? "oldest" : "newest" }, "push"),
  },
  { keys: ["f"], words: "find in the loaded lines", run: focusFind },
  { keys: ["n"], words: "next line found", run: () => findNext(1) },
  { keys: ["N"], words: "previous line found", run: () => findNext(-1) },
  { keys: ["e"], words: "next error", run: () => nextError(1) },
  { keys: ["E"], words: "previous error", run: () => nextError(-1) },
  { keys: ["q"], words: "past and saved queries", run: () => queriesOpen.value = true },
  { keys: ["t"], words: "time range", run: () => rangeOpen.value = true },
  { keys: ["b"], words: "labels at the side", run: () => sidebarOpen.value = !sidebarOpen.peek() },
  { keys: ["d"], words: "theme", run: nextTheme },
  { keys: ["?"], words: "this help", run: () => helpOpen.value = true },
  { keys: ["Escape"], words: "close, leave", run: escape },
];

export function listenToKeys(): void {
  addEventListener("keydown", (event) => {
    // A dialog has its own keys. One that closes is told so a moment after it is gone: what is seen counts.
    if (document.querySelector("dialog[open]") !== null) return;
    if (isFindKey(event)) return takeFind(event);
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    // The editor is in a shadow root: the event's own target would be its host.
    const target = event.composedPath()[0];
    if (!(target instanceof HTMLElement)) return;
    const typing = target.isContentEditable ||
      target.matches("input:not([type=checkbox]), textarea, select");
    if (typing && event.key !== "Escape") return;
    // A focused button keeps its own keys.
    if (
      target.matches("button, a, summary, input") && (event.key === "Enter" || event.key === " ")
    ) return;
    const key = event.key === " " ? "Space" : event.key;
    const binding = bindings.find((candidate) => candidate.keys.includes(key));
    if (binding === undefined) return;
    // Without a live session the space bar scrolls, as everywhere.
    if (key === "Space" && live.peek() === undefined) return;
    event.preventDefault();
    if (typing) target.blur();
    if (!typing || rangeOpen.peek() || queriesOpen.peek()) binding.run();
  });
  releaseButtons();
}

function isFindKey(event: KeyboardEvent): boolean {
  return (event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "f";
}

/** The browser's search knows only the rows that are drawn: Ctrl+F leads to the one that knows all. From there it is the
 *  browser's again. */
function takeFind(event: KeyboardEvent): void {
  const box = document.querySelector("#find");
  if (box === null || document.activeElement === box) return;
  event.preventDefault();
  focusFind();
}

/** A button clicked with the mouse gives up the keyboard, so that Space then pauses and does not press it again. */
function releaseButtons(): void {
  addEventListener("click", (event) => {
    if (event.detail > 0) (event.target as Element).closest<HTMLElement>("button")?.blur();
  });
}

export function togglePause(): void {
  const session = live.peek();
  if (session === undefined) return;
  if (session.paused.peek()) session.resume();
  else session.pause();
}

/** Live mode on or off, for the query as it stands in the box. */
export function toggleLive(): void {
  if (draft.peek().trim() === "") return;
  go({ query: draft.peek(), live: !address.peek().live, entry: "" }, "push");
}

/** Runs what stands in the box, and asks anew which labels there are. */
export function runAgain(): void {
  submit(draft.peek());
  void refresh();
}

function toEnd(): void {
  const session = live.peek();
  if (session?.paused.peek()) {
    selected.value = undefined;
    session.resume();
  } else select(groups.peek().end - 1);
}

/** Goes to the next loaded line of level error or worse. */
function nextError(step: 1 | -1): void {
  const isError = (entry: Entry) => ["error", "critical"].includes(levelOf(entry));
  if (!selectNext(step, isError)) say(nothing("error"));
}

function escape(): void {
  if (rangeOpen.peek()) rangeOpen.value = false;
  else if (queriesOpen.peek()) queriesOpen.value = false;
  else if (opened.peek() !== undefined) open(undefined);
  else selected.value = undefined;
}
