// The page's present state that a link carries. Owns the signal of it and the browser's history; addressText.ts owns what it is
// and how it is written, explore.ts what is shown for it. Invariant: two people who open the same address see the same page, as
// far as their screens are alike.
import { signal } from "@preact/signals-core";
import { type Address, readAddress, writeAddress } from "./addressText.ts";

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
