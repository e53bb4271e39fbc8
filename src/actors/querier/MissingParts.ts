/** What a query that may be answered in part had to do without: segments that nobody could read, and partitions whose unflushed
 *  rows nobody could tell. Owns leaving them out, and what the answer says of it. */
import type { JobOptions } from "../../platform/workerPool.ts";
import type { ScanSource, ScanUnit } from "../protocol/scan.ts";
import type { Scanners, UnitsJob } from "../Scanners.ts";

export class MissingParts {
  readonly #segments = new Set<string>();
  readonly #partitions = new Set<number | "new">();
  #reason = "";

  /** Notes that a partition's unflushed rows are not in the answer, or those of partitions that may be new. */
  readonly leaveOutPartition = (partition: number | "new", reason: string): void => {
    this.#partitions.add(partition);
    this.#reason ||= reason;
  };

  /** Scanners that leave out what cannot be read, as `isUnreadable` judges errors; every other error is the job's. */
  scanners(pool: Scanners["Service"], isUnreadable: (error: unknown) => boolean) {
    const run = async <Result>(kind: string, job: UnitsJob, options: JobOptions) => {
      const attempt = (some: UnitsJob) => pool.run<Result>(kind, some, options);
      const isOurs = (error: unknown) => options.signal?.aborted !== true && isUnreadable(error);
      // Each time without at least one segment more: one of its own, or one that another job has found meanwhile.
      while (true) {
        const tried = this.#without(job);
        try {
          return await attempt(tried);
        } catch (error) {
          if (!isOurs(error)) throw error;
          const segments = [...segmentsOf(tried)];
          for (const segment of segments) {
            if (this.#segments.has(segment)) continue;
            const alone = keeping(job, (source) => segmentOf(source) === segment);
            await attempt(alone).catch((reason) => {
              if (!isOurs(reason)) throw reason;
              this.#leaveOutSegment(segment, reason);
            });
          }
          // Not for want of a segment.
          if (!segments.some((segment) => this.#segments.has(segment))) throw error;
        }
      }
    };
    return {
      get threadCount() {
        return pool.threadCount;
      },
      run,
      compute: pool.compute,
    } satisfies Scanners["Service"];
  }

  /** For the answer's `warnings`; none if nothing is missing. */
  warnings(): ReadonlyArray<string> {
    const parts: string[] = [];
    if (this.#segments.size > 0) parts.push(counted(this.#segments.size, "segment"));
    const isNewMissing = this.#partitions.has("new");
    const count = this.#partitions.size - (isNewMissing ? 1 : 0);
    if (count > 0) parts.push(`the unflushed lines of ${counted(count, "partition")}`);
    if (isNewMissing) parts.push("those of partitions that may be new");
    if (parts.length === 0) return [];
    return [
      `partial result: lines may be missing, ${
        parts.join(" and ")
      } could not be read: ${this.#reason}`,
    ];
  }

  #leaveOutSegment(segment: string, reason: unknown): void {
    this.#segments.add(segment);
    this.#reason ||= reason instanceof Error ? reason.message : String(reason);
  }

  /** The job with all of its units, of which some have nothing to read any more. */
  #without(job: UnitsJob): UnitsJob {
    if (this.#segments.size === 0) return job;
    return keeping(job, (source) => {
      const segment = segmentOf(source);
      return segment === undefined || !this.#segments.has(segment);
    });
  }
}

function keeping(job: UnitsJob, isKept: (source: ScanSource) => boolean): UnitsJob {
  const units = job.units.map((unit): ScanUnit => ({
    ...unit,
    sources: unit.sources.filter(isKept),
  }));
  return { ...job, units };
}

function segmentsOf({ units }: UnitsJob): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { sources } of units) {
    for (const source of sources) {
      const segment = segmentOf(source);
      if (segment !== undefined) found.add(segment);
    }
  }
  return found;
}

function segmentOf(source: ScanSource): string | undefined {
  return "chunk" in source ? source.chunk.key : undefined;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
