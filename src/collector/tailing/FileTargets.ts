/** Which paths are to be tailed: expands the globs of all targets again and again, and tells the Tailer what
 *  it finds. Discovery adds and removes targets; RotatedFiles.ts owns files that no glob finds, Tailer.ts what
 *  becomes of a file once its path is known. */
import type { CompressionFormat } from "../../platform/decompressedFile.ts";
import { baseName, parentPath } from "../../platform/files.ts";
import { joinLogPath } from "../../platform/logFiles.ts";
import { LabelSet } from "../stages/labelSet.ts";
import type { StagePipeline } from "../stages/stage.ts";
import { DirectoryLook } from "./DirectoryLook.ts";
import { DirectoryWatches } from "./DirectoryWatches.ts";
import type { CompressedFiles } from "./CompressedFiles.ts";
import { Glob } from "./glob.ts";
import type { Stream } from "./lineSink.ts";
import { type FileReaders, RotatedFiles } from "./RotatedFiles.ts";
import { compressionOf, logNameOf } from "./rotationNames.ts";
import type { Tailer } from "./Tailer.ts";
import type { TextEncoding } from "./textEncoding.ts";

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
  /** Set if all files of the group are compressed, whatever their names say. */
  readonly compression: CompressionFormat | undefined;
  /** Set if the files are not UTF-8. */
  readonly encoding?: TextEncoding | undefined;
  /** A compressed file is read once it has not changed for so long. */
  readonly compressedDelayMs: number;
}

export class FileTargets {
  readonly #tailer: Tailer;
  readonly #compressed: CompressedFiles;
  readonly #rotated: RotatedFiles;
  /** Where Promtail had read up to, by path. */
  readonly #migrated: ReadonlyMap<string, number>;
  readonly #groups = new Map<string, ReadonlyArray<FileGroup>>();
  readonly #pathsOf = new WeakMap<FileGroup, Set<string>>();
  readonly #watches: DirectoryWatches | undefined;
  #isScanWanted = true;
  /** Whether groups have come or gone since the last look. */
  #isChanged = true;

  constructor(
    options: FileReaders & {
      readonly migrated: ReadonlyMap<string, number>;
      /** When a collector with these positions was first started, if that is known. */
      readonly startedMs: number | undefined;
      /** Whether directories are watched. */
      readonly watches: boolean;
      readonly warn: (message: string) => void;
    },
  ) {
    this.#tailer = options.tailer;
    this.#compressed = options.compressed;
    this.#rotated = new RotatedFiles(options, options.startedMs);
    this.#migrated = options.migrated;
    this.#watches = options.watches
      ? new DirectoryWatches(
        (directory, name, isNameChange) => this.#changed(directory, name, isNameChange),
        options.warn,
      )
      : undefined;
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
    this.#isScanWanted = this.#isChanged = true;
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
    this.#tailer.checkPaths();
    const look = new DirectoryLook();
    const targets = new Set<string>();
    const rotated: Array<readonly [FileGroup, string]> = [];
    for (const group of this.groups) {
      const visited = new Set<string>();
      const found = group.glob.find((directory) => visited.add(directory || "."));
      const paths = new Set([...found].filter((path) => !group.exclude?.matches(path)));
      this.#pathsOf.set(group, paths);
      for (const path of paths) {
        targets.add(`${group.job}\0${path}`);
        if (logNameOf(path) !== path) {
          rotated.push([group, path]);
          continue;
        }
        this.#find(group, path);
        const real = this.#tailer.realPathOf(group.job, path);
        // Changes of a file are noticed where it is, not where links to it are.
        if (real !== undefined) directories.add(parentPath(real));
      }
      for (const directory of visited) {
        directories.add(directory);
        this.#rotated.discover(
          group,
          directory,
          look,
          (path) => matchesGroup(group, path) ? streamOf(group, path) : undefined,
        );
      }
    }
    // A copy is told from its original, which is known by now.
    for (const [group, path] of rotated) this.#find(group, path);
    if (this.#isChanged) this.#rotated.recall((job, path) => this.#targetOf(job, path));
    this.#isChanged = false;
    this.#rotated.look(look, (job, path) => targets.has(`${job}\0${path}`));
    this.#compressed.forgetAbsent();
    this.#watches?.retain(directories);
  }

  /** To be called about once a second. */
  sweep(): void {
    this.#watches?.sweep();
  }

  close(): void {
    this.#watches?.close();
  }

  #find(group: FileGroup, path: string): void {
    const { job, compressedDelayMs: delayMs } = group;
    // As most are at most looks.
    if (this.#rotated.see(group, path) && this.#tailer.has(job, path)) return;
    const stream = streamOf(group, path);
    const format = group.compression ?? compressionOf(path);
    if (format !== undefined) {
      this.#compressed.offer({ job, path, log: path, stream, format, delayMs });
      return;
    }
    const sinceMs = this.#rotated.know(group, path, stream);
    if (this.#tailer.has(job, path)) return;
    const migratedOffset = this.#migrated.get(path);
    this.#tailer.offer({ job, path, stream, sinceMs, migratedOffset });
  }

  #targetOf(job: string, path: string): [FileGroup, Stream] | undefined {
    const group = this.#groupFor(job, path);
    return group === undefined ? undefined : [group, streamOf(group, path)];
  }

  #groupFor(job: string, path: string): FileGroup | undefined {
    return this.groups.find((group) => group.job === job && matchesGroup(group, path));
  }

  #changed(directory: string, name: string, isNameChange: boolean): void {
    if (name === "") {
      this.#isScanWanted = true;
      return;
    }
    const path = joinLogPath(directory === "." ? "" : directory, baseName(name));
    this.#tailer.wake(path);
    if (!isNameChange) return;
    const groups = this.groups.filter((group) => matchesGroup(group, path));
    // It may be a directory, or what rotation made of a log.
    if (groups.length === 0 || logNameOf(path) !== path) {
      this.#isScanWanted = true;
      return;
    }
    for (const group of groups) {
      this.#pathsOf.get(group)?.add(path);
      this.#find(group, path);
    }
  }
}

function matchesGroup({ glob, exclude }: FileGroup, path: string): boolean {
  return glob.matches(path) && exclude?.matches(path) !== true;
}

function streamOf(group: FileGroup, path: string): Stream {
  const { pipeline, labels, encoding } = group;
  return { pipeline, labels: labels.with("filename", path), encoding };
}
