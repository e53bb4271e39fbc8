/** Ranges of stored segments as files on the local disk, for scan threads, which read files and nothing else. Owns fetching, the
 *  files and their eviction; the object store owns the segments. A range is fetched once however many scans want it.
 *  Invariants: a file is removed only while no scan holds it, and its name is never used again, so that a thread which has it
 *  open reads what it should or nothing; what a scan holds is there. */
import { Effect } from "effect";
import { type DiskFile, joinPath, nodeDisk } from "../platform/files.ts";
import type { ObjectStore } from "./ObjectStore.ts";

export interface SegmentRange {
  readonly key: string;
  readonly offset: number;
  readonly length: number;
}

/** Ranges that stay readable until they are released. */
export interface HeldRanges {
  /** The file, below the cache's directory, that has a segment's ranges at their offsets. */
  readonly fileOf: (key: string) => string;
  /** Forgets those of these files that somebody has removed, so that whoever wants them next has them fetched again; whether
   *  there were any. */
  readonly forgetRemoved: () => Promise<boolean>;
  readonly release: () => void;
}

interface CachedSegment {
  readonly name: string;
  readonly file: Promise<DiskFile>;
  /** By offset. */
  readonly ranges: Map<number, Fetch>;
  bytes: number;
  holders: number;
  /** The last write; writes of one file must not overlap. */
  writing: Promise<unknown>;
}

/** Ranges of a segment that are fetched together. */
interface Fetch {
  /** Done when they are in the file. */
  readonly done: Promise<void>;
  /** Scans that wait for it; without one it is given up. */
  waiters: number;
  readonly giveUp: () => void;
}

/** Ranges closer than this are fetched together: the store's own unit is larger. */
const gapBytes = 128 * 1024;
/** The most that is fetched at once. */
const fetchBytesMax = 16 * 1024 * 1024;

export class SegmentCache {
  readonly #objectStore: ObjectStore["Service"];
  readonly #directory: string;
  readonly #bytesMax: number;
  /** By key, least recently used first. */
  readonly #segments = new Map<string, CachedSegment>();
  #bytes = 0;
  #fileCount = 0;

  private constructor(
    objectStore: ObjectStore["Service"],
    directory: string,
    bytesMax: number,
  ) {
    this.#objectStore = objectStore;
    this.#directory = directory;
    this.#bytesMax = bytesMax;
  }

  /** A cache of about `bytesMax` bytes in `directory`, which is emptied: what an earlier process left may be incomplete. */
  static async open(
    objectStore: ObjectStore["Service"],
    directory: string,
    bytesMax: number,
  ): Promise<SegmentCache> {
    await nodeDisk.makeDirectory(directory);
    for (const name of await nodeDisk.list(directory)) {
      await nodeDisk.remove(joinPath(directory, name));
    }
    return new SegmentCache(objectStore, directory, bytesMax);
  }

  /** Bytes of all cached ranges. What is held counts, so it can be more than the limit for a while. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Fetches what is missing. Rejects with the object store's error or the signal's reason; then nothing is held, and what
   *  nobody else waits for is not fetched any more. */
  async hold(ranges: ReadonlyArray<SegmentRange>, signal?: AbortSignal): Promise<HeldRanges> {
    signal?.throwIfAborted();
    const held = new Map<string, CachedSegment>();
    const release = () => {
      for (const [key, segment] of held) {
        if (--segment.holders === 0 && this.#segments.get(key) !== segment) {
          void this.#remove(segment);
        }
      }
      held.clear();
      this.#evict();
    };
    const waiting = new Set<Fetch>();
    for (const [key, ofKey] of Map.groupBy(ranges, (range) => range.key)) {
      const segment = this.#segment(key);
      segment.holders++;
      held.set(key, segment);
      this.#fetchMissing(key, segment, ofKey);
      for (const { offset } of ofKey) waiting.add(segment.ranges.get(offset)!);
    }
    const names = new Map([...held].map(([key, { name }]) => [key, name]));
    const failed = await waitFor(waiting, signal);
    if (failed !== undefined) {
      release();
      throw failed.reason;
    }
    return {
      fileOf: (key) => names.get(key)!,
      forgetRemoved: () => this.#forgetRemoved(held),
      release,
    };
  }

  /** Closes all files. Nothing may be held. */
  async close(): Promise<void> {
    for (const { file, writing } of this.#segments.values()) {
      await writing.catch(() => {});
      await file.then((open) => open.close(), () => {});
    }
    this.#segments.clear();
  }

