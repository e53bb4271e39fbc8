// The lines around one entry in its stream. Owns fetching them in both directions; view/ContextView.tsx shows them.
// Invariant: the stream alone decides, not the query that led to the entry: filters would hide the very lines one looks for.
import { signal } from "@preact/signals-core";
import { ApiError } from "../api/request.ts";
import { EntrySet } from "../model/entrySet.ts";
import { nanosecondsPerSecond } from "../model/nanoseconds.ts";
import type { Entry } from "../model/row.ts";
import { printSelector } from "../model/selector.ts";
import type { Pages } from "./pages.ts";
import { pagesOfQuery } from "./pagesOfQuery.ts";

export type Side = "before" | "after";

const pageRows = 20;
const day = 86_400n * nanosecondsPerSecond;

export class Context {
  /** Nearest to the entry last before it, first after it. */
  readonly before = signal<readonly Entry[]>([]);
  readonly after = signal<readonly Entry[]>([]);
  readonly state = signal<Record<Side, "more" | "loading" | "end" | ApiError>>({
    before: "more",
    after: "more",
  });
  readonly selector: string;
  readonly #pages: Record<Side, Pages>;
  readonly #abort = new AbortController();
  /** The entry itself: where others share its nanosecond, it is among the answers. */
  readonly #self = new EntrySet();

  constructor(entry: Entry) {
    const labels = Object.entries(entry.stream)
      .filter(([name]) => name !== "detected_level")
      .map(([name, value]) => ({ name, operator: "=" as const, value }));
    this.selector = printSelector(labels);
    const time = BigInt(entry.nanoseconds);
    this.#self.add(entry);
    const pages = (order: "newest" | "oldest", start: bigint, end: bigint, rows: number) =>
      pagesOfQuery(this.selector, { start, end }, order, rows, this.#abort.signal);
    // Later lines may share the entry's nanosecond, so that page starts with the entry itself.
    this.#pages = {
      before: pages("newest", time - day, time, pageRows),
      after: pages("oldest", time, time + day, pageRows + 1),
    };
  }

  /** Fetches more of one side. */
  async load(side: Side): Promise<void> {
    const set = (state: "more" | "loading" | "end" | ApiError) =>
      this.state.value = { ...this.state.peek(), [side]: state };
    if (this.state.peek()[side] === "loading") return;
    set("loading");
    try {
      const ended = await this.#pages[side].next((page) => {
        const entries = page.filter((row) =>
          row.kind === "entry" && !this.#self.has(row)
        ) as Entry[];
        if (side === "before") this.before.value = [...entries.reverse(), ...this.before.peek()];
        else this.after.value = [...this.after.peek(), ...entries];
      });
      set(ended ? "end" : "more");
    } catch (cause) {
      if (this.#abort.signal.aborted) return;
      set(cause instanceof ApiError ? cause : new ApiError(0, String(cause)));
    }
  }

  stop(): void {
    this.#abort.abort();
  }
}
