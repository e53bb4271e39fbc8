/** What is in the directories of logs, for the time of one look: names, which belong to one log, inodes. Owns not
 *  asking the system twice; whoever acts on it opens the file and looks again.
 *  Invariant: a look is dropped when it is over. */
import { parentPath } from "../../platform/files.ts";
import {
  directoryEntries,
  joinLogPath,
  type LogFileStatus,
  logFileStatus,
} from "../../platform/logFiles.ts";
import { logNameOf } from "./rotationNames.ts";

export class DirectoryLook {
  readonly #paths = new Map<string, ReadonlyArray<string>>();
  readonly #byLog = new Map<string, Map<string, string[]>>();
  readonly #byInode = new Map<string, Map<number, string>>();
  readonly #statuses = new Map<string, LogFileStatus | undefined>();

  status(path: string): LogFileStatus | undefined {
    if (!this.#statuses.has(path)) this.#statuses.set(path, logFileStatus(path));
    return this.#statuses.get(path);
  }

  /** The files beside `path`, itself included. */
  beside(path: string): ReadonlyArray<string> {
    const directory = parentPath(path);
    const known = this.#paths.get(directory);
    if (known !== undefined) return known;
    const paths = directoryEntries(directory).filter((entry) => !entry.isDirectory)
      .map((entry) => joinLogPath(directory, entry.name));
    this.#paths.set(directory, paths);
    return paths;
  }

  /** The files beside `path` that by their names are rotations of the same log, itself included. */
  rotationsOf(path: string): ReadonlyArray<string> {
    return this.logsIn(parentPath(path)).get(logNameOf(path)) ?? [];
  }

  /** The files of a directory by the path of the log that they are or are rotations of. */
  logsIn(directory: string): ReadonlyMap<string, ReadonlyArray<string>> {
    let byLog = this.#byLog.get(directory);
    if (byLog === undefined) {
      byLog = new Map<string, string[]>();
      for (const path of this.beside(joinLogPath(directory, "x"))) {
        const log = logNameOf(path);
        const known = byLog.get(log);
        if (known === undefined) byLog.set(log, [path]);
        else known.push(path);
      }
      this.#byLog.set(directory, byLog);
    }
    return byLog;
  }

  /** The file beside `path` that has the inode. */
  withInode(path: string, inode: number): string | undefined {
    const directory = parentPath(path);
    let byInode = this.#byInode.get(directory);
    if (byInode === undefined) {
      byInode = new Map();
      for (const sibling of this.beside(path)) {
        const status = this.status(sibling);
        if (status?.isFile === true) byInode.set(status.inode, sibling);
      }
      this.#byInode.set(directory, byInode);
    }
    return byInode.get(inode);
  }
}
