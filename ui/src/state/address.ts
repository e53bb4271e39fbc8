// The page's state that a link carries, kept in the address. Owns reading and writing it and the browser's history; what is
// shown follows from it (explore.ts). Invariant: two people who open the same address see the same page.
import { signal } from "@preact/signals";
import type { Zone } from "../model/nanoseconds.ts";
import { defaultRange, type TimeRange } from "../model/timeRange.ts";

export interface Address {
  readonly query: string;
  readonly range: TimeRange;
  readonly live: boolean;
  readonly wrap: boolean;
  readonly zone: Zone;
  /** Name of the entry that is open in the drawer, or empty. */
  readonly entry: string;
}

/** The present address; change it with `go`. */
export const address = signal<Address>(readAddress(location.search));

/** Changes part of the address. "push" makes a step that the back button undoes, "replace" does not. */
export function go(change: Partial<Address>, step: "push" | "replace"): void {
  const next = { ...address.peek(), ...change };
  const search = writeAddress(next);
  if (search !== writeAddress(address.peek())) {
    const url = search === "" ? location.pathname : search;
    if (step === "push") history.pushState(null, "", url);
    else history.replaceState(null, "", url);
  }
  address.value = next;
}

/** Follows the browser's back and forward buttons. */
export function followHistory(): void {
  addEventListener("popstate", () => address.value = readAddress(location.search));
}

/** Prints an address as `?...`, defaults left out; empty when all is default. */
export function writeAddress(state: Address): string {
  const parameters = new URLSearchParams();
  if (state.query !== "") parameters.set("q", state.query);
  if (state.range.from !== defaultRange.from) parameters.set("from", state.range.from);
  if (state.range.to !== defaultRange.to) parameters.set("to", state.range.to);
  if (state.live) parameters.set("live", "1");
  if (state.wrap) parameters.set("wrap", "1");
  if (state.zone === "utc") parameters.set("tz", "utc");
  if (state.entry !== "") parameters.set("entry", state.entry);
  return parameters.size === 0 ? "" : `?${parameters}`;
}

function readAddress(search: string): Address {
  const parameters = new URLSearchParams(search);
  return {
    query: parameters.get("q") ?? "",
    range: {
      from: parameters.get("from") ?? defaultRange.from,
      to: parameters.get("to") ?? defaultRange.to,
    },
    live: parameters.get("live") === "1",
    wrap: parameters.get("wrap") === "1",
    zone: parameters.get("tz") === "utc" ? "utc" : "local",
    entry: parameters.get("entry") ?? "",
  };
}
