/** What a tail's client did not get: how many rows, from when to when, and the first of them by name. Owns the count. Until it is
 *  known where the tail begins, rows that the lines before it may have are kept apart by batch. Pure. */

/** A row that the client did not get. */
export interface DroppedRow {
  readonly labels: string;
  readonly time: bigint;
}

/** What was dropped since the last time somebody asked. */
export interface Dropped {
  readonly droppedCount: number;
  /** Of those the rows that no filter has looked at, because it took too long: any number of them may have passed. */
  readonly unexaminedCount: number;
  /** The first of them. */
  readonly dropped: ReadonlyArray<DroppedRow>;
  /** The times of the oldest and the newest. */
  readonly droppedFrom: bigint;
  readonly droppedTo: bigint;
}

/** Rows of one stream in one batch. */
export interface Drop {
  readonly partition: number;
  readonly offset: number;
  readonly labels: string;
  readonly times: ReadonlyArray<bigint> | BigInt64Array;
  readonly isUnexamined: boolean;
}

const namesMax = 1000;
/** Drops that are kept apart; beyond it they count, also if the lines before the tail have them. */
const apartMax = 10_000;

/** Drops without their rows. */
interface Apart {
  readonly partition: number;
  readonly offset: number;
  readonly sum: Sum;
}

export class DroppedRows {
  #sum = new Sum();
  /** Undefined once it is known where the tail begins. */
  #apart: Apart[] | undefined = [];
  #apartNames = 0;

  get isEmpty(): boolean {
    return this.#sum.count === 0 && (this.#apart?.length ?? 0) === 0;
  }

  add({ partition, offset, labels, times, isUnexamined }: Drop): void {
    if (times.length === 0) return;
    if (this.#apart === undefined || this.#apart.length >= apartMax) {
      return this.#sum.add(labels, times, isUnexamined, namesMax);
    }
    const sum = new Sum();
    sum.add(labels, times, isUnexamined, namesMax - this.#apartNames);
    this.#apartNames += sum.names.length;
    this.#apart.push({ partition, offset, sum });
  }

  /** Rows that nothing is known of but that they are lost. */
  addUnknown(time: bigint): void {
    this.#sum.add("{}", [time], false, namesMax);
  }

  /** What was dropped of offsets before these, by partition, was not lost. */
  startAt(logTo: ReadonlyMap<number, number>): void {
    for (const { partition, offset, sum } of this.#apart ?? []) {
      if (offset >= (logTo.get(partition) ?? 0)) this.#sum.merge(sum);
    }
    this.#apart = undefined;
  }

  /** All of it; then there is nothing. */
  take(): Dropped {
    for (const { sum } of this.#apart ?? []) this.#sum.merge(sum);
    if (this.#apart !== undefined) [this.#apart, this.#apartNames] = [[], 0];
    const { count, unexamined, names, from, to } = this.#sum;
    this.#sum = new Sum();
    return {
      droppedCount: count,
      unexaminedCount: unexamined,
      dropped: names,
      droppedFrom: from,
      droppedTo: to,
    };
  }
}

class Sum {
  count = 0;
  unexamined = 0;
  names: DroppedRow[] = [];
  from = 0n;
  to = 0n;

  add(labels: string, times: Drop["times"], isUnexamined: boolean, most: number): void {
    for (const time of times) {
      this.#span(time, time);
      this.count++;
      if (this.names.length < most) this.names.push({ labels, time });
    }
    if (isUnexamined) this.unexamined += times.length;
  }

  merge(other: Sum): void {
    this.#span(other.from, other.to);
    this.count += other.count;
    this.unexamined += other.unexamined;
    this.names = this.names.concat(other.names.slice(0, namesMax - this.names.length));
  }

  #span(from: bigint, to: bigint): void {
    if (this.count === 0 || from < this.from) this.from = from;
    if (this.count === 0 || to > this.to) this.to = to;
  }
}
