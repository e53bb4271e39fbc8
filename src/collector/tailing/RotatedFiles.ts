/** What rotation made of the logs that are tailed, while nobody looked: files beside a log that no glob names,
 *  found by the names that rotation gives, and the rest of files of the last run, wherever it is by now. Owns which
 *  files belong to a log's history; Tailer.ts and CompressedFiles.ts read them.
 *
 *  A log's history begins when it was first seen (`sinceMs`, kept with its positions): rotated files that were
 *  written to since then belong to it, and each look judges those that have changed. Whatever of them has been read is
 *  told by its content, so that it does not matter what happened between two looks, or while no collector ran.
 *  Invariant: a file that was written since then and is still there is read once. */
import { realPath } from "../../platform/logFiles.ts";
import type { FilePosition } from "../positions/position.ts";
import type { CompressedFiles } from "./CompressedFiles.ts";
import { DirectoryLook } from "./DirectoryLook.ts";
import type { FilePositions } from "./FilePositions.ts";
import type { FileGroup } from "./FileTargets.ts";
import { compressionOf, logNameOf, mayBecome } from "./rotationNames.ts";
import type { Stream } from "./lineSink.ts";
import type { Tailer } from "./Tailer.ts";

/** For so long a file that was read before is looked for. */
const orphanKeptMs = 60_000;
/** A log whose path has led nowhere for so long is forgotten. */
const absentMs = 600_000;
/** Times of files are that coarse, and clocks of file servers differ. */
const clockSlackMs = 2_000;
/** What was rotated so long before a log was first seen is still taken for its, unless the collector has just been
 *  set up. */
const unseenSlackMs = 120_000;
/** No older file belongs to a log's history. */
const historyMs = 7 * 24 * 3600_000;

/** A log that is or was tailed. */
interface KnownLog {
  readonly job: string;
  readonly path: string;
  readonly group: FileGroup;
  readonly stream: Stream;
  /** Where it really is, or was. */
  real: string;
  readonly sinceMs: number;
  seenMs: number;
}

/** Who reads the files, and what is known of them. */
export interface FileReaders {
  readonly tailer: Tailer;
  readonly compressed: CompressedFiles;
  readonly positions: FilePositions;
  readonly nowMs: () => number;
}

export class RotatedFiles {
  readonly #readers: FileReaders;
  /** By job and path. */
  readonly #logs = new Map<string, KnownLog>();
  /** When the histories of the last run's logs began. */
  readonly #sinceMs = new Map<string, number>();
  /** When the last run last read something; undefined if there was none. */
  readonly #lastRunMs: number | undefined;
  /** Files that need not be looked at again while they are as they were: their versions, by job and path. */
  #judged = new Map<string, string>();
  /** Since when the file of a position has not been found, by the position's id. */
  readonly #orphanedMs = new Map<string, number>();
  #isFirstLook = true;

  /** `startedMs`: when a collector with these positions was first started, if that is known. */
  constructor(readers: FileReaders, startedMs: number | undefined) {
    this.#readers = readers;
    let lastMs = startedMs;
    for (const { job, log, sinceMs, readMs } of readers.positions) {
      const key = keyOf(job, log);
      this.#sinceMs.set(key, Math.min(this.#sinceMs.get(key) ?? Infinity, sinceMs ?? readMs));
      lastMs = Math.max(lastMs ?? 0, readMs);
    }
    this.#lastRunMs = lastMs === undefined
      ? undefined
      : Math.max(startedMs ?? 0, lastMs - unseenSlackMs);
  }

  /** Notes that the path of a log was found; true if the log is known. */
  see(group: FileGroup, path: string): boolean {
    const known = this.#logs.get(keyOf(group.job, path));
    if (known?.group !== group) return false;
    known.seenMs = this.#readers.nowMs();
    return true;
  }

  /** Makes a log known whose path was found; returns since when it is. */
  know(group: FileGroup, path: string, stream: Stream): number {
    const key = keyOf(group.job, path);
    const nowMs = this.#readers.nowMs();
    const known = this.#logs.get(key);
    if (known?.group === group) return known.sinceMs;
    const log = {
      job: group.job,
      path,
      group,
      stream,
      real: realPath(path) ?? path,
      sinceMs: known?.sinceMs ?? this.#sinceMs.get(key) ?? this.#sinceOfNew(nowMs),
      seenMs: nowMs,
    };
    this.#logs.set(key, log);
    return log.sinceMs;
  }

