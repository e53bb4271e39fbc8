/** Which paths are to be tailed: expands the globs of all targets again and again, and tells the Tailer what
 *  it finds. Discovery adds and removes targets; Tailer.ts owns what becomes of a file once its path is
 *  known. */
import type { CompressionFormat } from "../../platform/decompressedFile.ts";
import { baseName } from "../../platform/files.ts";
import { joinLogPath, logFileStatus } from "../../platform/logFiles.ts";
import { LabelSet } from "../stages/labelSet.ts";
import type { StagePipeline } from "../stages/stage.ts";
import { DirectoryWatches } from "./DirectoryWatches.ts";
import type { CompressedFiles } from "./CompressedFiles.ts";
import type { FilePosition } from "../positions/position.ts";
import type { FilePositions } from "./FilePositions.ts";
import { Glob } from "./glob.ts";
import {
  compressedCandidates,
  compressionOf,
  type DirectoryListings,
  rotatedSince,
} from "./identify.ts";
import type { Stream } from "./lineSink.ts";
import type { FileTarget, Tailer } from "./Tailer.ts";

/** Files that one target names, and what their lines get. */
export interface FileGroup {
  /** The scrape config. */
  readonly job: string;
  readonly glob: Glob;
  readonly pathText: string;
  readonly exclude: Glob | undefined;
  readonly pipeline: StagePipeline;
  /** Without `filename`. */
  readonly labels: LabelSet;
  /** Set if all files of the group are compressed, whatever their names say. */
  readonly compression: CompressionFormat | undefined;
  /** A compressed file is read once it has not changed for so long. */
  readonly compressedDelayMs: number;
}

/** What was written so long before a rotation was noticed may be of a file that was never seen. */
const rotatedSlackMs = 120_000;
/** For so long a file that was read before is looked for. */
const orphanKeptMs = 60_000;

/** The files that a log's path has led to. */
interface KnownLog {
  readonly job: string;
  readonly path: string;
  /** The file that it led to at the last look. */
  id: string | undefined;
  /** When that was; Infinity for a log that has only been found. */
  seenMs: number;
}

/** A log whose path has led nowhere for so long is forgotten. */
const absentMs = 600_000;

export class FileTargets {
  readonly #tailer: Tailer;
  readonly #compressed: CompressedFiles;
  readonly #positions: FilePositions;
  /** Where Promtail had read up to, by path. */
  readonly #migrated: ReadonlyMap<string, number>;
  readonly #groups = new Map<string, ReadonlyArray<FileGroup>>();
  readonly #pathsOf = new WeakMap<FileGroup, Set<string>>();
  readonly #watches: DirectoryWatches | undefined;
  readonly #nowMs: () => number;
  /** All logs that have been found, by job and path. */
  readonly #logs = new Map<string, KnownLog>();
  /** Files that were rotated away unseen and could not be read yet, by path. */
  readonly #rotated = new Map<string, FileTarget>();
  /** Since when the file of a position has not been found, by the position's id. */
  readonly #orphanedMs = new Map<string, number>();
  #isScanWanted = true;

  constructor(options: {
    readonly tailer: Tailer;
    readonly compressed: CompressedFiles;
    readonly positions: FilePositions;
    readonly migrated: ReadonlyMap<string, number>;
    readonly nowMs: () => number;
    /** Whether directories are watched. */
    readonly watches: boolean;
  }) {
    this.#tailer = options.tailer;
    this.#compressed = options.compressed;
    this.#positions = options.positions;
    this.#migrated = options.migrated;
    this.#nowMs = options.nowMs;
    this.#watches = options.watches
      ? new DirectoryWatches((directory, name, isNameChange) =>
        this.#changed(directory, name, isNameChange)
      )
      : undefined;
  }

  get groups(): ReadonlyArray<FileGroup> {
    return [...this.#groups.values()].flat();
  }

  /** The paths of a group that were found at the last look. */
  pathsOf(group: FileGroup): ReadonlySet<string> {
    return this.#pathsOf.get(group) ?? new Set();
  }

  /** Whether something has happened that a look at all globs would find. */
  get isScanWanted(): boolean {
    return this.#isScanWanted;
  }

  /** Replaces the groups of one discoverer's target; none removes it. */
  set(target: string, groups: ReadonlyArray<FileGroup>): void {
    const old = this.#groups.get(target) ?? [];
    if (groups.length === 0) this.#groups.delete(target);
    else this.#groups.set(target, groups);
    this.#isScanWanted = true;
    for (const group of old) {
      for (const path of this.pathsOf(group)) {
        if (this.#groupFor(group.job, path) === undefined) this.#tailer.withdraw(group.job, path);
      }
    }
  }

  /** Looks for files of all groups. */
  scan(): void {
    this.#isScanWanted = false;
    const directories = new Set<string>();
    this.#learnFromPositions();
    const listings: DirectoryListings = new Map();
    for (const group of this.groups) {
      const found = group.glob.find((directory) => directories.add(directory || "."));
      const paths = new Set([...found].filter((path) => !group.exclude?.matches(path)));
      this.#pathsOf.set(group, paths);
      for (const path of paths) this.#find(group, path);
    }
    for (const [key, log] of this.#logs) this.#compare(key, log, listings);
    this.#adoptOrphans();
    this.#offerRotated();
    this.#compressed.forgetAbsent();
    this.#watches?.retain(directories);
  }

  /** To be called about once a second. */
  sweep(): void {
    this.#watches?.sweep();
  }

  close(): void {
    this.#watches?.close();
  }

  #offer(group: FileGroup, path: string): void {
    const { job, compressedDelayMs: delayMs } = group;
    const format = group.compression ?? compressionOf(path);
    if (format !== undefined) {
      this.#compressed.offer({
        job,
        path,
        log: path,
        stream: streamOf(group, path),
        format,
        delayMs,
      });
    } else if (!this.#tailer.has(job, path)) {
      const migratedOffset = this.#migrated.get(path);
      this.#tailer.offer({ job, path, stream: streamOf(group, path), migratedOffset });
    }
  }

