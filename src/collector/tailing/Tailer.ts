/** All files that are tailed: which there are, when each is looked at, and what becomes of one that is
 *  renamed, truncated, copied or deleted. TailedFile.ts owns reading one, identify.ts telling which is which,
 *  FileTargets.ts finding paths.
 *
 *  A file is *attached* while its path leads to it. When the path leads elsewhere (rotation by renaming,
 *  deletion) it is read on through its descriptor until it has been quiet for a while, then *finished*: its
 *  position stays known, so that neither it nor a copy of it is read again. When the bytes before the place
 *  read up to are gone (copytruncate), what was not read is looked for in a copy beside it, and the path
 *  begins as a new file.
 *  Invariant: within a job no two files being read have the same content. */
import { errorCode, errorText, parentPath } from "../../platform/files.ts";
import { type LogFileStatus, logFileStatus, OpenLogFile } from "../../platform/logFiles.ts";
import type { FilePosition } from "../positions/position.ts";
import { type FilePositions } from "./FilePositions.ts";
import {
  findByInode,
  findCopy,
  type FoundFile,
  headOf,
  holds,
  isPrefix,
  mayBecome,
  pathHolds,
} from "./identify.ts";
import type { LineSink, Stream } from "./lineSink.ts";
import { ReadBuffer } from "./ReadBuffer.ts";
import type { LineLimits } from "./lineLimits.ts";
import { Schedule } from "./schedule.ts";
import { TailedFile } from "./TailedFile.ts";

export interface TailerOptions {
  readonly sink: LineSink;
  readonly limits: LineLimits;
  /** How often a file that grows is looked at. */
  readonly pollMs: number;
  /** Descriptors to keep open; beyond it those of files that have been idle longest are closed. */
  readonly openFilesMax: number;
  /** Files to tail at once; further ones wait until others end. */
  readonly filesMax: number;
  readonly positions: FilePositions;
  readonly nowMs: () => number;
  /** Says something that an operator should know. */
  readonly warn: (message: string) => void;
}

/** A path leads to a file, and that file is to be read. */
export interface FileTarget {
  readonly job: string;
  readonly path: string;
  /** What it was called before it was rotated; `path` if it was not. */
  readonly log?: string;
  readonly stream: Stream;
  /** Where Promtail had read up to. */
  readonly migratedOffset?: number | undefined;
}

/** A file whose name is gone may still be written to for a while, until its writer opens the new one. */
const detachedQuietMs = 30_000;
/** A deleted file is nobody's business but its writer's. */
const deletedQuietMs = 5_000;
/** How often it is checked that the path of a file that is read still leads to it. */
const pathCheckMs = 1_000;

export class Tailer {
  readonly #options: TailerOptions;
  readonly #buffer: ReadBuffer;
  readonly #schedule: Schedule<TailedFile>;
  readonly #files = new Set<TailedFile>();
  readonly #byPath = new Map<string, TailedFile>();
  readonly #byInode = new Map<string, TailedFile>();
  readonly #byDirectory = new Map<string, Set<TailedFile>>();
  readonly #pathCheckedMs = new WeakMap<TailedFile, number>();
  /** Files whose path is to be checked at their next look. */
  readonly #woken = new WeakSet<TailedFile>();
  #openCount = 0;
  #openFilesMax: number;
  #idCount = 0;
  #isFullSaid = false;

  constructor(options: TailerOptions) {
    this.#options = options;
    this.#buffer = new ReadBuffer(options.limits);
    this.#schedule = new Schedule(options.pollMs);
    this.#openFilesMax = options.openFilesMax;
  }

  get files(): ReadonlySet<TailedFile> {
    return this.#files;
  }

  get openCount(): number {
    return this.#openCount;
  }

  /** Makes a path known. Cheap if it is known already. */
  offer(target: FileTarget): void {
    if (!this.has(target.job, target.path)) this.#offer(target, false);
  }

  /** Reads a file that was rotated away before it was known, to its end. False if it has to be offered again. */
  offerRotated(target: FileTarget): boolean {
    return this.#offer(target, true);
  }

