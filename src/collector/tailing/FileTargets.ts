/** Which paths are to be tailed: expands the globs of all targets again and again, and tells the Tailer what
 *  it finds. Discovery adds and removes targets; Tailer.ts owns what becomes of a file once its path is
 *  known. */
import { baseName } from "../../platform/files.ts";
import { joinLogPath, logFileStatus } from "../../platform/logFiles.ts";
import { LabelSet } from "../stages/labelSet.ts";
import type { StagePipeline } from "../stages/stage.ts";
import { DirectoryWatches } from "./DirectoryWatches.ts";
import type { FilePositions } from "./FilePositions.ts";
import { Glob } from "./glob.ts";
import type { Stream } from "./lineSink.ts";
import type { Tailer } from "./Tailer.ts";

/** Files that one target names, and what their lines get. */
export interface FileGroup {
  /** The scrape config. */
  readonly job: string;
  readonly glob: Glob;
  readonly pathText: string;
  readonly exclude: Glob | undefined;
  readonly pipeline: StagePipeline;
  /** Without `filename`. */
  readonly labels: LabelSet;
}

export class FileTargets {
  readonly #tailer: Tailer;
  readonly #positions: FilePositions;
  /** Where Promtail had read up to, by path. */
  readonly #migrated: ReadonlyMap<string, number>;
  readonly #groups = new Map<string, ReadonlyArray<FileGroup>>();
  readonly #pathsOf = new WeakMap<FileGroup, Set<string>>();
  readonly #watches: DirectoryWatches;
  #isScanWanted = true;

  constructor(options: {
    readonly tailer: Tailer;
    readonly positions: FilePositions;
    readonly migrated: ReadonlyMap<string, number>;
  }) {
    this.#tailer = options.tailer;
    this.#positions = options.positions;
    this.#migrated = options.migrated;
    this.#watches = new DirectoryWatches((directory, name, isNameChange) =>
      this.#changed(directory, name, isNameChange)
    );
  }

  get groups(): ReadonlyArray<FileGroup> {
    return [...this.#groups.values()].flat();
  }

  /** The paths of a group that were found at the last look. */
  pathsOf(group: FileGroup): ReadonlySet<string> {
    return this.#pathsOf.get(group) ?? new Set();
  }

  /** Whether something has happened that a look at all globs would find. */
  get isScanWanted(): boolean {
    return this.#isScanWanted;
  }

  /** Replaces the groups of one discoverer's target; none removes it. */
  set(target: string, groups: ReadonlyArray<FileGroup>): void {
    const old = this.#groups.get(target) ?? [];
    if (groups.length === 0) this.#groups.delete(target);
    else this.#groups.set(target, groups);
    this.#isScanWanted = true;
    for (const group of old) {
      for (const path of this.pathsOf(group)) {
        if (this.#groupFor(group.job, path) === undefined) this.#tailer.withdraw(group.job, path);
      }
    }
  }

  /** Looks for files of all groups. */
  scan(): void {
    this.#isScanWanted = false;
    const directories = new Set<string>();
    for (const group of this.groups) {
      const found = group.glob.find((directory) => directories.add(directory || "."));
      const paths = new Set([...found].filter((path) => !group.exclude?.matches(path)));
      this.#pathsOf.set(group, paths);
      for (const path of paths) this.#offer(group, path);
    }
    this.#adoptOrphans();
    this.#watches.retain(directories);
  }

  /** To be called about once a second. */
  sweep(): void {
    this.#watches.sweep();
  }

  close(): void {
    this.#watches.close();
  }

  #offer(group: FileGroup, path: string): void {
    const { job } = group;
    if (this.#tailer.has(job, path)) return;
    this.#tailer.offer({
      job,
      path,
      stream: streamOf(group, path),
      migratedOffset: this.#migrated.get(path),
    });
  }

  /** Files of the last run that no glob finds any more, since they were rotated while we were not running. */
  #adoptOrphans(): void {
    for (const position of this.#positions) {
      if (position.finishedMs !== undefined) continue;
      const group = this.#groupFor(position.job, position.path);
      if (group === undefined) continue;
      this.#tailer.adopt(position, streamOf(group, position.path));
    }
  }

  #groupFor(job: string, path: string): FileGroup | undefined {
    return this.groups.find((group) =>
      group.job === job && group.glob.matches(path) && group.exclude?.matches(path) !== true
    );
  }

  #changed(directory: string, name: string, isNameChange: boolean): void {
    if (name === "") {
      this.#isScanWanted = true;
      return;
    }
    const path = joinLogPath(directory === "." ? "" : directory, baseName(name));
    this.#tailer.wake(path);
    if (!isNameChange) return;
    const groups = this.groups.filter((group) =>
      group.glob.matches(path) && group.exclude?.matches(path) !== true
    );
    for (const group of groups) this.#offer(group, path);
    if (groups.length === 0 && logFileStatus(path)?.isDirectory === true) this.#isScanWanted = true;
  }
}

function streamOf(group: FileGroup, path: string): Stream {
  return { pipeline: group.pipeline, labels: group.labels.with("filename", path) };
}