  async #forgetRemoved(held: ReadonlyMap<string, CachedSegment>): Promise<boolean> {
    const there = new Set(await nodeDisk.list(this.#directory));
    const removed = [...held].filter(([, { name }]) => !there.has(name));
    for (const [key, segment] of removed) this.#forget(key, segment);
    return removed.length > 0;
  }

  #segment(key: string): CachedSegment {
    let segment = this.#segments.get(key);
    if (segment === undefined) {
      const name = String(++this.#fileCount).padStart(8, "0");
      const file = nodeDisk.create(joinPath(this.#directory, name));
      const made: CachedSegment = segment = {
        name,
        file,
        ranges: new Map(),
        bytes: 0,
        holders: 0,
        writing: file,
      };
      // Who waits for it is told by what is to be written; whoever wants it next has a new one made.
      file.catch(() => this.#forget(key, made));
    } else this.#segments.delete(key);
    this.#segments.set(key, segment);
    return segment;
  }

  #fetchMissing(key: string, segment: CachedSegment, wanted: ReadonlyArray<SegmentRange>): void {
    const missing = [...new Map(wanted.map((range) => [range.offset, range])).values()]
      .filter(({ offset }) => !segment.ranges.has(offset))
      .sort((a, b) => a.offset - b.offset);
    for (let at = 0; at < missing.length;) {
      const { offset: start } = missing[at]!;
      let end = start + missing[at]!.length;
      const from = at++;
      for (; at < missing.length; at++) {
        const next = missing[at]!;
        const nextEnd = Math.max(end, next.offset + next.length);
        if (next.offset - end > gapBytes || nextEnd - start > fetchBytesMax) break;
        end = nextEnd;
      }
      this.#fetch(key, segment, missing.slice(from, at), { start, end });
    }
  }

  #fetch(
    key: string,
    segment: CachedSegment,
    ranges: ReadonlyArray<SegmentRange>,
    { start, end }: { readonly start: number; readonly end: number },
  ): void {
    const stop = new AbortController();
    /** Whoever wants them next tries again. */
    const forget = () => {
      for (const { offset, length } of ranges) {
        if (segment.ranges.get(offset) !== fetch) continue;
        segment.ranges.delete(offset);
        segment.bytes -= length;
        if (this.#segments.get(key) === segment) this.#bytes -= length;
      }
    };
    const fetch: Fetch = {
      done: this.#read(key, segment, start, end - start, stop.signal),
      waiters: 0,
      giveUp: () => {
        forget();
        stop.abort();
      },
    };
    for (const { offset, length } of ranges) {
      segment.ranges.set(offset, fetch);
      segment.bytes += length;
      this.#bytes += length;
    }
    fetch.done.catch(forget);
  }

  async #read(
    key: string,
    segment: CachedSegment,
    offset: number,
    length: number,
    signal: AbortSignal,
  ): Promise<void> {
    const range = this.#objectStore.getRange(key, offset, length);
    const bytes = await Effect.runPromise(range, { signal });
    const file = await segment.file;
    const write = segment.writing.then(() => file.write([bytes], offset));
    segment.writing = write.catch(() => {});
    await write;
  }

  #evict(): void {
    for (const [key, segment] of this.#segments) {
      if (this.#bytes <= this.#bytesMax) return;
      if (segment.holders > 0) continue;
      this.#forget(key, segment);
      void this.#remove(segment);
    }
  }

  #forget(key: string, segment: CachedSegment): void {
    if (this.#segments.get(key) !== segment) return;
    this.#segments.delete(key);
    this.#bytes -= segment.bytes;
  }

  async #remove({ name, file, writing }: CachedSegment): Promise<void> {
    await writing.catch(() => {});
    await file.then((open) => open.close()).catch(() => {});
    // A file that stays is removed at the next start.
    await nodeDisk.remove(joinPath(this.#directory, name)).catch(() => {});
  }
}

/** Waits for all of them; the first that failed, or that the signal was aborted. Those that nobody waits for then are given
 *  up. */
async function waitFor(
  fetches: ReadonlySet<Fetch>,
  signal: AbortSignal | undefined,
): Promise<{ readonly reason: unknown } | undefined> {
  for (const fetch of fetches) fetch.waiters++;
  const all = Promise.allSettled([...fetches].map(({ done }) => done));
  let onAbort = () => {};
  const aborted = new Promise<"aborted">((resolve) => onAbort = () => resolve("aborted"));
  signal?.addEventListener("abort", onAbort, { once: true });
  const results = await Promise.race([all, aborted]);
  signal?.removeEventListener("abort", onAbort);
  const isAborted = results === "aborted";
  for (const fetch of fetches) if (--fetch.waiters === 0 && isAborted) fetch.giveUp();
  return isAborted
    ? { reason: signal?.reason }
    : results.find((result) => result.status === "rejected");
}
