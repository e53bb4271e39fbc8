/** One file that is read as it grows. Owns where reading stands, the cutting into lines and the bytes that
 *  tell whether the file is still the one that was read; Tailer.ts owns when it is read and what a rotation
 *  means.
 *  Invariant: `consumed` moves over whole lines that the sink has got, never over others. */
import { logFileStatus, OpenLogFile } from "../../platform/logFiles.ts";
import type { FilePosition } from "../positions/position.ts";
import { DoneLines } from "./DoneLines.ts";
import { checkBytesMax, hashBytes, headBytesMax } from "./fingerprint.ts";
import type { LineColumns, LineSink, Origin, Stream } from "./lineSink.ts";
import { byteLineEnds } from "./textEncoding.ts";
import type { ReadBuffer } from "./ReadBuffer.ts";

/** idle: nothing new. lines: all there is has been read. more: there is more to read. replaced: the bytes before the
 *  place read up to are gone or others: the file was truncated or written anew. */
export type ReadOutcome = "idle" | "lines" | "more" | "replaced";

/** What a file has given so far, for metrics. */
export interface ReadCounts {
  lines: number;
  bytes: number;
  /** Lines longer than the limit. */
  longLines: number;
}

export class TailedFile implements Origin {
  readonly id: string;
  readonly job: string;
  readonly stream: Stream;
  /** Where it really was last seen, symbolic links followed. */
  path: string;
  /** The path of the target that leads to it, if one does. */
  target: string | undefined;
  /** The path of the target that it was written under. */
  readonly log: string;
  readonly sinceMs: number | undefined;
  readonly device: number;
  readonly inode: number;
  readonly counts: ReadCounts = { lines: 0, bytes: 0, longLines: 0 };
  /** When its path stopped leading to it, in the time of the caller; undefined while it does. */
  detachedMs: number | undefined;
  /** When lines were last found. */
  activeMs: number;
  finishedMs: number | undefined;
  /** When it had last been read to its end, as far as it was written. */
  caughtUpMs = -Infinity;
  #log: OpenLogFile | undefined;
  #headBytes: number;
  #headHash: number;
  #checkHash: number;
  /** The next byte to read; beyond #consumed only within a line that is too long. */
  #next: number;
  #consumed: number;
  /** Inside a line that is too long: what is kept of it, if anything is. */
  #longLine: { readonly kept: Uint8Array | undefined } | undefined;
  /** Where whole lines end in the bytes just read. */
  #wholeEnd = 0;
  #isLookedInto = false;
  /** Opened since the head was last compared: the bytes before the place read up to may be alike in other content. */
  #isHeadDue = true;
  readonly #done: DoneLines;

  constructor(options: {
    readonly position: FilePosition;
    readonly stream: Stream;
    readonly nowMs: number;
    readonly log?: OpenLogFile;
  }) {
    const { position } = options;
    this.id = position.id;
    this.job = position.job;
    this.stream = options.stream;
    this.path = position.path;
    this.log = position.log;
    this.sinceMs = position.sinceMs;
    this.device = position.device;
    this.inode = position.inode;
    this.activeMs = options.nowMs;
    this.#log = options.log;
    this.#done = new DoneLines(position);
    this.#headBytes = position.headBytes;
    this.#headHash = position.headHash;
    this.#consumed = this.#next = position.offset;
    // The check belongs to another place if lines were held back: none is made until the first read.
    this.#checkHash = position.checkOffset === position.offset ? position.checkHash : unknownHash;
  }

  get consumed(): number {
    return this.#consumed;
  }

  /** Whether it has been looked into. Nothing tells one that has not from another file with its inode. */
  get isLookedInto(): boolean {
    return this.#isLookedInto;
  }

  get isOpen(): boolean {
    return this.#log !== undefined;
  }

