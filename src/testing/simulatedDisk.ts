/** A disk in memory that fails and crashes like a real one. Owns the faults; the code under test is the production code on the
 *  `Disk` interface (src/platform/files.ts).
 *
 *  Faults: a bounded capacity (writes store what fits, then fail with ENOSPC); any operation can be made to fail once; a failed
 *  syncData drops the bytes it should have saved for good, though reads go on showing them, as Linux does. crash() loses, at
 *  random, 512-byte pieces of what was written and not synced, sizes included, and directory changes that no syncDirectory
 *  covered, from some point on. Invariant: what syncData and syncDirectory promised survives every crash. */
import type { Disk, DiskFile, FileEntry } from "../platform/files.ts";
import { baseName, joinPath } from "../platform/files.ts";
import type { Random } from "./random.ts";

export type DiskOperation =
  | "write"
  | "syncData"
  | "truncate"
  | "create"
  | "rename"
  | "syncDirectory";

interface Inode {
  /** What reads see. */
  bytes: Uint8Array;
  /** What a crash cannot take. */
  durable: Uint8Array;
  /** Byte ranges written since the last successful syncData. */
  dirty: { readonly start: number; readonly end: number }[];
}

type Names = Map<string, Inode>;
type NameChange = (names: Names) => void;

const pieceBytes = 512;

export class SimulatedDisk implements Disk {
  readonly #random: Random;
  #names: Names = new Map();
  #durableNames: Names = new Map();
  /** Changes of names that are not durable yet, with the directories they concern. */
  #pending: { readonly directory: string; readonly change: NameChange }[] = [];
  #faults = new Map<DiskOperation, string>();
  /** Counts up at each crash; files opened before are dead. */
  #epoch = 0;
  /** Bytes that all files together may have. */
  capacityBytes = Infinity;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Makes the next `operation` fail with this errno name. */
  failNext(operation: DiskOperation, code = "EIO"): void {
    this.#faults.set(operation, code);
  }

