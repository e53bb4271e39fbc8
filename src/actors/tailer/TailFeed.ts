/** What a tenant's tails in this process get of a cluster's write log: each record once and in order, of each partition.
 *  JetStream tells of a record as soon as it is stored, but at most once: what its leader had told nobody when it died, what came
 *  while the connection was down or was too much for it, is read from the log. JetStream names with every record the one before
 *  it of the same tenant, so a gap shows with the next record; that nothing follows is made up for by asking at times.
 *  Of a partition that came into being after the feed, its first records may be what nobody told of: `found` says which there are.
 *  Invariant: a record that can neither be heard of nor read is reported as lost. */

export interface FeedRecord {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface TailFeedOptions {
  /** The tenant's next records from an offset on, in order; none if there are none yet, or a replica does not have them yet. */
  readonly read: (partition: number, offset: number) => Promise<ReadonlyArray<FeedRecord>>;
  readonly publish: (partition: number, record: FeedRecord) => void;
  /** Records of a partition are not to be had any more. */
  readonly lost: (partition: number) => void;
  /** How long a record that is known to be there is asked for. */
  readonly giveUpMs?: number;
}

/** A replica is behind its leader by moments. */
const retryMs = 50;

interface Progress {
  /** The last record that was published, or that the tails need not have. */
  last: number;
  /** The last record that is known to be stored. */
  target: number;
  /** A record behind `last` that was stored, if there is a gap. */
  missing: number | undefined;
  isReading: boolean;
  /** Whether JetStream told of anything since the last `poll`. */
  isActive: boolean;
}

export class TailFeed {
  readonly #options: TailFeedOptions;
  readonly #partitions = new Map<number, Progress>();
  /** Partitions that were there at the beginning. */
  #before: ReadonlySet<number> | undefined;
  #isOpen = true;

  constructor(options: TailFeedOptions) {
    this.#options = options;
  }

  /** Offsets from `next` on are wanted, unless the partition is known already. */
  begin(partition: number, next: number): Progress {
    let progress = this.#partitions.get(partition);
    if (progress === undefined) {
      const last = next - 1;
      progress = { last, target: last, missing: undefined, isReading: false, isActive: true };
      this.#partitions.set(partition, progress);
    }
    return progress;
  }

  /** Takes note of the partitions that there are. Those of the first time were there before; of others every record is wanted. */
  found(partitions: ReadonlyArray<number>): void {
    this.#before ??= new Set(partitions);
    for (const partition of partitions) if (this.#isNew(partition)) this.begin(partition, 1);
  }

  #isNew(partition: number): boolean {
    return this.#before?.has(partition) === false;
  }

  /** Takes what JetStream told of; `previous` is the tenant's record before it. */
  take(partition: number, record: FeedRecord, previous: number): void {
    const progress = this.begin(partition, this.#isNew(partition) ? 1 : previous + 1);
    progress.isActive = true;
    if (record.offset <= progress.last) return;
    progress.target = Math.max(progress.target, record.offset);
    if (progress.isReading) return;
    if (previous > progress.last) {
      progress.missing = previous;
      void this.#readOn(partition, progress);
    } else this.#publish(partition, progress, record);
  }

  /** Reads on where nothing was heard of since the last call. */
  async poll(): Promise<void> {
    const quiet = [...this.#partitions].filter(([, { isActive, isReading }]) =>
      !isActive && !isReading
    );
    for (const progress of this.#partitions.values()) progress.isActive = false;
    await Promise.all(quiet.map(async ([partition, progress]) => {
      const records = await this.#read(partition, progress.last + 1);
      if (!progress.isReading) this.#publishAll(partition, progress, records);
    }));
  }

  close(): void {
    this.#isOpen = false;
  }

  /** Reads the log up to the last record that was heard of meanwhile. */
  async #readOn(partition: number, progress: Progress): Promise<void> {
    const { giveUpMs = 10_000, lost } = this.#options;
    progress.isReading = true;
    let endMs = performance.now() + giveUpMs;
    while (this.#isOpen && progress.last < progress.target) {
      const records = await this.#read(partition, progress.last + 1);
      if (records.length > 0) {
        this.#publishAll(partition, progress, records);
        endMs = performance.now() + giveUpMs;
      } else if (performance.now() > endMs) {
        progress.last = progress.target;
        progress.missing = undefined;
        lost(partition);
      } else await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
    progress.isReading = false;
  }

  async #read(partition: number, offset: number): Promise<ReadonlyArray<FeedRecord>> {
    try {
      return await this.#options.read(partition, offset);
    } catch {
      // The link is down or a server is: the next attempt, or its end, says more.
      return [];
    }
  }

  #publishAll(partition: number, progress: Progress, records: ReadonlyArray<FeedRecord>): void {
    for (const record of records) {
      if (record.offset > progress.last) this.#publish(partition, progress, record);
    }
  }

  #publish(partition: number, progress: Progress, record: FeedRecord): void {
    if (!this.#isOpen) return;
    // It was in the log and has left it before it was read.
    if (progress.missing !== undefined && record.offset > progress.missing) {
      this.#options.lost(partition);
    }
    progress.missing = undefined;
    progress.last = record.offset;
    progress.target = Math.max(progress.target, record.offset);
    this.#options.publish(partition, record);
  }
}
