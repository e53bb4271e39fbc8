/** Opens one partition's files after a start: checks every record, cuts off a tail that a crash left, refuses damage.
 *  LogPartition.ts owns the files afterwards. Invariant: nothing is changed on disk unless the whole partition is sound. */
import { baseName, type Disk, type DiskFile, joinPath } from "../../platform/files.ts";
import { WriteLogError } from "../WriteLog.ts";
import { decodeFileHeader, fileHeaderBytes, findLaterGroup, parseRecord } from "./logFile.ts";

/** One file of a partition, as kept in memory. */
export interface LogFile {
  readonly path: string;
  readonly firstOffset: number;
  /** True if earlier files are given up. */
  readonly startsLog: boolean;
  readonly salt: number;
  /** The offset after its last record, and where that record ends. What lies behind is not part of the log. */
  nextOffset: number;
  bytes: number;
  readonly marks: Marks;
}

/** What a scan found, worth telling the operator. */
export interface ScanReport {
  readonly path: string;
  readonly cutBytes: number;
  readonly nextOffset: number;
}

const markBytes = 64 * 1024;
const readBytes = 1024 * 1024;

/** Positions of some records of a file, one about every 64 KB, to find any offset by reading little. */
export class Marks {
  readonly #offsets: number[] = [];
  readonly #positions: number[] = [];

  add(offset: number, position: number): void {
    const last = this.#positions.at(-1);
    if (last !== undefined && position - last < markBytes) return;
    this.#offsets.push(offset);
    this.#positions.push(position);
  }

  /** The last marked record at or before `offset`. */
  before(offset: number): { readonly offset: number; readonly position: number } | undefined {
    let [low, high] = [0, this.#offsets.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#offsets[middle] as number) <= offset) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return undefined;
    return {
      offset: this.#offsets[low - 1] as number,
      position: this.#positions[low - 1] as number,
    };
  }
}

/** The name of the file whose first record is `firstOffset`; names sort as offsets do. */
export function logFileName(firstOffset: number): string {
  return `${String(firstOffset).padStart(16, "0")}.log`;
}

/** Suffix of a file that is being made; it becomes part of the log by its renaming. */
export const unfinishedSuffix = ".new";

/** Reads a partition's directory. Fails with Corrupt, naming file and position, if a record that was durable is damaged. */
export async function scanPartition(
  disk: Disk,
  directory: string,
  partition: number,
): Promise<{ readonly files: LogFile[]; readonly reports: ReadonlyArray<ScanReport> }> {
  const names = await disk.list(directory);
  const unused = names.filter((name) => name.endsWith(unfinishedSuffix));
  const files: LogFile[] = [];
  for (const name of names.filter((name) => /^\d{16}\.log$/.test(name))) {
    const path = joinPath(directory, name);
    const file = await openLogFile(disk, path, partition, Number.parseInt(name, 10));
    if (file.startsLog) unused.push(...files.splice(0).map((file) => baseName(file.path)));
    files.push(file);
  }
  let cutBytes = 0;
  for (let index = 0; index < files.length; index++) {
    const file = files[index] as LogFile;
    cutBytes = await scanFile(disk, file, partition, files[index + 1]?.firstOffset);
  }
  for (const name of unused) await disk.remove(joinPath(directory, name));
  const last = files.at(-1);
  if (last === undefined || cutBytes === 0) return { files, reports: [] };
  await cutTail(disk, last);
  return { files, reports: [{ path: last.path, cutBytes, nextOffset: last.nextOffset }] };
}

/** Checks a file's header against its name. */
async function openLogFile(
  disk: Disk,
  path: string,
  partition: number,
  firstOffset: number,
): Promise<LogFile> {
  const handle = await disk.open(path, "read");
  const bytes = await handle.read(0, fileHeaderBytes).finally(() => handle.close());
  const header = decodeFileHeader(bytes);
  const file = { path, firstOffset, nextOffset: firstOffset, bytes: 0 };
  if (typeof header === "string") throw corrupt(partition, `the file ${header}`, file);
  if (header.partition !== partition || header.firstOffset !== firstOffset) {
    const what = `the file says partition ${header.partition}, offset ${header.firstOffset}`;
    throw corrupt(partition, what, file);
  }
  const { salt, startsLog } = header;
  return { ...file, bytes: fileHeaderBytes, startsLog, salt, marks: new Marks() };
}

/** Reads up to `endOffset`, where the next file takes over: a file that was given up after a failed write may hold rubbish
 *  behind that. Without a next file, everything up to a torn tail counts, whose size is returned. */
async function scanFile(
  disk: Disk,
  file: LogFile,
  partition: number,
  endOffset: number | undefined,
): Promise<number> {
  const handle = await disk.open(file.path, "read");
  try {
    const size = await handle.size();
    await scanRecords(handle, file, size, endOffset ?? Infinity);
    const missing = `no valid record at offset ${file.nextOffset}`;
    if (endOffset !== undefined) {
      if (file.nextOffset === endOffset) return 0;
      throw corrupt(partition, `${missing}, and later files follow`, file);
    }
    if (file.bytes === size) return 0;
    const rest = await handle.read(file.bytes, size - file.bytes);
    const later = findLaterGroup(rest, file.nextOffset, file.salt);
    if (later === undefined) return size - file.bytes;
    const follows = `one that was written later follows at byte ${file.bytes + later}`;
    throw corrupt(partition, `${missing}, but ${follows}`, file);
  } finally {
    await handle.close();
  }
}

/** Advances `file` over all valid consecutive records below `endOffset`. */
async function scanRecords(
  handle: DiskFile,
  file: LogFile,
  size: number,
  endOffset: number,
): Promise<void> {
  let buffer: Uint8Array = new Uint8Array(0);
  let at = 0;
  while (file.nextOffset < endOffset) {
    const record = parseRecord(buffer, at, file.salt);
    if (record === undefined) return;
    if (typeof record === "number") {
      if (file.bytes + record > size) return;
      buffer = await handle.read(file.bytes, Math.max(record, readBytes));
      at = 0;
      if (buffer.byteLength < record) return;
      continue;
    }
    if (record.offset !== file.nextOffset) return;
    file.marks.add(record.offset, file.bytes);
    file.bytes += record.end - at;
    file.nextOffset++;
    at = record.end;
  }
}

/** New records must not follow the rubbish of a crash, so it goes, durably, before the first append. */
async function cutTail(disk: Disk, file: LogFile): Promise<void> {
  const handle = await disk.open(file.path, "write");
  try {
    await handle.truncate(file.bytes);
    await handle.syncData();
  } finally {
    await handle.close();
  }
}

function corrupt(
  partition: number,
  what: string,
  file: Pick<LogFile, "path" | "bytes" | "nextOffset">,
): WriteLogError {
  return new WriteLogError({
    reason: "Corrupt",
    partition,
    message:
      `Write log of partition ${partition}: damage in "${file.path}" at byte ${file.bytes}: ` +
      `${what}. Nothing was changed. Restore the file from a copy; or move it and all later files ` +
      `of the directory away: then lines at offset ${file.nextOffset} and after that no segment ` +
      `holds are lost`,
  });
}
