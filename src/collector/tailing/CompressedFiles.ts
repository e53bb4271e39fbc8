/** Compressed files: each is read once, from where its content had been read up to before it was compressed.
 *  They are read one after the other, as streams. Owns finding out what of a compressed file is new;
 *  TailedFile.ts owns files that grow. Offsets of their positions count decompressed bytes. */
import {
  type CompressionFormat,
  gzipContentBytes,
  readDecompressed,
} from "../../platform/decompressedFile.ts";
import { errorText } from "../../platform/files.ts";
import { type LogFileStatus, logFileStatus, OpenLogFile } from "../../platform/logFiles.ts";
import type { FilePosition } from "../positions/position.ts";
import type { FilePositions } from "./FilePositions.ts";
import { DoneLines } from "./DoneLines.ts";
import { beginsAs, checkBytesMax, hashBytes, headBytesMax } from "./fingerprint.ts";
import { LineCutter } from "./LineCutter.ts";
import type { LineLimits } from "./lineLimits.ts";
import type { LineColumns, LineSink, Origin, Stream } from "./lineSink.ts";

export interface CompressedFilesOptions {
  readonly sink: LineSink;
  readonly limits: LineLimits;
  readonly positions: FilePositions;
  readonly nowMs: () => number;
  readonly warn: (message: string) => void;
  /** Whether a file that `path` may be a compressed copy of, by its name and first bytes, is being read. */
  readonly isReading: (job: string, path: string, head: Uint8Array) => boolean;
}

/** A compressed file to read. */
export interface CompressedTarget {
  readonly job: string;
  readonly path: string;
  /** What it was called before it was rotated. */
  readonly log: string;
  readonly stream: Stream;
  /** Since when the log is known, see FilePosition. */
  readonly sinceMs?: number | undefined;
  readonly format: CompressionFormat;
  /** It must not have changed for so long. */
  readonly delayMs: number;
  /** Read it only if it continues this position. */
  readonly only?: FilePosition;
}

/** One that is open. */
interface OpenedTarget extends CompressedTarget {
  readonly file: OpenLogFile;
  readonly status: LogFileStatus;
}

/** A file that still changes is being written. */
export const compressedDelayMs = 1_000;

export class CompressedFiles {
  readonly #options: CompressedFilesOptions;
  readonly #waiting = new Map<string, CompressedTarget>();
  /** What was found out about which file is not found out again. */
  readonly #judged = new Map<string, string>();

  constructor(options: CompressedFilesOptions) {
    this.#options = options;
  }

  /** Makes a file known; it is looked at in `pass`. False if nothing is left to do with it as it is. */
  offer(target: CompressedTarget): boolean {
    const key = `${target.job}\0${target.path}\0${target.only?.id ?? ""}`;
    if (this.#waiting.has(key)) return true;
    const status = logFileStatus(target.path);
    if (status?.isFile !== true || this.#judged.get(key) === versionOf(status)) return false;
    this.#waiting.set(key, target);
    return true;
  }

  /** Reads what waits and is ready. `room` is awaited before each chunk. */
  async pass(room: () => Promise<void>, signal: AbortSignal): Promise<void> {
    for (const [key, target] of [...this.#waiting]) {
      if (signal.aborted) return;
      if (logFileStatus(target.path)?.isFile !== true) {
        this.#waiting.delete(key);
        continue;
      }
      const version = await this.#readOpened(target, room, signal);
      if (version === undefined) continue;
      this.#judged.set(key, version);
      this.#waiting.delete(key);
    }
  }

  /** Returns the version of the file that nothing is left to do with, undefined if it has to be looked at again. It is
   *  open meanwhile: where rotation shifts names, the path may lead to another file at each look. */
  async #readOpened(
    target: CompressedTarget,
    room: () => Promise<void>,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    let file: OpenLogFile | undefined;
    try {
      file = new OpenLogFile(target.path);
      const status = file.status();
      if (Math.abs(this.#options.nowMs() - status.modifiedMs) < target.delayMs) return undefined;
      const opened = { ...target, file, status };
      return await this.#read(opened, room, signal) ? versionOf(status) : undefined;
    } catch (error) {
      const status = file?.status() ?? logFileStatus(target.path);
      if (status === undefined) return undefined;
      this.#options.warn(
        `Cannot read on in the compressed file "${target.path}": ${errorText(error)}; ` +
          "it is tried again when it changes",
      );
      return versionOf(status);
    } finally {
      file?.close();
    }
  }

  /** Forgets files that are gone. */
  forgetAbsent(): void {
    for (const key of this.#judged.keys()) {
      if (logFileStatus(key.split("\0")[1]!) === undefined) this.#judged.delete(key);
    }
  }

  /** True if nothing is left to do with the file as it is now. */
  async #read(
    target: OpenedTarget,
    room: () => Promise<void>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { job, path, format, file, status } = target;
    const head = await this.#head(target);
    const hasHead = (position: FilePosition) => beginsAs(position, head);
    if (this.#options.isReading(job, path, head)) return false;
    const { positions } = this.#options;
    const candidates = target.only === undefined
      ? positions.candidates(job, path, status.inode)
      : positions.unfinishedOf(target.only.id);
    for (const position of candidates.filter(hasHead)) {
      if (format === "gz" && gzipContentBytes(file) === position.offset % 2 ** 32) {
        this.#settle(position);
        return true;
      }
      if (await this.#isContinued(target, position)) {
        positions.take(position.id);
        await this.#readFrom(target, position, room, signal);
        return !signal.aborted;
      }
    }
    if (target.only !== undefined) return true;
    const id = `${status.inode}-${this.#options.nowMs().toString(36)}-z`;
    const { device, inode } = status;
    const { log, sinceMs } = target;
    const start = {
      id,
      job,
      path,
      log,
      ...emptyContent,
      device,
      inode,
      readMs: this.#options.nowMs(),
      ...(sinceMs === undefined ? {} : { sinceMs }),
    };
    await this.#readFrom(target, start, room, signal);
    return !signal.aborted;
  }

  /** All of the position's content has been read. */
  #settle(position: FilePosition): void {
    if (position.finishedMs !== undefined) return;
    this.#options.positions.finish(position, this.#options.nowMs());
  }

  async #head({ file, format }: OpenedTarget): Promise<Uint8Array> {
    const head = new Uint8Array(headBytesMax);
    let filled = 0;
    for await (const part of readDecompressed(file, format)) {
      const taken = part.subarray(0, headBytesMax - filled);
      head.set(taken, filled);
      filled += taken.byteLength;
      if (filled === headBytesMax) break;
    }
    return head.subarray(0, filled);
  }

  /** Whether the bytes before the position's check are those that were read. */
  async #isContinued(target: OpenedTarget, position: FilePosition): Promise<boolean> {
    const { checkOffset, checkHash } = position;
    const start = Math.max(0, checkOffset - checkBytesMax);
    const check = new Uint8Array(checkOffset - start);
    let at = 0;
    for await (const part of readDecompressed(target.file, target.format)) {
      const from = Math.max(0, start - at);
      const to = Math.min(part.byteLength, checkOffset - at);
      if (from < to) check.set(part.subarray(from, to), Math.max(0, at - start));
      at += part.byteLength;
      if (at >= checkOffset) break;
    }
    return at >= checkOffset && (checkHash < 0 || hashBytes(check, 0, check.length) === checkHash);
  }