  #offer(target: FileTarget, isRotated: boolean): boolean {
    const status = logFileStatus(target.path);
    if (status?.isFile !== true) return true;
    const known = this.#byInode.get(inodeKey(target.job, status));
    if (known !== undefined && this.#isStill(known, target.path, status)) {
      if (!isRotated) this.#reattach(known, target.path);
      return true;
    }
    if (this.#files.size >= this.#options.filesMax) {
      this.#sayFull();
      return false;
    }
    const log = this.#openLog(target.path);
    if (log === undefined) return false;
    const position = this.#identify(log, status, target, isRotated);
    if (position === "later" || position === "read") {
      log.close();
      return position === "read";
    }
    const file = new TailedFile({ position, stream: target.stream, nowMs: this.#now(), log });
    this.#add(file);
    if (isRotated) this.#detach(file);
    this.#pathCheckedMs.set(file, this.#now());
    // From now on a restart knows of it.
    this.#options.sink.moved(file);
    return true;
  }

  /** Whether a known file is what its inode leads to now. Only an open file keeps its inode from being used again. */
  #isStill(known: TailedFile, path: string, status: LogFileStatus): boolean {
    if (known.isOpen || pathHolds(path, status, known.positionBefore(undefined))) return true;
    this.#replaced(known);
    return false;
  }

  /** The path is no target any more: its file is read to the end and given up. */
  withdraw(job: string, path: string): void {
    const file = this.#byPath.get(pathKey(job, path));
    if (file !== undefined) this.#detach(file);
  }

