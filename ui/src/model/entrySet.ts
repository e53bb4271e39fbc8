// A set of entries by content: what paging and reconnecting use to drop those already shown. Keeps references to lines, not
// copies. Invariant: two entries are the same exactly when stream, time, line and all labels are, as in Loki.
import { allLabels, type Entry } from "./row.ts";

export class EntrySet {
  size = 0;
  #byLine = new Map<string, Set<string>>();

  has(entry: Entry): boolean {
    return this.#byLine.get(entry.line)?.has(identity(entry)) ?? false;
  }

  /** Adds an entry; gives false when it was there. */
  add(entry: Entry): boolean {
    let identities = this.#byLine.get(entry.line);
    if (identities === undefined) this.#byLine.set(entry.line, identities = new Set());
    const key = identity(entry);
    if (identities.has(key)) return false;
    identities.add(key);
    this.size++;
    return true;
  }
}

function identity(entry: Entry): string {
  const labels = Object.entries(allLabels(entry)).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([entry.nanoseconds, labels]);
}
