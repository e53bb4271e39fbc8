/** Positions of files that are not being read: those of the last run, until their file is found, and those of
 *  files that were read to their end, so that a copy of one (app.log.1.gz) is not taken for a new file. Owns
 *  finding by inode and by name, and the bound; positions/ owns how they are kept on disk. */
import type { FilePosition } from "../positions/position.ts";
import { addTo, deleteFrom } from "./mapOfSets.ts";
import { logNameOf, RelatedFiles } from "./rotationNames.ts";

/** Finished files of a log that are remembered beyond those that are there. */
const spareMax = 16;

export class FilePositions {
  readonly #byId = new Map<string, FilePosition>();
  readonly #unfinished = new Set<FilePosition>();
  readonly #byInode = new Map<number, Set<FilePosition>>();
  readonly #related = new RelatedFiles<FilePosition>();

  /** Is told of a position that changes although nobody reads its file. */
  readonly #onFinished: (position: FilePosition) => void;

  constructor(
    positions: Iterable<FilePosition> = [],
    onFinished: (position: FilePosition) => void = () => {},
  ) {
    this.#onFinished = onFinished;
    for (const position of positions) {
      if (position.finishedMs !== forgottenMs) this.put(position);
    }
  }

  [Symbol.iterator](): Iterator<FilePosition> {
    return this.#byId.values();
  }

  /** Those whose file has not been read to its end. */
  get unfinished(): ReadonlySet<FilePosition> {
    return this.#unfinished;
  }

  put(position: FilePosition): void {
    this.take(position.id);
    this.#byId.set(position.id, position);
    if (position.finishedMs === undefined) this.#unfinished.add(position);
    addTo(this.#byInode, position.inode, position);
    this.#related.add(position);
  }

  /** Takes a position out, because its file is being read again. */
  take(id: string): void {
    const position = this.#byId.get(id);
    if (position === undefined) return;
    this.#byId.delete(id);
    this.#unfinished.delete(position);
    deleteFrom(this.#byInode, position.inode, position);
    this.#related.remove(position);
  }

  /** Nothing more will be read of that file. */
  finish(position: FilePosition, nowMs: number): void {
    const finished = { ...position, finishedMs: nowMs };
    this.put(finished);
    this.#onFinished(finished);
  }

  /** The position of that id, if its file has not been read to its end; none or one. */
  unfinishedOf(id: string): ReadonlyArray<FilePosition> {
    const position = this.#byId.get(id);
    return position === undefined || position.finishedMs !== undefined ? [] : [position];
  }

  /** Positions that the file at `path` may have: those of its inode first, then of its name and of names
   *  that rotation may have turned into it, the newest first. */
  candidates(job: string, path: string, inode: number): ReadonlyArray<FilePosition> {
    const related = [...this.#related.of(path)].sort((a, b) => b.readMs - a.readMs);
    const found = new Set([...this.#byInode.get(inode) ?? [], ...related]);
    return [...found].filter((position) => position.job === job);
  }

  /** Forgets the oldest finished files of a log, of which `kept` are there. */
  limit(job: string, path: string, kept: number): void {
    if (this.#byId.size <= kept + spareMax) return;
    const related = this.#related.of(path);
    if (related.size <= kept + spareMax) return;
    const name = logNameOf(path);
    const finished = [...related].filter((position) =>
      position.job === job && position.finishedMs !== undefined &&
      (logNameOf(position.path) === name || logNameOf(position.log) === name)
    ).sort((a, b) => b.readMs - a.readMs);
    for (const position of finished.slice(kept + spareMax)) {
      this.take(position.id);
      this.#onFinished({ ...position, finishedMs: forgottenMs });
    }
  }
}

/** Finished so long ago that it is not kept. */
const forgottenMs = 0;