  /** Makes logs known that came and were rotated away before anybody saw them. `match` gives the target's part of those
   *  that its glob would have found. */
  discover(
    group: FileGroup,
    directory: string,
    look: DirectoryLook,
    match: (path: string) => Stream | undefined,
  ): void {
    for (const path of look.logsIn(directory).keys()) {
      if (this.#logs.has(keyOf(group.job, path))) continue;
      const stream = match(path);
      if (stream !== undefined) this.know(group, path, stream);
    }
  }

  #sinceOfNew(nowMs: number): number {
    if (!this.#isFirstLook) return nowMs - unseenSlackMs;
    return this.#lastRunMs ?? nowMs;
  }

  /** Makes the logs of the last run known that `streamOf` has a target for, though their paths lead nowhere now. */
  recall(targetOf: (job: string, path: string) => [FileGroup, Stream] | undefined): void {
    for (const { job, log } of [...this.#readers.positions]) {
      if (this.#logs.has(keyOf(job, log))) continue;
      const target = targetOf(job, log);
      if (target !== undefined) this.know(target[0], log, target[1]);
    }
  }

  /** Looks beside all logs. `isTarget` tells paths that are found by a glob of their own. */
  look(look: DirectoryLook, isTarget: (job: string, path: string) => boolean): void {
    this.#isFirstLook = false;
    const judged = new Map<string, string>();
    for (const [key, log] of this.#logs) {
      const attached = this.#readers.tailer.realPathOf(log.job, log.path);
      if (attached !== undefined) log.real = attached;
      // Of files that were rotated themselves there are many, and they do not move.
      else if (logNameOf(log.path) === log.path) log.real = realPath(log.path) ?? log.real;
      this.#lookBeside(log, look, isTarget, judged);
      if (this.#readers.nowMs() - log.seenMs > absentMs) this.#logs.delete(key);
    }
    this.#judged = judged;
    this.#adoptOrphans(look);
  }

  #lookBeside(
    { job, path: log, real, sinceMs, stream, group }: KnownLog,
    look: DirectoryLook,
    isTarget: (job: string, path: string) => boolean,
    judged: Map<string, string>,
  ): void {
    // What was rotated itself has no rotations of its own.
    if (logNameOf(real) !== real) return;
    const { tailer, compressed, positions, nowMs } = this.#readers;
    const rotations = look.rotationsOf(real);
    positions.limit(job, real, rotations.length);
    const fromMs = Math.max(sinceMs - clockSlackMs, nowMs() - historyMs);
    for (const path of rotations) {
      if (path === real || isTarget(job, path)) continue;
      const status = look.status(path);
      if (status?.isFile !== true || status.modifiedMs < fromMs) continue;
      const key = keyOf(job, path);
      const version = `${status.inode} ${status.bytes} ${status.modifiedMs}`;
      if (this.#judged.get(key) === version) {
        judged.set(key, version);
        continue;
      }
      const target = { job, path, log, stream, sinceMs };
      const format = compressionOf(path);
      if (format !== undefined) {
        compressed.offer({ ...target, format, delayMs: group.compressedDelayMs });
      } else if (tailer.offerRotated(target)) judged.set(key, version);
    }
  }

  /** Files of positions that no glob finds any more: their rest is read wherever it is. One that has not been found
   *  for a while is given up. */
  #adoptOrphans(look: DirectoryLook): void {
    const { tailer, positions, nowMs } = this.#readers;
    for (const position of [...positions.unfinished]) {
      const log = this.#logs.get(keyOf(position.job, position.log));
      if (log === undefined) continue;
      const sinceMs = this.#orphanedMs.get(position.id) ?? nowMs();
      this.#orphanedMs.set(position.id, sinceMs);
      const isFound = tailer.adopt(position, log.stream, look) !== undefined ||
        this.#offerCompressed(position, log, look);
      if (isFound) this.#orphanedMs.delete(position.id);
      else if (nowMs() - sinceMs > orphanKeptMs) {
        this.#orphanedMs.delete(position.id);
        positions.finish(position, nowMs());
      }
    }
  }

  /** Has compressed files looked at that may hold the position's content. False if none is left to look at. */
  #offerCompressed(
    position: FilePosition,
    { stream, group }: KnownLog,
    look: DirectoryLook,
  ): boolean {
    const { job, path, log } = position;
    let isAnyLeft = false;
    for (const candidate of look.beside(path)) {
      const format = compressionOf(candidate);
      if (format === undefined || !mayBecome(position, candidate)) continue;
      const delayMs = group.compressedDelayMs;
      const target = { job, path: candidate, log, stream, format, delayMs, only: position };
      if (this.#readers.compressed.offer(target)) isAnyLeft = true;
    }
    return isAnyLeft;
  }
}

function keyOf(job: string, path: string): string {
  return `${job}\0${path}`;
}
