/** Which lines behind a file's position are done with all the same: while a stage held lines back (a part of a line of
 *  stdout), others behind them (of stderr) were sent. After a crash reading begins at the first line that was held, and
 *  the others are passed over, or they would be sent again, and joined with other lines than before.
 *  Invariant: of the lines from `offset` to `doneUntil` those at `held` are not done, all others are. */
import type { FilePosition } from "../positions/position.ts";
import type { LineColumns } from "./lineSink.ts";

/** With more lines held than that, what is behind the first one is sent again after a crash. */
const heldMax = 1024;

export type Progress = Pick<FilePosition, "offset" | "doneUntil" | "held">;

export class DoneLines {
  readonly #until: number;
  readonly #held: ReadonlySet<number>;

  constructor({ offset, doneUntil = offset, held = [] }: Progress) {
    this.#until = doneUntil;
    this.#held = new Set(held);
  }

  /** Leaves out the lines that are done with. */
  passOver(columns: LineColumns): void {
    const { starts, ends, offset, count } = columns;
    if (count === 0 || offset + starts[0]! >= this.#until) return;
    let kept = 0;
    for (let index = 0; index < count; index++) {
      const at = offset + starts[index]!;
      if (at < this.#until && !this.#held.has(at)) continue;
      starts[kept] = starts[index]!;
      ends[kept++] = ends[index]!;
    }
    columns.count = kept;
  }

  /** What a position says when all lines before `consumed` have been handed over, and of them all are done with but
   *  those at `held`, in ascending order. */
  progress(consumed: number, held: ReadonlyArray<number>): Progress {
    const offset = Math.min(held[0] ?? consumed, consumed);
    const doneUntil = Math.max(consumed, this.#until);
    if (offset === doneUntil) return { offset };
    const all = consumed < this.#until
      ? [...held, ...[...this.#held].filter((at) => at >= consumed)]
      : held;
    return all.length > heldMax ? { offset } : { offset, doneUntil, held: all };
  }
}
