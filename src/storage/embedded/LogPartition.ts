/** One partition of the file write log: its files, the queue of waiting appends, and the group commit. FileWriteLog.ts owns the
 *  service and the limits shared by all partitions, logFile.ts the bytes, logScan.ts the start.
 *
 *  Appends wait in a queue. One flush at a time takes what waits, writes it behind the last durable record, calls fdatasync
 *  once, and only then tells the callers their offsets. When a write fails, the file is cut back to the last durable record;
 *  when the cut or fdatasync fails, the file is given up for a new one, since the system may have dropped the pages it could
 *  not write. Invariant: `next` counts durable records only, and no reader sees an offset at or above it. */
import {
  type Disk,
  type DiskFile,
  errorCode,
  errorText,
  isNoSpace,
  joinPath,
} from "../../platform/files.ts";
import { type LogRecord, WriteLogError } from "../WriteLog.ts";
import {
  encodeFileHeader,
  encodeGroup,
  fileHeaderBytes,
  parseRecord,
  payloadBytes,
  type PayloadParts,
  recordHeaderBytes,
  storedBytes,
} from "./logFile.ts";
import {
  type LogFile,
  logFileName,
  Marks,
  scanPartition,
  type ScanReport,
  unfinishedSuffix,
} from "./logScan.ts";

export interface LogPartitionOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly partition: number;
  /** A file that has reached this size is followed by a new one. */
  readonly segmentBytesMax: number;
  /** Bytes of one commit group; at least one record is always taken. */
  readonly groupBytesMax: number;
  /** Bytes that may wait for their commit. */
  readonly queueBytesMax: number;
  /** Room that all partitions share. */
  readonly budget: LogBudget;
}

/** Counts the bytes of all partitions that are kept or wait, so that the log stays below its bound. */
export interface LogBudget {
  readonly bytesMax: number;
  bytesUsed: number;
}

interface Waiting {
  readonly parts: PayloadParts;
  /** What it takes in a file. */
  readonly bytes: number;
  readonly done: (result: number | WriteLogError) => void;
}

/** A fully released file smaller than this is kept for further appends; a larger one is replaced and deleted. */
const keptBytesMax = 1024 * 1024;

export class LogPartition {
  readonly #options: LogPartitionOptions;
  #files: LogFile[] = [];
  /** The last of #files, open for appending; undefined before the first append and after a failure. */
  #active: DiskFile | undefined;
  #first = 1;
  #next = 1;
  #queue: Waiting[] = [];
  #queueBytes = 0;
  #flushing = false;
  #closed = false;
  #failure: WriteLogError | undefined;
  /** True after a failure that makes the last file unfit for further appends. */
  #mustRotate = false;
  /** This partition's share of the budget's bytesUsed. */
  #countedBytes = 0;
  /** Tail of the chain of operations that must not overlap. */
  #last: Promise<unknown> = Promise.resolve();
  /** Resolves when the files have been checked; damage is kept and answers every later call. */
  readonly opened: Promise<ReadonlyArray<ScanReport>>;

  constructor(options: LogPartitionOptions) {
    this.#options = options;
    this.opened = this.#exclusive(() => this.#open());
    this.opened.catch(() => {});
  }

  /** Queues a record; `done` is told the offset once it is durable. The function returned withdraws a record that still waits. */
  append(parts: PayloadParts, done: Waiting["done"]): () => void {
    const bytes = storedBytes(payloadBytes(parts));
    const refusal = this.#refusal(bytes);
    if (refusal !== undefined) {
      done(refusal);
      return () => {};
    }
    const waiting = { parts, bytes, done };
    this.#queue.push(waiting);
    this.#queueBytes += bytes;
    this.#count();
    if (!this.#flushing) {
      this.#flushing = true;
      void this.#flush();
    }
    return () => {
      const at = this.#queue.indexOf(waiting);
      if (at < 0) return;
      this.#queue.splice(at, 1);
      this.#queueBytes -= bytes;
      this.#count();
    };
  }

