// Which row the keyboard is at, and moving it. explore.ts holds the signals. Invariant: what is to be opened and not held opens
// when it comes, unless the keyboard has gone on.
import { effect } from "@preact/signals-core";
import type { Entry } from "../model/row.ts";
import { groups, live, open, opened, selected, version } from "./explore.ts";

/** Selects a row, or the nearest there is; live mode holds still. */
export function select(sequence: number): void {
  const list = groups.peek();
  if (list.size === 0) return;
  live.peek()?.pause();
  selected.value = Math.max(list.first, Math.min(list.end - 1, sequence));
  if (opened.peek() !== undefined) openSelected();
}

/** Opens the details of the row that the keyboard is at. */
export function openSelected(): void {
  const row = groups.peek().at(selected.peek() ?? -1);
  awaited = row === undefined ? selected.peek() : undefined;
  if (row?.kind === "entry") open(row);
}

/** The row to be opened that is not held. */
let awaited: number | undefined;
effect(() => {
  void version.value;
  if (awaited !== undefined && awaited === selected.peek()) openSelected();
});

/** Moves the selection; at first it starts where the newest row is. */
export function move(step: number): void {
  const list = groups.peek();
  const present = selected.peek();
  select(present === undefined ? (live.peek() ? list.end - 1 : list.first) : present + step);
}

/** Selects the next loaded entry that `wanted` accepts, going round at the ends; false when there is none. */
export function selectNext(step: 1 | -1, wanted: (entry: Entry) => boolean): boolean {
  const list = groups.peek();
  const start = selected.peek() ?? (step > 0 ? list.first - 1 : list.end);
  for (let i = 1; i <= list.size; i++) {
    const offset = (start - list.first + i * step) % list.size;
    const sequence = list.first + (offset + list.size) % list.size;
    const row = list.at(sequence);
    if (row?.kind === "entry" && wanted(row)) {
      select(sequence);
      return true;
    }
  }
  return false;
}