  /** The power goes: everything that was not made durable may be lost, in part or whole. Open files fail from now on. */
  crash(): void {
    this.#epoch++;
    this.#faults.clear();
    const kept = this.#random.between(0, this.#pending.length);
    for (const { change } of this.#pending.slice(0, kept)) change(this.#durableNames);
    this.#pending = [];
    this.#names = this.#durableNames;
    this.#durableNames = new Map(this.#names);
    for (const inode of new Set(this.#names.values())) this.#crashInode(inode);
  }

  async open(path: string): Promise<DiskFile> {
    const inode = this.#names.get(path);
    if (inode === undefined) throw systemError("ENOENT", `no such file "${path}"`);
    return this.#file(path, inode);
  }

  async create(path: string): Promise<DiskFile> {
    this.#fault("create");
    const inode: Inode = { bytes: new Uint8Array(0), durable: new Uint8Array(0), dirty: [] };
    this.#change(path, (names) => names.set(path, inode));
    return this.#file(path, inode);
  }

  async list(path: string): Promise<ReadonlyArray<string>> {
    const names = [...this.#names.keys()].filter((name) => directoryOf(name) === path);
    return names.map((name) => baseName(name)).sort();
  }

  async walk(path: string): Promise<ReadonlyArray<FileEntry>> {
    const entries = [...this.#names].filter(([name]) => name.startsWith(`${path}/`));
    return entries
      .map(([name, inode]) => ({
        path: name.slice(path.length + 1),
        bytes: inode.bytes.byteLength,
      }))
      .sort((a, b) => a.path < b.path ? -1 : 1);
  }

  async makeDirectory(): Promise<void> {}

  async syncDirectory(path: string): Promise<void> {
    this.#fault("syncDirectory");
    for (const { directory, change } of this.#pending) {
      if (directory === path) change(this.#durableNames);
    }
    this.#pending = this.#pending.filter(({ directory }) => directory !== path);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#fault("rename");
    const inode = this.#names.get(from);
    if (inode === undefined) throw systemError("ENOENT", `no such file "${from}"`);
    this.#change(to, (names) => {
      names.delete(from);
      names.set(to, inode);
    });
  }

  async remove(path: string): Promise<void> {
    this.#change(path, (names) => names.delete(path));
  }

  #file(path: string, inode: Inode): DiskFile {
    const epoch = this.#epoch;
    const alive = () => {
      if (epoch !== this.#epoch) throw systemError("EIO", `"${path}" was open during a crash`);
    };
    return {
      path,
      write: async (parts, position) => {
        alive();
        const fault = this.#take("write");
        let at = position;
        for (const part of parts) {
          const room = this.capacityBytes - this.#usedBytes() + inode.bytes.byteLength - at;
          let count = Math.max(0, Math.min(part.byteLength, room));
          if (fault !== undefined) count = this.#random.below(count + 1);
          this.#store(inode, part.subarray(0, count), at);
          at += count;
          if (fault !== undefined || count < part.byteLength) {
            throw systemError(fault ?? "ENOSPC", `write to "${path}"`);
          }
        }
      },
      read: async (position, length) => {
        alive();
        return inode.bytes.slice(position, position + length);
      },
      syncData: async () => {
        alive();
        const fault = this.#take("syncData");
        const dirty = inode.dirty.splice(0);
        if (fault !== undefined) throw systemError(fault, `fdatasync of "${path}"`);
        inode.durable = resized(inode.durable, inode.bytes.byteLength);
        for (const { start, end } of dirty) copyRange(inode.bytes, inode.durable, start, end);
      },
      truncate: async (length) => {
        alive();
        this.#fault("truncate");
        inode.bytes = resized(inode.bytes, length);
      },
      size: async () => inode.bytes.byteLength,
      close: async () => {},
    };
  }

  #store(inode: Inode, bytes: Uint8Array, at: number): void {
    const end = at + bytes.byteLength;
    if (end > inode.bytes.byteLength) inode.bytes = resized(inode.bytes, end);
    inode.bytes.set(bytes, at);
    inode.dirty.push({ start: at, end });
  }

  #crashInode(inode: Inode): void {
    const [low, high] = [inode.durable.byteLength, inode.bytes.byteLength].sort((a, b) => a - b);
    const after = resized(inode.durable, this.#random.between(low as number, high as number));
    for (const { start, end } of inode.dirty) {
      for (let at = start; at < end; at += pieceBytes) {
        if (this.#random.oneIn(2)) {
          copyRange(inode.bytes, after, at, Math.min(end, at + pieceBytes));
        }
      }
    }
    inode.bytes = after;
    inode.durable = after.slice();
    inode.dirty = [];
  }

  #usedBytes(): number {
    let bytes = 0;
    for (const inode of new Set(this.#names.values())) bytes += inode.bytes.byteLength;
    return bytes;
  }

  #change(path: string, change: NameChange): void {
    change(this.#names);
    this.#pending.push({ directory: directoryOf(path), change });
  }

  #take(operation: DiskOperation): string | undefined {
    const code = this.#faults.get(operation);
    this.#faults.delete(operation);
    return code;
  }

  #fault(operation: DiskOperation): void {
    const code = this.#take(operation);
    if (code !== undefined) throw systemError(code, operation);
  }
}

function directoryOf(path: string): string {
  return joinPath(path, "..");
}

function resized(bytes: Uint8Array, length: number): Uint8Array {
  const result = new Uint8Array(length);
  result.set(bytes.subarray(0, length));
  return result;
}

function copyRange(from: Uint8Array, to: Uint8Array, start: number, end: number): void {
  const limit = Math.min(end, from.byteLength, to.byteLength);
  if (start < limit) to.set(from.subarray(start, limit), start);
}

function systemError(code: string, text: string): Error {
  return Object.assign(new Error(`${code}: ${text} (simulated)`), { code });
}