  positionBefore(held: ReadonlyArray<number> = []): FilePosition {
    const progress = this.#done.progress(this.#consumed, held);
    // What is held back of a file that has been read to its end is read again after a crash.
    const isFinished = this.finishedMs !== undefined && progress.offset === this.#consumed;
    return {
      id: this.id,
      job: this.job,
      path: this.path,
      log: this.log,
      device: this.device,
      inode: this.inode,
      headBytes: this.#headBytes,
      headHash: this.#headHash,
      ...progress,
      checkOffset: this.#next,
      checkHash: this.#checkHash,
      readMs: this.activeMs,
      ...(this.sinceMs === undefined ? {} : { sinceMs: this.sinceMs }),
      ...(isFinished ? { finishedMs: this.finishedMs } : {}),
    };
  }

  /** Opens the file if it is not. False if its path leads elsewhere by now. */
  open(): boolean {
    if (this.#log !== undefined) return true;
    const found = logFileStatus(this.path);
    if (found === undefined || found.inode !== this.inode || !found.isFile) return false;
    const log = new OpenLogFile(this.path);
    if (log.status().inode !== this.inode) {
      log.close();
      return false;
    }
    this.#log = log;
    this.#isHeadDue = true;
    return true;
  }

  /** What `use` makes of the file's content; undefined if it cannot be opened. It stays as open as it was. */
  withContent<Result>(use: (content: OpenLogFile) => Result): Result | undefined {
    const wasOpen = this.isOpen;
    try {
      return this.open() ? use(this.#log!) : undefined;
    } catch {
      return undefined;
    } finally {
      if (!wasOpen) this.close();
    }
  }

  close(): void {
    this.#log?.close();
    this.#log = undefined;
  }

  /** Names that the open file has left. */
  get links(): number {
    return this.#log?.status().links ?? 0;
  }

  /** Hands the next lines to `sink`. The file must be open. */
  read(buffer: ReadBuffer, sink: LineSink): ReadOutcome {
    this.#isLookedInto = true;
    if (this.#isHeadDue && !this.#hasHead(buffer.chunk)) return "replaced";
    this.#isHeadDue = false;
    const outcome = this.#readInto(buffer.chunk, buffer, sink);
    if (outcome !== "none") return outcome;
    // No line ends in a whole chunk: its end is looked for in a larger one.
    const retried = this.#readInto(buffer.large, buffer, sink);
    return retried === "none" ? "idle" : retried;
  }

  /** Hands over what stands behind the last line feed: nothing will end that line any more. */
  finish(buffer: ReadBuffer, sink: LineSink, nowMs: number): void {
    const bytes = buffer.large;
    const log = this.#log;
    if (log !== undefined) {
      const count = log.read(bytes, bytes.length, this.#next);
      const columns = buffer.columns;
      columns.clear(bytes, this.#consumed);
      if (this.#longLine !== undefined) {
        this.#endLongLine(buffer, sink);
        this.#next += count;
      } else if (count > 0) {
        columns.add(0, Math.min(count, buffer.limits.bytesMax));
        this.counts.lines++;
        this.#next += count;
        this.#hand(columns, sink);
      }
      this.counts.bytes += count;
      this.#consumed = this.#next;
      this.#checkHash = this.#hashBefore(log, bytes);
    }
    this.finishedMs = nowMs;
    this.close();
    sink.moved(this);
  }

  #readInto(bytes: Uint8Array, buffer: ReadBuffer, sink: LineSink): ReadOutcome | "none" {
    const log = this.#log as OpenLogFile;
    const check = Math.min(checkBytesMax, this.#next);
    const count = log.read(bytes, bytes.length, this.#next - check);
    if (count < check || !this.#isUnchanged(bytes, check)) return "replaced";
    if (count === check) return "idle";
    const end = this.#cut(bytes, check, count, buffer, sink);
    if (end === check) {
      if (count < bytes.length) return "idle";
      if (bytes !== buffer.large) return "none";
    }
    this.#advance(bytes, check, end);
    if (this.#headBytes < headBytesMax) this.#takeHead(log);
    sink.moved(this);
    return count === bytes.length ? "more" : "lines";
  }

  #hasHead(scratch: Uint8Array): boolean {
    const head = this.#headBytes;
    if (head === 0) return true;
    const log = this.#log as OpenLogFile;
    return log.read(scratch, head, 0) === head && hashBytes(scratch, 0, head) === this.#headHash;
  }

  #isUnchanged(bytes: Uint8Array, check: number): boolean {
    if (this.#checkHash !== unknownHash) return hashBytes(bytes, 0, check) === this.#checkHash;
    this.#checkHash = hashBytes(bytes, 0, check);
    return true;
  }

  /** Hands bytes[from..to) to the sink as far as they are whole lines; returns where they end. */
  #cut(
    bytes: Uint8Array,
    from: number,
    to: number,
    buffer: ReadBuffer,
    sink: LineSink,
  ): number {
    let start = from;
    this.#wholeEnd = from;
    const ends = this.stream.encoding?.lineEnds ?? byteLineEnds;
    if (this.#longLine !== undefined) {
      const end = ends.find(bytes, start);
      // Half of a character is left for the next look.
      if (end < 0 || end >= to) return to - (to - start) % ends.width;
      this.#endLongLine(buffer, sink);
      start = end + ends.width;
    }
    const { columns, limits } = buffer;
    columns.clear(bytes, this.#next - from);
    for (;;) {
      const found = ends.find(bytes, start);
      if (found < 0 || found + ends.width > to) break;
      const end = ends.textEnd(bytes, start, found);
      if (end - start <= limits.bytesMax) columns.add(start, end);
      else this.#addLongLine(start, end, buffer);
      start = found + ends.width;
    }
    this.#wholeEnd = start;
    // One more than the limit may be the carriage return of an end of line that is not there yet.
    if (to - start > limits.bytesMax + 1) start = this.#beginLongLine(bytes, start, to, buffer);
    this.counts.lines += columns.count;
    this.#hand(columns, sink);
    return start;
  }

  /** A whole line that is too long. */
  #addLongLine(start: number, end: number, buffer: ReadBuffer): void {
    const { columns, limits: { bytesMax, longLines } } = buffer;
    this.counts.longLines++;
    if (longLines === "truncate") columns.add(start, start + bytesMax);
    if (longLines !== "split") return;
    for (let at = start; at < end; at += bytesMax) columns.add(at, Math.min(end, at + bytesMax));
  }

  /** The beginning of a line that is already too long; returns up to where it is done with. */
  #beginLongLine(bytes: Uint8Array, start: number, to: number, buffer: ReadBuffer): number {
    const { columns, limits: { bytesMax, longLines } } = buffer;
    this.counts.longLines++;
    if (longLines === "split") {
      columns.add(start, start + bytesMax);
      return this.#wholeEnd = start + bytesMax;
    }
    // Nothing is handed over before the line's end: a restart in the middle of it finds its start.
    const kept = longLines === "truncate" ? bytes.slice(start, start + bytesMax) : undefined;
    this.#longLine = { kept };
    return to;
  }

  #endLongLine(buffer: ReadBuffer, sink: LineSink): void {
    const kept = this.#longLine?.kept;
    this.#longLine = undefined;
    if (kept === undefined) return;
    buffer.columns.clear(kept, this.#consumed);
    buffer.columns.add(0, kept.byteLength);
    this.counts.lines++;
    this.#hand(buffer.columns, sink);
  }

  #hand(columns: LineColumns, sink: LineSink): void {
    this.#done.passOver(columns);
    if (columns.count > 0) sink.lines(columns, this.stream, this);
  }

  #advance(bytes: Uint8Array, from: number, end: number): void {
    if (this.#wholeEnd > from) this.#consumed = this.#next + this.#wholeEnd - from;
    this.#next += end - from;
    this.counts.bytes += end - from;
    this.#checkHash = hashBytes(bytes, end - Math.min(checkBytesMax, this.#next), end);
  }

  #hashBefore(log: OpenLogFile, scratch: Uint8Array): number {
    const check = Math.min(checkBytesMax, this.#next);
    const count = log.read(scratch, check, this.#next - check);
    return count < check ? unknownHash : hashBytes(scratch, 0, check);
  }

  #takeHead(log: OpenLogFile): void {
    const length = Math.min(headBytesMax, this.#consumed);
    if (length <= this.#headBytes) return;
    const head = new Uint8Array(length);
    if (log.read(head, length, 0) < length) return;
    this.#headBytes = length;
    this.#headHash = hashBytes(head, 0, length);
  }
}

/** No hash has it: they are not negative. */
const unknownHash = -1;
