/** `| unwrap label`: the number that a row stands for in a range aggregation. The parser owns where
 *  it may stand; the metric engine what is made of the numbers. Invariant: a row whose value cannot
 *  be read stays, with __error__ set and the value 0. */
import type { Unwrap } from "./ast.ts";
import { compilePredicate } from "./labelFilter.ts";
import { readerOf, readFailed } from "./labelValue.ts";
import type { NameTable } from "./nameTable.ts";
import type { Row } from "./row.ts";
import type { RowStage } from "./stages/stage.ts";

export class Unwrapper implements RowStage {
  /** Of the row that `apply` kept last: the label's number, seconds for durations, bytes. */
  value = 0;
  /** The slot of the unwrapped label, which no series has unless it is grouped by it. */
  readonly slot: number;
  readonly #read: (row: Row, slot: number) => number;
  readonly #filters: ReadonlyArray<RowStage>;
  readonly #complaint: string;

  constructor({ label, conversion, filters }: Unwrap, names: NameTable) {
    this.slot = names.require(label);
    this.#filters = filters.map(({ predicate }) => compilePredicate(predicate, names));
    this.#complaint = `the value of ${label} cannot be unwrapped`;
    const isDuration = conversion === "duration" || conversion === "duration_seconds";
    const read = readerOf(isDuration ? "duration" : conversion === "bytes" ? "bytes" : "number");
    const readSlot = (row: Row, slot: number) =>
      read(row.sources[slot]!, row.starts[slot]!, row.ends[slot]!);
    this.#read = isDuration ? (row, slot) => secondsOf(readSlot(row, slot)) : readSlot;
  }

  /** False if the row has no such label or it is empty, or if a filter after unwrap drops it. */
  apply(row: Row): boolean {
    const { slot } = this;
    if (!row.has(slot) || row.starts[slot] === row.ends[slot]) return false;
    this.value = this.#read(row, slot);
    if (readFailed()) {
      this.value = 0;
      row.setError("SampleExtractionErr", this.#complaint);
    }
    for (const filter of this.#filters) if (!filter.apply(row)) return false;
    return true;
  }
}

/** As Go's Duration.Seconds: whole seconds and the rest are converted apart. */
function secondsOf(durationNs: number): number {
  const seconds = Math.trunc(durationNs / 1e9);
  return seconds + (durationNs - seconds * 1e9) / 1e9;
}