  async #readFrom(
    target: OpenedTarget,
    position: FilePosition,
    room: () => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const { sink, limits, nowMs, positions } = this.#options;
    const { stream, path, file, status } = target;
    const content = new CompressedContent(
      { ...position, path, device: status.device, inode: status.inode },
      new LineCutter(limits, position.offset, stream.encoding?.lineEnds),
    );
    let at = 0;
    try {
      for await (const part of readDecompressed(file, target.format)) {
        const fresh = part.subarray(Math.min(part.byteLength, Math.max(0, position.offset - at)));
        at += part.byteLength;
        if (fresh.byteLength === 0) continue;
        await room();
        if (signal.aborted) break;
        content.hand(content.push(fresh), stream, sink);
        sink.moved(content);
      }
      if (!signal.aborted) {
        content.hand(content.cutter.end(), stream, sink);
        content.finishedMs = nowMs();
        stream.pipeline.flushOrigin(content);
        sink.moved(content);
      }
    } finally {
      positions.put(content.positionBefore());
    }
  }
}

function versionOf({ inode, bytes, modifiedMs }: LogFileStatus): string {
  return `${inode} ${bytes} ${modifiedMs}`;
}

const emptyContent = { headBytes: 0, headHash: 0, offset: 0, checkOffset: 0, checkHash: -1 };

/** Where reading a compressed file stands. */
class CompressedContent implements Origin {
  readonly id: string;
  readonly cutter: LineCutter;
  finishedMs: number | undefined;
  readonly #start: FilePosition;
  readonly #done: DoneLines;
  readonly #head = new Uint8Array(headBytesMax);
  #headBytes = 0;

  constructor(start: FilePosition, cutter: LineCutter) {
    this.id = start.id;
    this.#start = start;
    this.#done = new DoneLines(start);
    this.cutter = cutter;
  }

  push(part: Uint8Array) {
    if (this.#start.offset === 0 && this.#headBytes < headBytesMax) {
      const taken = part.subarray(0, headBytesMax - this.#headBytes);
      this.#head.set(taken, this.#headBytes);
      this.#headBytes += taken.byteLength;
    }
    return this.cutter.push(part);
  }

  hand(columns: LineColumns, stream: Stream, sink: LineSink): void {
    this.#done.passOver(columns);
    if (columns.count > 0) sink.lines(columns, stream, this);
  }

  positionBefore(held: ReadonlyArray<number> = []): FilePosition {
    const { consumed } = this.cutter;
    const { finishedMs: _, doneUntil: _1, held: _2, ...start } = this.#start;
    const progress = this.#done.progress(consumed, held);
    const isFinished = this.finishedMs !== undefined && progress.offset === consumed;
    return {
      ...start,
      ...(this.#headBytes > start.headBytes
        ? { headBytes: this.#headBytes, headHash: hashBytes(this.#head, 0, this.#headBytes) }
        : {}),
      ...progress,
      checkOffset: consumed,
      checkHash: -1,
      ...(isFinished ? { finishedMs: this.finishedMs } : {}),
    };
  }
}
