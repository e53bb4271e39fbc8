// Pages through a range from its newest entry to its oldest. Owns the cursor; explore.ts owns when a page is wanted.
// Invariant: no entry of the range is left out or given twice, however many share a nanosecond; where one nanosecond holds
// more entries than the server gives at once, a notice says so.
import { EntrySet } from "../model/entrySet.ts";
import type { Entry, Row } from "../model/row.ts";
import type { ResolvedRange } from "../model/timeRange.ts";

/** Fetches the newest `limit` entries of a range, newest first. */
export type FetchPage = (range: ResolvedRange, limit: number) => Promise<Entry[]>;

export interface OlderPage {
  readonly rows: Row[];
  /** True when the range holds nothing older. */
  readonly ended: boolean;
}

export class OlderPages {
  readonly #range: ResolvedRange;
  readonly #fetch: FetchPage;
  readonly #limit: number;
  readonly #limitMax: number;
  /** Exclusive end of what is still to be fetched, when no entry marks it. */
  #end: bigint;
  #oldest: string | undefined;
  /** Those given already that share the oldest timestamp. */
  #seen = new EntrySet();

  /** `limitMax` is the most the server gives at once: max_entries_limit_per_query. */
  constructor(range: ResolvedRange, fetch: FetchPage, limit: number, limitMax: number) {
    this.#range = range;
    this.#fetch = fetch;
    this.#limit = limit;
    this.#limitMax = limitMax;
    this.#end = range.end;
  }

  /** The next page. After a failure the same page can be asked for again. */
  async next(): Promise<OlderPage> {
    const rows: Row[] = [];
    for (let limit = this.#limit;;) {
      // The oldest timestamp is asked for again, since the last page may have ended among its equals.
      const end = this.#oldest === undefined ? this.#end : BigInt(this.#oldest) + 1n;
      if (end <= this.#range.start) return { rows, ended: true };
      const entries = await this.#fetch({ start: this.#range.start, end }, limit);
      const fresh = entries.filter((entry) =>
        entry.nanoseconds !== this.#oldest || !this.#seen.has(entry)
      );
      const ended = entries.length < limit;
      if (fresh.length > 0 || ended) {
        this.#remember(fresh);
        return { rows: rows.concat(fresh), ended };
      }
      if (limit < this.#limitMax) limit = this.#limitMax;
      else rows.push(this.#skipOldest(limit));
    }
  }

  #remember(fresh: Entry[]): void {
    const oldest = fresh.at(-1)?.nanoseconds;
    if (oldest === undefined) return;
    if (oldest !== this.#oldest) this.#seen = new EntrySet();
    this.#oldest = oldest;
    for (let i = fresh.length - 1; i >= 0; i--) {
      const entry = fresh[i];
      if (entry === undefined || entry.nanoseconds !== oldest) break;
      this.#seen.add(entry);
    }
  }

  #skipOldest(limit: number): Row {
    const start = BigInt(this.#oldest ?? "0");
    this.#end = start;
    this.#oldest = undefined;
    this.#seen = new EntrySet();
    return {
      kind: "notice",
      text: `More than ${limit} lines share this nanosecond; the server gives no more at once. ` +
        "Filter further to see the others.",
      missing: { start, end: start + 1n },
    };
  }
}