  /** The file that the path leads to, if it is read, and when it was last known to. */
  fileAt(
    job: string,
    path: string,
  ): { readonly id: string; readonly verifiedMs: number } | undefined {
    const file = this.#byPath.get(pathKey(job, path));
    if (file === undefined) return undefined;
    return { id: file.id, verifiedMs: this.#pathCheckedMs.get(file) ?? 0 };
  }

  /** Whether the path has a file that is read. */
  has(job: string, path: string): boolean {
    return this.#byPath.has(pathKey(job, path));
  }

  /** Reads on a file of the last run whose path leads elsewhere by now, if it can be found. True if it was. */
  adopt(position: FilePosition, stream: Stream): boolean {
    const found = findByInode(position) ?? findCopy(position);
    if (found === undefined) return false;
    this.#readRest(position, found, stream);
    return true;
  }

  /** Whether a file beside `path`, whose content rotation may have given to it, is being read and is as `holds`
   *  wants it. */
  isReading(job: string, path: string, holds: (position: FilePosition) => boolean): boolean {
    return [...this.#byDirectory.get(parentPath(path)) ?? []].some((file) =>
      file.job === job && mayBecome(file, path) &&
      holds(file.positionBefore(undefined))
    );
  }

  /** Looks at the file of that name at the next pass. */
  wake(path: string): void {
    for (const file of this.#byDirectory.get(parentPath(path)) ?? []) {
      if (file.path !== path) continue;
      this.#woken.add(file);
      this.#schedule.wake(file);
    }
  }

  /** Looks at each file that is due. `room` is awaited before each read: that is how delivery slows reading
   *  down. Returns when everything due has been read to its end, or `signal` ends it. */
  async pass(room: () => Promise<void>, signal: AbortSignal): Promise<void> {
    let turnedMs = performance.now();
    let again: TailedFile[] = [...this.#schedule.due(this.#now())];
    while (again.length > 0) {
      const more: TailedFile[] = [];
      for (const file of again) {
        await room();
        if (signal.aborted) return;
        // Others on this thread get their turn, however much there is to read.
        if (performance.now() - turnedMs > sliceMs) {
          await nextTurn();
          turnedMs = performance.now();
        }
        if (this.#visit(file)) more.push(file);
      }
      again = more;
    }
  }

  /** Closes all files; their positions are the sink's to keep. */
  close(): void {
    for (const file of this.#files) file.close();
    this.#openCount = 0;
  }

  /** Reads what one file has and plans its next look. True if there is more to read at once. */
  #visit(file: TailedFile): boolean {
    if (!this.#files.has(file)) return false;
    const nowMs = this.#now();
    try {
      const access = this.#access(file);
      if (access === "gone") {
        this.#replaced(file);
        return false;
      }
      if (access === "later") {
        this.#schedule.plan(file, nowMs, 0);
        return false;
      }
      // A limit stage of its job wants no lines before then.
      if (file.stream.pipeline.pausedUntilMs > nowMs) {
        this.#schedule.plan(file, nowMs, 0);
        return false;
      }
      const outcome = file.read(this.#buffer, this.#options.sink);
      if (outcome === "more") {
        file.activeMs = nowMs;
        return true;
      }
      if (outcome === "replaced") {
        this.#replaced(file);
        return false;
      }
      if (outcome === "lines") file.activeMs = nowMs;
      this.#checkPath(file, nowMs);
    } catch (error) {
      this.#options.warn(`Cannot read "${file.path}": ${errorText(error)}`);
    }
    if (this.#files.has(file)) this.#schedule.plan(file, nowMs, nowMs - file.activeMs);
    return false;
  }

  /** Notices that the path leads elsewhere, and when a file without a path has been quiet for long enough. */
  #checkPath(file: TailedFile, nowMs: number): void {
    if (file.detachedMs !== undefined) {
      const quietMs = nowMs - Math.max(file.activeMs, file.detachedMs);
      if (quietMs < deletedQuietMs) return;
      if (quietMs >= detachedQuietMs || file.links === 0) this.#finish(file);
      return;
    }
    const checkedMs = this.#pathCheckedMs.get(file) ?? file.activeMs;
    if (nowMs - checkedMs < pathCheckMs && !this.#woken.delete(file)) return;
    this.#pathCheckedMs.set(file, nowMs);
    const status = logFileStatus(file.path);
    if (status?.inode === file.inode && status.device === file.device) return;
    const { job, path, stream } = file;
    this.#detach(file);
    if (status !== undefined) this.offer({ job, path, stream });
  }

  /** Where a file that was not known begins; or that it has been read, or is to be offered again. */
  #identify(
    log: OpenLogFile,
    status: LogFileStatus,
    target: FileTarget,
    isRotated: boolean,
  ): FilePosition | "later" | "read" {
    const { job, path } = target;
    const { positions } = this.#options;
    const place = { job, path, device: status.device, inode: status.inode };
    for (const position of positions.candidates(job, path, status.inode)) {
      if (!holds(log, status.bytes, position)) continue;
      if (isRotated && position.offset === status.bytes) return "read";
      positions.take(position.id);
      const { finishedMs: _, ...unfinished } = position;
      return { ...unfinished, ...place };
    }
    if (this.#isCopyOfOpen(log, status, target)) return "later";
    const offset = target.migratedOffset ?? 0;
    return {
      ...place,
      log: target.log ?? path,
      id: `${status.inode}-${this.#now().toString(36)}-${this.#idCount++}`,
      ...headOf(log),
      offset: offset <= status.bytes ? offset : 0,
      checkOffset: offset <= status.bytes ? offset : 0,
      checkHash: -1,
      readMs: this.#now(),
    };
  }

  /** Whether the file is a copy, perhaps unfinished, of one beside it that is being read: logrotate's
   *  copytruncate is at work. It is offered again at the next look for files. */
  #isCopyOfOpen(log: OpenLogFile, status: LogFileStatus, { job, path }: FileTarget): boolean {
    return this.#besides(job, path).some((file) => {
      const position = file.positionBefore(undefined);
      const { headBytes, headHash } = position;
      if (status.bytes === 0) return false;
      // What has not been read yet is read first, or found to be gone.
      if (headBytes === 0) return (logFileStatus(file.path)?.bytes ?? 0) > 0;
      // A copy that has only begun has fewer bytes than the head.
      if (status.bytes < headBytes) return isPrefix(log, status.bytes, file.path);
      return headOf(log, headBytes).headHash === headHash;
    });
  }

  #besides(job: string, path: string): ReadonlyArray<TailedFile> {
    return [...this.#byDirectory.get(parentPath(path)) ?? []].filter((file) =>
      file.job === job && mayBecome(file, path)
    );
  }

  /** The content before the place read up to is gone, or, for a file that was closed to save descriptors, the file
   *  is not at its path any more. What is left of it is looked for now, and, since it may be compressed, at each
   *  look for files. */
  #replaced(file: TailedFile): void {
    const { job, path, stream } = file;
    const wasAttached = file.detachedMs === undefined;
    const position = file.positionBefore(undefined);
    this.#remove(file);
    stream.pipeline.flushOrigin(file);
    this.#options.positions.put(position);
    this.adopt(position, stream);
    if (wasAttached) this.offer({ job, path, stream });
  }

  /** Reads the rest of `position`'s content from a file that holds it. */
  #readRest(position: FilePosition, found: FoundFile, stream: Stream): void {
    if (this.#byInode.has(inodeKey(position.job, found.status))) return;
    this.#options.positions.take(position.id);
    const { finishedMs: _, ...unfinished } = position;
    const { device, inode } = found.status;
    const rest = new TailedFile({
      position: { ...unfinished, path: found.path, device, inode },
      stream,
      nowMs: this.#now(),
    });
    this.#add(rest);
    this.#detach(rest);
  }

  #finish(file: TailedFile): void {
    file.finish(this.#buffer, this.#options.sink, this.#now());
    file.stream.pipeline.flushOrigin(file);
    const position = file.positionBefore(undefined);
    this.#remove(file);
    this.#options.positions.put(position);
  }

  #add(file: TailedFile): void {
    if (file.isOpen) this.#openCount++;
    this.#files.add(file);
    this.#setPath(file, file.path);
    this.#byInode.set(inodeKey(file.job, file), file);
    this.#schedule.plan(file, this.#now(), 0);
    this.#schedule.wake(file);
    this.#limitOpen();
  }