  /** What came and went at a path unseen is looked for under the names that rotation gives. */
  #findRotated(job: string, path: string, sinceMs: number, listings: DirectoryListings): void {
    const group = this.#groupFor(job, path);
    if (group === undefined) return;
    const { compressedDelayMs: delayMs } = group;
    const stream = streamOf(group, path);
    for (const { path: rotated } of rotatedSince(path, sinceMs - rotatedSlackMs, listings)) {
      // What has a target of its own is found by its glob.
      if (this.#groupFor(job, rotated) !== undefined) continue;
      const format = compressionOf(rotated);
      const target = { job, path: rotated, log: path, stream };
      if (format === undefined) this.#rotated.set(rotated, target);
      else this.#compressed.offer({ ...target, format, delayMs });
    }
  }

  #offerRotated(): void {
    for (const [path, target] of this.#rotated) {
      if (this.#tailer.offerRotated(target)) this.#rotated.delete(path);
    }
  }

  #find(group: FileGroup, path: string): void {
    this.#offer(group, path);
    const key = `${group.job}\0${path}`;
    if (this.#logs.has(key) || compressionOf(path) !== undefined) return;
    this.#logs.set(key, { job: group.job, path, id: undefined, seenMs: Infinity });
  }

  /** The logs of the last run, as soon as they have a target. What came and went since the file before the last was
   *  read may not be known. */
  #learnFromPositions(): void {
    const readMs = new Map<string, { readonly position: FilePosition; readonly times: number[] }>();
    for (const position of this.#positions) {
      const key = `${position.job}\0${position.log}`;
      if (this.#logs.has(key)) continue;
      const known = readMs.get(key);
      if (known !== undefined) known.times.push(position.readMs);
      else if (this.#groupFor(position.job, position.log) !== undefined) {
        readMs.set(key, { position, times: [position.readMs] });
      }
    }
    for (const [key, { position: { job, log: path }, times }] of readMs) {
      times.sort((a, b) => b - a);
      this.#logs.set(key, { job, path, id: undefined, seenMs: times[1] ?? times[0]! });
    }
  }

  /** Where the path leads to another file than before, or nowhere, more may have come and gone there unseen. */
  #compare(key: string, log: KnownLog, listings: DirectoryListings): void {
    const { job, path, seenMs } = log;
    const file = this.#tailer.fileAt(job, path);
    if (file === undefined || file.id !== log.id) {
      if (seenMs !== Infinity) this.#findRotated(job, path, seenMs, listings);
    }
    log.id = file?.id;
    if (file !== undefined) log.seenMs = file.verifiedMs;
    else if (this.#nowMs() - seenMs > absentMs) this.#logs.delete(key);
  }

  /** Files that no glob finds any more, since they were rotated while nobody looked: their rest is read wherever it
   *  is. One that has not been found for a while is given up. */
  #adoptOrphans(): void {
    for (const position of [...this.#positions]) {
      if (position.finishedMs !== undefined) continue;
      const group = this.#groupFor(position.job, position.log);
      if (group === undefined) continue;
      const stream = streamOf(group, position.log);
      const orphanedMs = this.#orphanedMs.get(position.id);
      if (orphanedMs === undefined) this.#orphanedMs.set(position.id, this.#nowMs());
      if (this.#tailer.adopt(position, stream)) this.#orphanedMs.delete(position.id);
      else if (!this.#offerCompressed(position, group, stream)) {
        if (this.#nowMs() - (orphanedMs ?? this.#nowMs()) > orphanKeptMs) this.#giveUp(position);
      }
    }
  }

  /** Has compressed files looked at that may hold the position's content. False if there is none. */
  #offerCompressed(position: FilePosition, group: FileGroup, stream: Stream): boolean {
    const candidates = compressedCandidates(position);
    for (const { path } of candidates) {
      const { job, compressedDelayMs: delayMs } = group;
      const format = compressionOf(path)!;
      const { log } = position;
      this.#compressed.offer({ job, path, log, stream, format, delayMs, only: position });
    }
    return candidates.length > 0;
  }

  #giveUp(position: FilePosition): void {
    this.#orphanedMs.delete(position.id);
    this.#positions.finish(position, this.#nowMs());
  }

  #groupFor(job: string, path: string): FileGroup | undefined {
    return this.groups.find((group) =>
      group.job === job && group.glob.matches(path) && group.exclude?.matches(path) !== true
    );
  }

  #changed(directory: string, name: string, isNameChange: boolean): void {
    if (name === "") {
      this.#isScanWanted = true;
      return;
    }
    const path = joinLogPath(directory === "." ? "" : directory, baseName(name));
    this.#tailer.wake(path);
    if (!isNameChange) return;
    const groups = this.groups.filter((group) =>
      group.glob.matches(path) && group.exclude?.matches(path) !== true
    );
    for (const group of groups) {
      this.#pathsOf.get(group)?.add(path);
      this.#find(group, path);
    }
    if (groups.length === 0 && logFileStatus(path)?.isDirectory === true) this.#isScanWanted = true;
  }
}

function streamOf(group: FileGroup, path: string): Stream {
  return { pipeline: group.pipeline, labels: group.labels.with("filename", path) };
}
