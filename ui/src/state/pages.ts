// Pages through a range from one end to the other. Owns the cursor; explore.ts owns when a page is wanted.
// Invariant: no entry of the range is left out or given twice, however many share a nanosecond, also when a page fails half
// way; where one nanosecond holds more entries than the server gives at once, a notice says so.
import { EntryBag } from "../model/entryKey.ts";
import type { Entry, Row } from "../model/row.ts";
import type { ResolvedRange } from "../model/timeRange.ts";

/** Fetches the first `limit` entries of a range in the direction of the pages, in one or more pieces. */
export type FetchPage = (
  range: ResolvedRange,
  limit: number,
  onEntries: (entries: Entry[]) => void,
) => Promise<void>;

export class Pages {
  readonly #newestFirst: boolean;
  readonly #fetch: FetchPage;
  readonly #limit: number;
  readonly #limitMax: number;
  /** What is still to be fetched, but for the entries at `#edge`. */
  #left: ResolvedRange;
  /** Timestamp of the last entry given; it is asked for again, since a page may end among its equals. */
  #edge: string | undefined;
  /** Those given already at `#edge`; equal ones, which a query can make of different lines, as often as they were given. */
  #seen = new EntryBag();

  /** `limitMax` is the most the server gives at once: max_entries_limit_per_query. */
  constructor(
    range: ResolvedRange,
    order: "newest" | "oldest",
    fetch: FetchPage,
    limit: number,
    limitMax: number,
  ) {
    this.#left = range;
    this.#newestFirst = order === "newest";
    this.#fetch = fetch;
    this.#limit = limit;
    this.#limitMax = limitMax;
  }

  /** Gives the next page's rows as they come; true when the range holds no more. After a failure, call again to go on. A page
   *  has `limitNow` entries where that is given, for instance fewer because they are long. */
  async next(onRows: (rows: Row[]) => void, limitNow = this.#limit): Promise<boolean> {
    for (let limit = limitNow;;) {
      const range = this.#rest();
      if (range.start >= range.end) return true;
      let received = 0;
      let given = 0;
      const edge = this.#edge;
      const repeated = this.#seen.copy();
      await this.#fetch(range, limit, (entries) => {
        received += entries.length;
        const fresh = entries.filter((entry) =>
          entry.nanoseconds !== edge || !repeated.take(entry)
        );
        if (fresh.length === 0) return;
        given += fresh.length;
        this.#remember(fresh);
        onRows(fresh);
      });
      const ended = received < limit;
      if (given > 0 || ended) return ended;
      if (limit < this.#limitMax) limit = this.#limitMax;
      else onRows([this.#skipEdge(limit)]);
    }
  }

  #rest(): ResolvedRange {
    if (this.#edge === undefined) return this.#left;
    const edge = BigInt(this.#edge);
    return this.#newestFirst ? { ...this.#left, end: edge + 1n } : { ...this.#left, start: edge };
  }

  #remember(fresh: Entry[]): void {
    const edge = fresh.at(-1)?.nanoseconds;
    if (edge === undefined) return;
    if (edge !== this.#edge) this.#seen = new EntryBag();
    this.#edge = edge;
    for (let i = fresh.length - 1; i >= 0; i--) {
      const entry = fresh[i];
      if (entry === undefined || entry.nanoseconds !== edge) break;
      this.#seen.add(entry);
    }
  }

  #skipEdge(limit: number): Row {
    const edge = BigInt(this.#edge ?? "0");
    this.#left = this.#newestFirst
      ? { ...this.#left, end: edge }
      : { ...this.#left, start: edge + 1n };
    this.#edge = undefined;
    this.#seen = new EntryBag();
    return {
      kind: "notice",
      text: `More than ${limit} lines share this nanosecond; the server gives no more at once. ` +
        "Filter further to see the others.",
      missing: { start: edge, end: edge + 1n },
    };
  }
}
