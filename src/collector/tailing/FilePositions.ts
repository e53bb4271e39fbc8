/** Positions of files that are not being read: those of the last run, until their file is found, and those of
 *  files that were read to their end, so that a copy of one (app.log.1.gz) is not taken for a new file. Owns
 *  finding by inode and by name, and the bound; positions/ owns how they are kept on disk. */
import { parentPath } from "../../platform/files.ts";
import type { FilePosition } from "../positions/position.ts";
import { mayBecome } from "./identify.ts";

/** How long a file that was read to its end is remembered. */
const rememberedMs = 7 * 24 * 3600_000;

export class FilePositions {
  readonly #byId = new Map<string, FilePosition>();
  readonly #byInode = new Map<number, Set<FilePosition>>();
  readonly #byDirectory = new Map<string, Set<FilePosition>>();

  /** Is told of a position that changes although nobody reads its file. */
  readonly #onFinished: (position: FilePosition) => void;

  constructor(
    positions: Iterable<FilePosition> = [],
    onFinished: (position: FilePosition) => void = () => {},
  ) {
    this.#onFinished = onFinished;
    for (const position of positions) this.put(position);
  }

  [Symbol.iterator](): Iterator<FilePosition> {
    return this.#byId.values();
  }

  put(position: FilePosition): void {
    this.take(position.id);
    this.#byId.set(position.id, position);
    add(this.#byInode, position.inode, position);
    add(this.#byDirectory, parentPath(position.path), position);
  }

  /** Takes a position out, because its file is being read again. */
  take(id: string): void {
    const position = this.#byId.get(id);
    if (position === undefined) return;
    this.#byId.delete(id);
    remove(this.#byInode, position.inode, position);
    remove(this.#byDirectory, parentPath(position.path), position);
  }

  /** Nothing more will be read of that file. */
  finish(position: FilePosition, nowMs: number): void {
    const finished = { ...position, finishedMs: nowMs };
    this.put(finished);
    this.#onFinished(finished);
  }

  /** The position of that id, if its file has not been read to its end; none or one. */
  unfinished(id: string): ReadonlyArray<FilePosition> {
    const position = this.#byId.get(id);
    return position === undefined || position.finishedMs !== undefined ? [] : [position];
  }

  /** Positions that the file at `path` may have: those of its inode first, then of its name, then of names
   *  that rotation may have turned into it. */
  candidates(job: string, path: string, inode: number): ReadonlyArray<FilePosition> {
    const beside = [...this.#byDirectory.get(parentPath(path)) ?? []];
    const found = new Set([
      ...this.#byInode.get(inode) ?? [],
      ...beside.filter((position) => position.path === path),
      ...beside.filter((position) => mayBecome(position, path)),
    ]);
    return [...found].filter((position) => position.job === job);
  }

  /** Takes out and returns the positions of files that ended too long ago to matter. */
  expire(nowMs: number): ReadonlyArray<FilePosition> {
    const old = [...this.#byId.values()].filter(({ finishedMs }) =>
      finishedMs !== undefined && nowMs - finishedMs > rememberedMs
    );
    for (const { id } of old) this.take(id);
    return old;
  }
}

function add<Key>(index: Map<Key, Set<FilePosition>>, key: Key, position: FilePosition): void {
  const known = index.get(key);
  if (known === undefined) index.set(key, new Set([position]));
  else known.add(position);
}

function remove<Key>(index: Map<Key, Set<FilePosition>>, key: Key, position: FilePosition): void {
  const known = index.get(key);
  known?.delete(position);
  if (known?.size === 0) index.delete(key);
}
