// Has the pages of a list asked for again that were let go of and are looked at once more. Owns when: a page is asked for once
// it was wanted for a moment, so that dragging the scrollbar over thousands asks for none of them; one at a time, the one
// in view first; and given up when it is no longer wanted. model/rowPages.ts owns which rows come where.
// Invariant: after a failure nothing is asked again until the person says so or comes back to the place.
import { signal } from "@preact/signals-core";
import type { ApiError } from "../api/request.ts";
import type { Row } from "../model/row.ts";
import type { PageReturn, RowPages } from "../model/rowPages.ts";
import type { ResolvedRange } from "../model/timeRange.ts";

/** Reads a range in the list's order; `next` gives true when there is no more. */
export interface Reader {
  next(onRows: (rows: Row[]) => void): Promise<boolean>;
}

export interface ReturnPorts {
  readonly read: (range: ResolvedRange, limit: number, abort: AbortSignal) => Reader;
  /** Calls back after some milliseconds; gives what cancels it. */
  readonly after: (milliseconds: number, callback: () => void) => () => void;
  /** Called after rows came or could not. */
  readonly changed: () => void;
  readonly asError: (cause: unknown) => ApiError;
}

const restMs = 80;

export class PageReturns {
  /** Why rows that are looked at did not come. */
  readonly trouble = signal<ApiError | undefined>(undefined);
  readonly #rows: RowPages;
  readonly #ports: ReturnPorts;
  /** What each view looks at. */
  readonly #views = new Map<unknown, Iterable<number>>();
  #missing: readonly number[] = [];
  #asked: { readonly page: number; readonly abort: AbortController } | undefined;
  #next: { readonly page: number; readonly cancel: () => void } | undefined;
  #failed = new Set<number>();

  constructor(rows: RowPages, ports: ReturnPorts) {
    this.#rows = rows;
    this.#ports = ports;
  }

  /** Notes the rows that a view looks at, the most wanted first; undefined when the view is gone. */
  look(view: unknown, sequences: Iterable<number> | undefined): void {
    if (sequences === undefined) this.#views.delete(view);
    else this.#views.set(view, sequences);
    this.#follow();
  }

  /** Asks once more for what could not be had. */
  retry(): void {
    this.#failed.clear();
    this.trouble.value = undefined;
    this.#follow();
    this.#ports.changed();
  }

  stop(): void {
    this.#views.clear();
    this.#follow();
  }

  #follow(): void {
    this.#missing = this.#rows.look(this.#wanted());
    for (const page of this.#failed) if (!this.#missing.includes(page)) this.#failed.delete(page);
    if (this.#failed.size === 0) this.trouble.value = undefined;
    if (this.#asked !== undefined) {
      if (this.#missing.includes(this.#asked.page)) return;
      this.#asked.abort.abort();
      this.#asked = undefined;
    }
    const page = this.#missing.find((each) => !this.#failed.has(each));
    if (page === this.#next?.page) return;
    this.#next?.cancel();
    this.#next = page === undefined
      ? undefined
      : { page, cancel: this.#ports.after(restMs, () => void this.#ask(page)) };
  }

  *#wanted(): Iterable<number> {
    for (const sequences of this.#views.values()) yield* sequences;
  }

  async #ask(page: number): Promise<void> {
    this.#next = undefined;
    const back = this.#rows.returnOf(page);
    if (back === undefined) return;
    const abort = new AbortController();
    this.#asked = { page, abort };
    try {
      await this.#read(back, abort.signal);
      if (abort.signal.aborted) return;
      back.finish();
    } catch (cause) {
      if (abort.signal.aborted) return;
      this.#failed.add(page);
      this.trouble.value = this.#ports.asError(cause);
    }
    this.#asked = undefined;
    this.#follow();
    this.#ports.changed();
  }

  /** Reads until every row is found or there is no more. */
  async #read(back: PageReturn, abort: AbortSignal): Promise<void> {
    const reader = this.#ports.read(back.range, back.limit, abort);
    let missing = Infinity;
    while (missing > 0) {
      const ended = await reader.next((found) => missing = back.add(found));
      if (ended || abort.aborted) return;
    }
  }
}
