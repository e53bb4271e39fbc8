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
import { errorCode, errorText } from "../../platform/files.ts";
import { logFileStatus, OpenLogFile, realPath } from "../../platform/logFiles.ts";
import type { FilePosition } from "../positions/position.ts";
import { type FilePositions } from "./FilePositions.ts";
import { DirectoryLook } from "./DirectoryLook.ts";
import { beginsAs } from "./fingerprint.ts";
import { findByInode, findCopy, headOf, identify, pathHolds } from "./identify.ts";
import { mayBecome, RelatedFiles } from "./rotationNames.ts";
import type { LineSink, Stream } from "./lineSink.ts";
import { FileWarnings } from "./FileWarnings.ts";
import { ReadBuffer } from "./ReadBuffer.ts";
import type { LineLimits } from "./lineLimits.ts";
import { inodeKey, namesOf, pathKey } from "./fileKeys.ts";
import { addTo, deleteFrom, deleteIf } from "./mapOfSets.ts";
import type { Schedule } from "./schedule.ts";
import { Successions } from "./Successions.ts";
import { TailedFile } from "./TailedFile.ts";

export interface TailerOptions {
  readonly sink: LineSink;
  readonly limits: LineLimits;
  /** When each file is looked at. */
  readonly schedule: Schedule<TailedFile>;
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
  /** Since when the log is known, see FilePosition. */
  readonly sinceMs?: number;
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
  readonly #related = new RelatedFiles<TailedFile>();
  readonly #successions = new Successions();
  /** By where a file is and by the target that leads to it, for notices of changes. */
  readonly #byName = new Map<string, Set<TailedFile>>();
  readonly #pathCheckedMs = new WeakMap<TailedFile, number>();
  /** Files whose path is to be checked at their next look. */
  readonly #woken = new WeakSet<TailedFile>();
  readonly #warnings: FileWarnings;
  #openCount = 0;
  #openFilesMax: number;
  #idCount = 0;
  #isFullSaid = false;

  constructor(options: TailerOptions) {
    this.#options = options;
    this.#buffer = new ReadBuffer(options.limits);
    this.#schedule = options.schedule;
    this.#warnings = new FileWarnings(options.warn);
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
    if (known !== undefined && this.#isStill(known, target.path)) {
      if (!isRotated) this.#reattach(known, target.path);
      return true;
    }
    if (this.#files.size >= this.#options.filesMax) {
      this.#sayFull();
      return false;
    }
    const log = this.#openLog(target.path);
    if (log === undefined) return false;
    const position = this.#identify(log, target);
    const isRead = position === "read" ||
      (isRotated && position !== "later" && position.finishedMs !== undefined &&
        position.offset === status.bytes);
    if (isRead || position === "later") {
      log.close();
      return isRead;
    }
    this.#options.positions.take(position.id);
    const { finishedMs: _, ...unfinished } = position;
    const file = new TailedFile({
      position: unfinished,
      stream: target.stream,
      nowMs: this.#now(),
      log,
    });
    this.#add(file, isRotated ? undefined : target.path);
    // From now on a restart knows of it.
    this.#options.sink.moved(file);
    return true;
  }

