/** `file_sd_configs`: targets that other programs write into files, JSON or YAML, as a list of `targets` and `labels`. Owns when
 *  the files are looked at: at a change in their directory, and every refresh_interval. A file that cannot be read keeps
 *  the targets that it had; one that is gone has none. */
import { Effect, Layer, Result, Schema } from "effect";
import { errorText, parentPath, readTextFileNow } from "../../platform/files.ts";
import { watchDirectory } from "../../platform/logFiles.ts";
import { ConfigDocument } from "../../platform/yaml/document.ts";
import { type FileSdConfig, StaticConfig } from "../config/scrapeConfig.ts";
import { Signal } from "../delivery/signal.ts";
import { type Job, Lines } from "../Lines.ts";
import { staticTargets } from "../relabel/targetLabels.ts";
import type { SourceState } from "../sourceState.ts";
import type { FileGroup } from "../tailing/FileTargets.ts";
import { FileTail } from "../tailing/FileTail.ts";
import { Glob, InvalidGlob } from "../tailing/glob.ts";
import { fileGroup } from "./staticTargets.ts";

const fileBytesMax = 16 << 20;
/** After a change, so that what is being written is whole. */
const settleMs = 100;

/** Fails with InvalidGlob. */
export const fileDiscoveryLayer = Layer.effectDiscard(
  Effect.gen(function* () {
    const { jobs } = yield* Lines;
    for (const job of jobs) {
      for (const config of job.config.file_sd_configs) yield* discover(job, config);
    }
  }),
);

const discover = Effect.fnUntraced(function* (job: Job, config: FileSdConfig) {
  const { targets } = yield* FileTail;
  const lines = yield* Lines;
  const run = yield* Effect.context<never>();
  const files = yield* Effect.try({
    try: () =>
      new TargetFiles({
        job,
        config,
        set: (target, groups) => targets.set(target, groups),
        onProblem: (message) => void Effect.runForkWith(run)(Effect.logError(message)),
      }),
    catch: (error) => error as InvalidGlob,
  });
  lines.sources.add(files.state);
  yield* Effect.addFinalizer(() => Effect.sync(() => files.close()));
  yield* Effect.forkScoped(
    Effect.sync(() => files.refresh()).pipe(
      Effect.andThen(
        Effect.promise((signal) => files.changed(signal)).pipe(
          Effect.timeoutOption(config.refresh_interval),
        ),
      ),
      Effect.andThen(Effect.sleep(settleMs)),
      Effect.forever,
    ),
  );
});

const Groups = Schema.Array(StaticConfig);

interface TargetFilesOptions {
  readonly job: Job;
  readonly config: FileSdConfig;
  readonly set: (target: string, groups: ReadonlyArray<FileGroup>) => void;
  readonly onProblem: (message: string) => void;
}

/** The files of one configuration and what is in them. */
export class TargetFiles {
  readonly state: SourceState;
  readonly #options: TargetFilesOptions;
  readonly #globs: ReadonlyArray<Glob>;
  readonly #changed = new Signal();
  readonly #watches = new Map<string, (() => void) | undefined>();
  /** By path: the text that its targets were made of. */
  readonly #texts = new Map<string, string>();
  readonly #problems = new Map<string, string>();

  /** Throws InvalidGlob. */
  constructor(options: TargetFilesOptions) {
    this.#options = options;
    const { job, config: { files } } = options;
    this.#globs = files.map((pattern) => new Glob(pattern));
    this.state = {
      job: job.name,
      kind: "files",
      where: files.join(", "),
      isReady: true,
      detail: () => `${this.#texts.size} files of targets`,
    };
  }

  /** Resolves at the next change in a directory of the files, or when nobody waits for it any more. */
  changed(signal: AbortSignal): Promise<void> {
    return this.#changed.wait(signal);
  }

  /** Brings targets up to date with the files. */
  refresh(): void {
    const directories = new Set<string>();
    const paths = new Set(
      this.#globs.flatMap((glob) => [...glob.find((at) => directories.add(at))]),
    );
    for (const path of this.#texts.keys()) if (!paths.has(path)) this.#remove(path);
    for (const path of paths) {
      directories.add(parentPath(path));
      this.#read(path);
    }
    this.#watch(directories);
    this.state.problem = [...this.#problems.values()][0];
  }

  close(): void {
    for (const close of this.#watches.values()) close?.();
    this.#watches.clear();
  }

  #read(path: string): void {
    const { job, set } = this.#options;
    try {
      const text = readTextFileNow(path);
      if (this.#texts.get(path) === text) return;
      if (text.length > fileBytesMax) throw new Error(`it has more than ${fileBytesMax} bytes`);
      set(this.#target(path), groupsOf(job, path, text));
      this.#texts.set(path, text);
      this.#problems.delete(path);
    } catch (error) {
      const problem = `the targets in "${path}" cannot be read: ${errorText(error)}`;
      if (this.#problems.get(path) !== problem) {
        this.#options.onProblem(`Job "${job.name}": ${problem}`);
      }
      this.#problems.set(path, problem);
    }
  }

  #remove(path: string): void {
    this.#texts.delete(path);
    this.#problems.delete(path);
    this.#options.set(this.#target(path), []);
  }

  #watch(directories: ReadonlySet<string>): void {
    for (const [directory, close] of this.#watches) {
      if (directories.has(directory) && close !== undefined) continue;
      close?.();
      this.#watches.delete(directory);
    }
    for (const directory of directories) {
      if (this.#watches.has(directory)) continue;
      const watch = watchDirectory(
        directory === "" ? "." : directory,
        () => this.#changed.notify(),
      );
      this.#watches.set(directory, watch?.close);
    }
  }

  #target(path: string): string {
    return `file/${this.#options.job.name}/${path}`;
  }
}

/** The groups of files that a file of targets names. Throws if it is not one. */
function groupsOf(job: Job, path: string, text: string): ReadonlyArray<FileGroup> {
  // JSON is YAML.
  const { value = [], syntaxProblems: [problem] } = new ConfigDocument(text);
  if (problem !== undefined) {
    throw new Error(`line ${problem.line}, col ${problem.column}: ${problem.message}`);
  }
  const groups = Schema.decodeUnknownResult(Groups)(value, { onExcessProperty: "error" });
  if (Result.isFailure(groups)) throw new Error(groups.failure.message);
  return groups.success.flatMap(staticTargets).flatMap((target) =>
    fileGroup(job, new Map([["__meta_filepath", path], ...target])) ?? []
  );
}