  #remove(file: TailedFile): void {
    if (file.isOpen) this.#openCount--;
    file.close();
    this.#schedule.remove(file);
    this.#files.delete(file);
    this.#unsetPath(file);
    deleteIf(this.#byInode, inodeKey(file.job, file), file);
  }

  #detach(file: TailedFile): void {
    file.detachedMs = this.#now();
    deleteIf(this.#byPath, pathKey(file.job, file.path), file);
    this.#schedule.plan(file, this.#now(), 0);
  }

  /** A known file has a further, or a new, name. */
  #reattach(file: TailedFile, path: string): void {
    const old = logFileStatus(file.path);
    // Two links to one file: it is read once, under the name found first.
    if (file.detachedMs === undefined && old?.inode === file.inode) return;
    this.#unsetPath(file);
    file.detachedMs = undefined;
    this.#setPath(file, path);
    this.#schedule.plan(file, this.#now(), 0);
  }

  #setPath(file: TailedFile, path: string): void {
    file.path = path;
    this.#byPath.set(pathKey(file.job, path), file);
    const directory = parentPath(path);
    const besides = this.#byDirectory.get(directory);
    if (besides === undefined) this.#byDirectory.set(directory, new Set([file]));
    else besides.add(file);
  }

  #unsetPath(file: TailedFile): void {
    deleteIf(this.#byPath, pathKey(file.job, file.path), file);
    const directory = parentPath(file.path);
    const besides = this.#byDirectory.get(directory);
    besides?.delete(file);
    if (besides?.size === 0) this.#byDirectory.delete(directory);
  }

  #access(file: TailedFile): "open" | "gone" | "later" {
    if (file.isOpen) return "open";
    try {
      if (!file.open()) return "gone";
    } catch (error) {
      if (this.#isOutOfDescriptors(error)) return "later";
      throw error;
    }
    this.#openCount++;
    this.#limitOpen(file);
    return "open";
  }

  #openLog(path: string): OpenLogFile | undefined {
    try {
      return new OpenLogFile(path);
    } catch (error) {
      if (!this.#isOutOfDescriptors(error)) {
        this.#options.warn(`Cannot open "${path}": ${errorText(error)}`);
      }
      return undefined;
    }
  }

  /** The system gives no more descriptors: from now on fewer are kept. */
  #isOutOfDescriptors(error: unknown): boolean {
    if (!["EMFILE", "ENFILE"].includes(errorCode(error))) return false;
    this.#openFilesMax = Math.max(16, Math.floor(this.#openCount * 0.8));
    this.#options.warn(
      `The system allows no more open files: ${this.#openFilesMax} are kept open from now on, the ` +
        "others are opened when they are read; raise the limit (ulimit -n) to keep all open",
    );
    this.#limitOpen();
    return true;
  }

  /** Closes files beyond the limit, those that have been idle longest first; files without a path cannot be opened again. */
  #limitOpen(kept?: TailedFile): void {
    if (this.#openCount <= this.#openFilesMax) return;
    const idle = [...this.#files]
      .filter((file) =>
        file.isOpen && file.isLookedInto && file.detachedMs === undefined && file !== kept
      )
      .sort((a, b) => a.activeMs - b.activeMs)
      // A tenth more than needed, so that not every opening sorts again.
      .slice(0, this.#openCount - Math.floor(this.#openFilesMax * 0.9));
    for (const file of idle) {
      file.close();
      this.#openCount--;
    }
  }

  #sayFull(): void {
    if (this.#isFullSaid) return;
    this.#isFullSaid = true;
    this.#options.warn(
      `${this.#options.filesMax} files are tailed, which is the limit: others wait until some of ` +
        "them are gone; narrow __path__, or spread the files over several collectors",
    );
  }

  #now(): number {
    return this.#options.nowMs();
  }
}

const sliceMs = 10;

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

function pathKey(job: string, path: string): string {
  return `${job}\0${path}`;
}

function inodeKey(job: string, file: { readonly device: number; readonly inode: number }): string {
  return `${job}\0${file.device}:${file.inode}`;
}

function deleteIf<Key, Value>(map: Map<Key, Value>, key: Key, value: Value): void {
  if (map.get(key) === value) map.delete(key);
}