  async bounds(): Promise<{ readonly first: number; readonly next: number }> {
    await this.#ready();
    return { first: this.#first, next: this.#next };
  }

  async read(offset: number, bytesMax: number): Promise<ReadonlyArray<LogRecord>> {
    await this.#ready();
    const records: LogRecord[] = [];
    let bytes = 0;
    let from = Math.max(offset, this.#first);
    while (from < this.#next && (records.length === 0 || bytes < bytesMax)) {
      const file = this.#files.findLast((file) => file.firstOffset <= from);
      if (file === undefined) throw this.#error("Io", `no file holds offset ${from}`);
      try {
        const found = await this.#readFile(file, from, bytesMax - bytes);
        if (found.length === 0) throw this.#error("Io", `"${file.path}" ends before ${from}`);
        for (const record of found) {
          bytes += storedBytes(record.bytes.byteLength);
          records.push(record);
        }
        from += found.length;
      } catch (error) {
        // A release may delete a file under a reader; what is below the new first offset is given up.
        if (errorCode(error) !== "ENOENT" || from >= this.#first) throw error;
        if (records.length > 0) break;
        from = this.#first;
      }
    }
    return records;
  }

  /** Gives up the records below `offset`; if that is beyond the end, the log continues from there. */
  release(offset: number): Promise<void> {
    return this.#exclusive(async () => {
      if (this.#failure !== undefined) throw this.#failure;
      if (offset <= this.#first) return;
      try {
        await this.#release(offset);
      } catch (error) {
        throw this.#failed(error);
      } finally {
        this.#count();
      }
    });
  }

  /** Commits what waits, then closes; later appends fail with Closed. */
  async close(): Promise<void> {
    this.#closed = true;
    while (this.#flushing) await this.#exclusive(async () => {});
    await this.#exclusive(async () => {
      await this.#active?.close();
      this.#active = undefined;
    });
  }

  async #release(offset: number): Promise<void> {
    const { disk, directory } = this.#options;
    const last = this.#files.at(-1);
    const isBeyond = offset > this.#next;
    this.#first = offset;
    this.#next = Math.max(offset, this.#next);
    const isEmptied = offset === this.#next && last !== undefined && last.bytes > keptBytesMax;
    if (isBeyond || isEmptied) await this.#beginFile();
    while (this.#files.length > 1 && (this.#files[1] as LogFile).firstOffset <= offset) {
      await disk.remove((this.#files[0] as LogFile).path);
      // Synced one by one: files that a crash brings back must not leave a gap behind them.
      await disk.syncDirectory(directory);
      this.#files.shift();
    }
  }

  async #ready(): Promise<void> {
    await this.opened.catch(() => {});
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #open(): Promise<ReadonlyArray<ScanReport>> {
    const { disk, directory, partition } = this.#options;
    try {
      const { files, reports } = await scanPartition(disk, directory, partition);
      this.#files = files;
      this.#first = files[0]?.firstOffset ?? 1;
      this.#next = files.at(-1)?.nextOffset ?? 1;
      this.#count();
      return reports;
    } catch (error) {
      this.#failure = error instanceof WriteLogError
        ? error
        : this.#error("Io", `cannot read "${directory}": ${errorText(error)}`);
      throw this.#failure;
    }
  }

  #refusal(bytes: number): WriteLogError | undefined {
    if (this.#closed) return this.#error("Closed", "it is shutting down");
    if (this.#failure !== undefined) return this.#failure;
    const { budget, queueBytesMax } = this.#options;
    if (budget.bytesUsed + bytes > budget.bytesMax) {
      const size = `${budget.bytesUsed} of at most ${budget.bytesMax} bytes are in use`;
      return this.#error("Full", `${size} by records that no segment holds yet; try again later`);
    }
    if (this.#queueBytes + bytes > queueBytesMax && this.#queue.length > 0) {
      const size = `${this.#queueBytes} bytes wait for the disk, at most ${queueBytesMax} may`;
      return this.#error("Full", `${size}; try again later`);
    }
    return undefined;
  }

  /** Commits groups until nothing waits. */
  async #flush(): Promise<void> {
    while (this.#queue.length > 0) {
      await this.#exclusive(() => this.#flushGroup());
    }
    this.#flushing = false;
  }

  /** Never throws: whatever goes wrong is the answer to the appends of the group. */
  async #flushGroup(): Promise<void> {
    const group = this.#takeGroup();
    if (group.length === 0) return;
    const bytes = group.reduce((sum, waiting) => sum + waiting.bytes, 0);
    const error = this.#failure ??
      await this.#commit(group, bytes).catch((error) => this.#failed(error));
    this.#queueBytes -= bytes;
    this.#count();
    if (error !== undefined) {
      for (const waiting of group) waiting.done(error);
      return;
    }
    const firstOffset = this.#next - group.length;
    group.forEach((waiting, index) => waiting.done(firstOffset + index));
  }

  #takeGroup(): ReadonlyArray<Waiting> {
    let count = 0;
    let bytes = 0;
    for (const waiting of this.#queue) {
      bytes += waiting.bytes;
      if (count > 0 && bytes > this.#options.groupBytesMax) break;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  async #commit(group: ReadonlyArray<Waiting>, bytes: number): Promise<undefined> {
    const file = await this.#appendable();
    const active = this.#active as DiskFile;
    const parts = encodeGroup(group.map((waiting) => waiting.parts), this.#next, file.salt);
    try {
      await active.write(parts, file.bytes);
    } catch (error) {
      await active.truncate(file.bytes).catch(() => this.#abandon());
      throw error;
    }
    try {
      await active.syncData();
    } catch (error) {
      await this.#abandon();
      throw error;
    }
    let position = file.bytes;
    for (const waiting of group) {
      file.marks.add(file.nextOffset++, position);
      position += waiting.bytes;
    }
    file.bytes += bytes;
    this.#next = file.nextOffset;
  }

  /** The file to append to: the last one, opened if it is not, or a new one if that is full or unfit. */
  async #appendable(): Promise<LogFile> {
    const { disk, segmentBytesMax } = this.#options;
    const last = this.#files.at(-1);
    if (last === undefined || last.bytes >= segmentBytesMax || this.#mustRotate) {
      return await this.#beginFile();
    }
    this.#active ??= await disk.open(last.path, "write");
    return last;
  }

  /** Gives the active file up. Its durable records stay readable; what lies behind them is ignored from now on. */
  async #abandon(): Promise<void> {
    const active = this.#active;
    this.#active = undefined;
    this.#mustRotate = true;
    if (active === undefined) return;
    await active.truncate((this.#files.at(-1) as LogFile).bytes).catch(() => {});
    await active.close().catch(() => {});
  }

  /** Starts a new file at `next`. It gets its name only once its header is durable, so a file with a name has a header.
   *  If that fails half way, the last file must not be used: the new one may be there after a crash and end it. */
  async #beginFile(): Promise<LogFile> {
    const { disk, directory, partition } = this.#options;
    const last = this.#files.at(-1);
    const firstOffset = this.#next;
    const path = joinPath(directory, logFileName(firstOffset));
    const nonce = Math.floor(Math.random() * 0x1_0000_0000);
    const replaced = last?.firstOffset === firstOffset ? last : undefined;
    const startsLog = replaced?.startsLog ?? last?.nextOffset !== firstOffset;
    const header = encodeFileHeader({ partition, firstOffset, startsLog }, nonce);
    this.#mustRotate = true;
    await disk.makeDirectory(directory);
    const created = await disk.create(path + unfinishedSuffix);
    try {
      await created.write([header.bytes], 0);
      await created.syncData();
      await disk.rename(path + unfinishedSuffix, path);
    } catch (error) {
      await created.close().catch(() => {});
      await disk.remove(path + unfinishedSuffix).catch(() => {});
      throw error;
    }
    await this.#active?.close().catch(() => {});
    this.#active = created;
    // A file without records has the same first offset, so the renaming has just replaced it.
    if (replaced !== undefined) this.#files.pop();
    const file: LogFile = {
      path,
      firstOffset,
      startsLog,
      salt: header.salt,
      nextOffset: firstOffset,
      bytes: fileHeaderBytes,
      marks: new Marks(),
    };
    this.#files.push(file);
    await disk.syncDirectory(directory);
    this.#mustRotate = false;
    return file;
  }

  async #readFile(file: LogFile, from: number, bytesMax: number): Promise<LogRecord[]> {
    const mark = file.marks.before(from) ?? { offset: file.firstOffset, position: fileHeaderBytes };
    const end = file.bytes;
    const endOffset = file.nextOffset;
    const handle = await this.#options.disk.open(file.path, "read");
    try {
      let { offset, position } = mark;
      const records: LogRecord[] = [];
      let wanted = bytesMax + recordHeaderBytes + 64 * 1024;
      while (offset < endOffset && records.length === 0) {
        const buffer = await handle.read(position, Math.min(wanted, end - position));
        let at = 0;
        let taken = 0;
        while (offset < endOffset && (taken === 0 || taken < bytesMax)) {
          const record = parseRecord(buffer, at, file.salt);
          if (typeof record === "number" && position + record <= end) {
            if (at === 0) wanted = record;
            break;
          }
          if (typeof record !== "object" || record.offset !== offset) {
            const where = `"${file.path}" at byte ${position}`;
            throw this.#error("Corrupt", `the record at offset ${offset} is damaged: ${where}`);
          }
          if (offset >= from) {
            records.push({ offset, bytes: buffer.subarray(record.start, record.end) });
            taken += record.end - at;
          }
          position += record.end - at;
          at = record.end;
          offset++;
        }
      }
      return records;
    } finally {
      await handle.close();
    }
  }

  /** Brings the budget up to date: what waits and what the files hold from the first kept offset on, to about 64 KB. */
  #count(): void {
    let bytes = this.#queueBytes;
    for (const file of this.#files) bytes += file.bytes;
    const file = this.#files[0];
    if (file !== undefined && this.#first >= file.nextOffset) bytes -= file.bytes;
    else bytes -= file?.marks.before(this.#first)?.position ?? 0;
    this.#options.budget.bytesUsed += bytes - this.#countedBytes;
    this.#countedBytes = bytes;
  }

  #exclusive<Result>(task: () => Promise<Result>): Promise<Result> {
    const run = this.#last.then(task, task);
    this.#last = run.catch(() => {});
    return run;
  }

  #failed(error: unknown): WriteLogError {
    if (error instanceof WriteLogError) return error;
    const what = `cannot write to "${this.#options.directory}": ${errorText(error)}`;
    return isNoSpace(error)
      ? this.#error("Full", `${what}; free some room, then appends work again`)
      : this.#error("Io", what);
  }

  #error(reason: WriteLogError["reason"], what: string): WriteLogError {
    const { partition } = this.#options;
    return new WriteLogError({
      reason,
      partition,
      message: `Write log of partition ${partition}: ${what}`,
    });
  }
}