  /** Whether a known file's inode still has what was read: after copytruncate it has other content, and the inode of
   *  a file that is not open may be another file's. */
  #isStill(known: TailedFile, path: string): boolean {
    const position = known.positionBefore();
    if (position.headBytes === 0 ? known.isOpen : pathHolds(path, position)) return true;
    this.#replaced(known);
    return false;
  }

  /** The path is no target any more: its file is read to the end and given up. */
  withdraw(job: string, path: string): void {
    const file = this.#byPath.get(pathKey(job, path));
    if (file !== undefined) this.#detach(file);
  }

  /** Where the file really is that the path leads to, if it is read. */
  realPathOf(job: string, path: string): string | undefined {
    return this.#byPath.get(pathKey(job, path))?.path;
  }

  /** Checks where all paths lead: a copy is told from its original, which must be known. */
  checkPaths(): void {
    for (const file of [...this.#byPath.values()]) this.#checkPath(file);
  }

  /** Whether the path has a file that is read. */
  has(job: string, path: string): boolean {
    return this.#byPath.has(pathKey(job, path));
  }

  /** Reads on a file of the last run whose path leads elsewhere by now, if it can be found: that is returned. */
  adopt(
    position: FilePosition,
    stream: Stream,
    look = new DirectoryLook(),
  ): TailedFile | undefined {
    const path = findByInode(position, look) ?? findCopy(position, look);
    return path === undefined ? undefined : this.#readRest(position, path, stream);
  }

  /** Whether a file whose content rotation may have given to `path`, and which begins with `head`, is being read. */
  isReading(job: string, path: string, head: Uint8Array): boolean {
    return [...this.#related.of(path)].some((file) => {
      if (file.job !== job || !mayBecome(file, path)) return false;
      const position = file.positionBefore();
      if (position.headBytes > 0) return beginsAs(position, head);
      return file.withContent((content) => beginsAs(headOf(content, head.byteLength), head)) ??
        false;
    });
  }

  /** Looks at the file of that name at the next pass. */
  wake(path: string): void {
    for (const file of this.#byName.get(path) ?? []) {
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
      if (!this.#successions.mayRead(file, nowMs)) {
        // A file without a path must not be ended before it has been read.
        if (file.target !== undefined) this.#checkDue(file, nowMs);
        if (this.#files.has(file)) this.#schedule.plan(file, nowMs, 0);
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
      file.caughtUpMs = nowMs;
      if (outcome === "lines") file.activeMs = nowMs;
      this.#checkDue(file, nowMs);
    } catch (error) {
      this.#warnings.say(
        file.path,
        `Cannot read "${file.path}": ${errorText(error)}; it is tried again`,
      );
    }
    if (this.#files.has(file)) this.#schedule.plan(file, nowMs, nowMs - file.activeMs);
    return false;
  }

  /** Notices that the path leads elsewhere, and when a file without a path has been quiet for long enough. */
  #checkDue(file: TailedFile, nowMs: number): void {
    if (file.detachedMs !== undefined) {
      const quietMs = nowMs - Math.max(file.activeMs, file.detachedMs);
      if (quietMs < deletedQuietMs) return;
      if (quietMs >= detachedQuietMs || file.links === 0) this.#finish(file);
      return;
    }
    const checkedMs = this.#pathCheckedMs.get(file) ?? file.activeMs;
    if (nowMs - checkedMs < pathCheckMs && !this.#woken.delete(file)) return;
    this.#checkPath(file);
  }

  /** Where the path leads elsewhere, the file there is read as well. */
  #checkPath(file: TailedFile): void {
    const { job, target } = file;
    // The check of another file may have ended this one.
    if (target === undefined || !this.#files.has(file)) return;
    this.#pathCheckedMs.set(file, this.#now());
    const status = logFileStatus(target);
    if (status?.inode === file.inode && status.device === file.device) return;
    this.#detach(file);
    if (status !== undefined) this.offer(targetOf(file, job, target));
  }

  /** Where reading a file begins that was not known; or that it has been read, or is to be offered again. */
  #identify(log: OpenLogFile, target: FileTarget): FilePosition | "later" | "read" {
    const { job } = target;
    const { positions } = this.#options;
    const path = realPath(target.path) ?? target.path;
    const { device, inode, bytes } = log.status();
    const identity = identify({ log, job, path }, this.#related.of(path), positions);
    if (identity === "later" || identity === "read") return identity;
    if (identity !== "new") return { ...identity, path, device, inode };
    const { migratedOffset = 0, sinceMs } = target;
    const offset = migratedOffset <= bytes ? migratedOffset : 0;
    return {
      job,
      path,
      device,
      inode,
      log: target.log ?? target.path,
      id: `${inode}-${this.#now().toString(36)}-${this.#idCount++}`,
      // Only what has been read tells a file: the beginning of a line may be that of any file.
      ...headOf(log, offset),
      offset,
      checkOffset: offset,
      checkHash: -1,
      readMs: this.#now(),
      ...(sinceMs === undefined ? {} : { sinceMs }),
    };
  }

  /** The content before the place read up to is gone, or, for a file that was closed to save descriptors, the file
   *  is not at its path any more. What is left of it is looked for now, and, since it may be compressed, at each
   *  look for files. */
  #replaced(file: TailedFile): void {
    const { job, target, stream } = file;
    const position = file.positionBefore();
    this.#remove(file);
    if (position.headBytes === 0) this.#options.positions.finish(position, this.#now());
    else {
      this.#options.positions.put(position);
      const rest = this.adopt(position, stream);
      if (rest !== undefined) stream.pipeline.follow(file, rest);
    }
    stream.pipeline.flushOrigin(file);
    if (target !== undefined) this.offer(targetOf(file, job, target));
  }

  /** Reads the rest of `position`'s content from the file at `path`, which holds it; undefined if that is being read. */
  #readRest(position: FilePosition, path: string, stream: Stream): TailedFile | undefined {
    const status = logFileStatus(path);
    if (status === undefined || this.#byInode.has(inodeKey(position.job, status))) return undefined;
    this.#options.positions.take(position.id);
    const { finishedMs: _, ...unfinished } = position;
    const { device, inode } = status;
    const rest = { ...unfinished, path, device, inode };
    const file = new TailedFile({ position: rest, stream, nowMs: this.#now() });
    this.#add(file, undefined);
    return file;
  }

  #finish(file: TailedFile): void {
    file.finish(this.#buffer, this.#options.sink, this.#now());
    file.stream.pipeline.flushOrigin(file);
    const position = file.positionBefore();
    this.#remove(file);
    this.#options.positions.put(position);
  }

  /** `target`: the path that leads to it; undefined if none does. */
  #add(file: TailedFile, target: string | undefined): void {
    if (file.isOpen) this.#openCount++;
    this.#files.add(file);
    this.#setTarget(file, target);
    this.#byInode.set(inodeKey(file.job, file), file);
    this.#pathCheckedMs.set(file, this.#now());
    this.#schedule.plan(file, this.#now(), 0);
    this.#schedule.wake(file);
    this.#limitOpen();
  }

  #remove(file: TailedFile): void {
    if (file.isOpen) this.#openCount--;
    file.close();
    this.#schedule.remove(file);
    this.#files.delete(file);
    this.#forgetNames(file);
    deleteIf(this.#byInode, inodeKey(file.job, file), file);
  }

  #detach(file: TailedFile): void {
    this.#forgetNames(file);
    this.#setTarget(file, undefined);
    this.#schedule.plan(file, this.#now(), 0);
  }

  /** A known file has a further, or a new, name. */
  #reattach(file: TailedFile, target: string): void {
    // Two links to one file: it is read once, under the name found first.
    if (file.target !== undefined && logFileStatus(file.target)?.inode === file.inode) return;
    this.#forgetNames(file);
    file.path = realPath(target) ?? target;
    this.#setTarget(file, target);
    this.#schedule.plan(file, this.#now(), 0);
  }

  #setTarget(file: TailedFile, target: string | undefined): void {
    file.target = target;
    file.detachedMs = target === undefined ? this.#now() : undefined;
    if (target !== undefined) this.#byPath.set(pathKey(file.job, target), file);
    for (const name of namesOf(file)) addTo(this.#byName, name, file);
    this.#related.add(file);
    this.#successions.add(file);
  }

  #forgetNames(file: TailedFile): void {
    if (file.target !== undefined) deleteIf(this.#byPath, pathKey(file.job, file.target), file);
    for (const name of namesOf(file)) deleteFrom(this.#byName, name, file);
    this.#related.remove(file);
    this.#successions.remove(file);
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
        this.#warnings.say(path, `Cannot open "${path}": ${errorText(error)}; it is tried again`);
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

/** What is to be read at the path that led to `file`. */
function targetOf({ stream, sinceMs }: TailedFile, job: string, path: string): FileTarget {
  return { job, path, stream, ...(sinceMs === undefined ? {} : { sinceMs }) };
}
