/** Numbers the (series, bucket) pairs that have rows: a cell is where a state lives. Both sides of a
 *  thread boundary use it, and so agree on columns. Owns the limit on cells, hence on the memory of a
 *  metric query. Invariant: a cell exists if, and only if, at least one row was counted in it. */

/** Thrown when a query would hold more than it may. */
export class MetricLimitReached extends Error {
  override readonly name = "MetricLimitReached";
}

/** What a metric query may hold; limits_config has both. */
export interface MetricLimits {
  /** Series of one range aggregation. */
  readonly seriesMax: number;
  /** States, or values kept for exact quantiles, that it holds at once. */
  readonly samplesMax: number;
}

/** Characters of labels that take the memory of a sample, about. */
const charactersPerSample = 8;

const cellsInitial = 64;

export class CellTable {
  seriesCount = 0;
  cellCount = 0;
  series = new Uint32Array(cellsInitial);
  buckets = new Uint32Array(cellsInitial);
  readonly #limits: MetricLimits;
  readonly #seriesIds = new Map<string, number>();
  readonly #keys: string[] = [];
  #keyCharacters = 0;
  /** Open addressing: cell + 1 at the place that the hash of series and bucket names, 0 for none. A Map
   *  would take five times the memory, and has a largest size. */
  #slots = new Uint32Array(cellsInitial * 2);
  /** Per series the bucket and cell asked for last: rows of a series mostly ascend in time. */
  #lastBucket = new Int32Array(cellsInitial).fill(-1);
  #lastCell = new Uint32Array(cellsInitial);

  constructor(limits: MetricLimits) {
    this.#limits = limits;
  }

  /** Canonical label strings of the series, by their number. */
  get keys(): ReadonlyArray<string> {
    return this.#keys;
  }

  /** The number of the series with this canonical label string. */
  seriesOf(key: string): number {
    let id = this.#seriesIds.get(key);
    if (id !== undefined) return id;
    if (this.seriesCount >= this.#limits.seriesMax) throw tooManySeries(this.#limits.seriesMax);
    this.#keyCharacters += key.length;
    const { samplesMax } = this.#limits;
    if (this.#keyCharacters > charactersPerSample * samplesMax) throw tooMuchText(samplesMax);
    id = this.seriesCount++;
    this.#seriesIds.set(key, id);
    this.#keys.push(key);
    if (id >= this.#lastBucket.length) {
      const grown = new Int32Array(id * 2).fill(-1);
      grown.set(this.#lastBucket);
      this.#lastBucket = grown;
      this.#lastCell = grownTo(this.#lastCell, id * 2);
    }
    return id;
  }

  /** The cell of a series and a bucket, made if there is none. */
  cellOf(series: number, bucket: number): number {
    if (this.#lastBucket[series] === bucket) return this.#lastCell[series]!;
    const cell = this.#find(series, bucket);
    this.#lastBucket[series] = bucket;
    this.#lastCell[series] = cell;
    return cell;
  }

  #find(series: number, bucket: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash(series, bucket) & mask;; slot = (slot + 1) & mask) {
      const cell = this.#slots[slot]! - 1;
      if (cell < 0) return this.#insert(series, bucket, slot);
      if (this.series[cell] === series && this.buckets[cell] === bucket) return cell;
    }
  }

  #insert(series: number, bucket: number, slot: number): number {
    const cell = this.cellCount;
    if (cell >= this.#limits.samplesMax) throw tooManySamples(this.#limits.samplesMax);
    this.cellCount++;
    if (cell === this.series.length) {
      this.series = grownTo(this.series, cell * 2);
      this.buckets = grownTo(this.buckets, cell * 2);
    }
    this.series[cell] = series;
    this.buckets[cell] = bucket;
    this.#slots[slot] = cell + 1;
    if (this.cellCount * 2 > this.#slots.length) this.#rehash();
    return cell;
  }

  #rehash(): void {
    const slots = new Uint32Array(this.#slots.length * 4);
    const mask = slots.length - 1;
    for (let cell = 0; cell < this.cellCount; cell++) {
      let slot = hash(this.series[cell]!, this.buckets[cell]!) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = cell + 1;
    }
    this.#slots = slots;
  }

  /** The cells of each series in ascending order of buckets: those of series s are
   *  cells[ends[s - 1]..ends[s]). */
  bySeries(): { readonly cells: Uint32Array; readonly ends: Uint32Array } {
    const { series, buckets, cellCount } = this;
    const ends = new Uint32Array(this.seriesCount);
    for (let cell = 0; cell < cellCount; cell++) ends[series[cell]!]!++;
    for (let id = 1; id < ends.length; id++) ends[id]! += ends[id - 1]!;
    const next = new Uint32Array(ends.length);
    for (let id = 1; id < ends.length; id++) next[id] = ends[id - 1]!;
    const cells = new Uint32Array(cellCount);
    for (let cell = 0; cell < cellCount; cell++) cells[next[series[cell]!]!++] = cell;
    for (let id = 0; id < ends.length; id++) {
      const own = cells.subarray(id === 0 ? 0 : ends[id - 1]!, ends[id]!);
      if (!isAscending(own, buckets)) own.sort((a, b) => buckets[a]! - buckets[b]!);
    }
    return { cells, ends };
  }
}

function hash(series: number, bucket: number): number {
  let mixed = Math.imul(series, 0x9e3779b1) ^ Math.imul(bucket, 0x85ebca6b);
  mixed ^= mixed >>> 15;
  mixed = Math.imul(mixed, 0x2c1b3c6d);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}

function isAscending(cells: Uint32Array, buckets: Uint32Array): boolean {
  for (let at = 1; at < cells.length; at++) {
    if (buckets[cells[at - 1]!]! > buckets[cells[at]!]!) return false;
  }
  return true;
}

function tooManySeries(max: number): MetricLimitReached {
  return new MetricLimitReached(
    `maximum number of series (${max}) reached for a single query: group by fewer labels, such as ` +
      "sum by (app) (...), add label matchers, drop labels that differ in every line, " +
      "or raise limits_config.max_query_series",
  );
}

function tooMuchText(samplesMax: number): MetricLimitReached {
  const most = charactersPerSample * samplesMax;
  return new MetricLimitReached(
    `the labels of the query's series have more than ${most} characters, which is ${charactersPerSample} times ` +
      `limits_config.max_query_samples (${samplesMax}): group by fewer labels, such as sum by (app) (...), ` +
      "keep or drop labels, or raise that limit",
  );
}

/** The error of a query that holds too many states or values. */
export function tooManySamples(max: number): MetricLimitReached {
  return new MetricLimitReached(
    `maximum number of samples (${max}) reached for a single query: shorten the time range, use a ` +
      "larger step, group by fewer labels, or raise limits_config.max_query_samples",
  );
}

function grownTo(column: Uint32Array<ArrayBuffer>, length: number): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(length);
  grown.set(column);
  return grown;
}
