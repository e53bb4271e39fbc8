/** Tailing against a model, on real files and virtual time: files are written and rotated in every way, in
 *  any order with looks at files and at globs, batches being sealed and crashes, which lose what was not
 *  sealed. In the end each line was sealed once. tailing.test.ts runs it; collectorTorture.ts does the same
 *  with processes.
 *
 *  What no collector could know is left out: a file is deleted only when it is open or has been sealed. */
import { mkdtempSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Random } from "../../src/testing/random.ts";
import {
  type Compression,
  compressions,
  finishRotation,
  methods,
  namings,
  RotatingLog,
} from "../../src/testing/rotatingLog.ts";
import type { FilePosition } from "../../src/collector/positions/position.ts";
import { isFilePosition } from "../../src/collector/positions/position.ts";
import { LabelSet } from "../../src/collector/stages/labelSet.ts";
import type { StagePipeline } from "../../src/collector/stages/stage.ts";
import { CompressedFiles } from "../../src/collector/tailing/CompressedFiles.ts";
import { FilePositions } from "../../src/collector/tailing/FilePositions.ts";
import { FileTargets } from "../../src/collector/tailing/FileTargets.ts";
import { Glob } from "../../src/collector/tailing/glob.ts";
import type { LineColumns, LineSink, Origin } from "../../src/collector/tailing/lineSink.ts";
import { Schedule } from "../../src/collector/tailing/schedule.ts";
import { Tailer } from "../../src/collector/tailing/Tailer.ts";

const noStages: StagePipeline = {
  process: () => {},
  tick: () => {},
  flush: () => {},
  flushOrigin: () => {},
  follow: () => {},
  joinsLines: false,
  eachHeld: () => {},
  pausedUntilMs: 0,
};

/** Takes lines as the intake does, which seals a batch when it is full; what is not sealed is lost in a crash. */
class ModelSink implements LineSink {
  readonly sealed: string[] = [];
  readonly positions = new Map<string, FilePosition>();
  #pending: string[] = [];
  readonly #moved = new Set<Origin>();
  readonly #history: string[];
  readonly #random: Random;

  constructor(history: string[], random: Random) {
    this.#history = history;
    this.#random = random;
  }

  lines({ bytes, starts, ends, count }: LineColumns, _: unknown, origin: Origin): void {
    if (this.#random.oneIn(8)) this.seal();
    for (let index = 0; index < count; index++) {
      const line = new TextDecoder().decode(bytes.subarray(starts[index], ends[index]));
      this.#pending.push(line.split(" ", 2).join(" "));
    }
    this.#moved.add(origin);
    const position = origin.positionBefore() as FilePosition;
    this.#history.push(
      `  read ${count} lines up to "${this.#pending.at(-1)}" in ${position.path} (${position.id})`,
    );
  }

  moved(origin: Origin): void {
    this.#moved.add(origin);
    if (this.#random.oneIn(8)) this.seal();
  }

  seal(): void {
    this.sealed.push(...this.#pending);
    for (const origin of this.#moved) {
      const position = origin.positionBefore();
      if (position !== undefined && isFilePosition(position)) {
        this.positions.set(position.id, structuredClone(position));
      }
    }
    this.forget();
  }

  forget(): void {
    this.#pending = [];
    this.#moved.clear();
  }
}

/** The collector's half of the world. */
class Collector {
  readonly targets: FileTargets;
  readonly #tailer: Tailer;
  readonly #compressed: CompressedFiles;

  constructor(world: World) {
    const { sink, directory } = world;
    const positions = new FilePositions(
      sink.positions.values(),
      (position) => sink.moved({ id: position.id, positionBefore: () => position }),
    );
    const warn = (message: string) => world.warnings.push(message);
    const shared = {
      sink,
      limits: { bytesMax: 1000, longLines: "split" as const },
      positions,
      nowMs: () => world.nowMs,
      warn: (message: string) => void warn(message),
    };
    this.#tailer = new Tailer({
      ...shared,
      schedule: new Schedule(250),
      openFilesMax: world.openFilesMax,
      filesMax: 1000,
    });
    const isReading = this.#tailer.isReading.bind(this.#tailer);
    this.#compressed = new CompressedFiles({ ...shared, isReading });
    this.targets = new FileTargets({
      tailer: this.#tailer,
      compressed: this.#compressed,
      positions,
      migrated: new Map(),
      startedMs: world.startedMs,
      nowMs: () => world.nowMs,
      watches: false,
      warn,
    });
    const group = (path: string, exclude?: string) => ({
      job: "job",
      glob: new Glob(path),
      pathText: path,
      exclude: exclude === undefined ? undefined : new Glob(exclude),
      pipeline: noStages,
      labels: LabelSet.empty,
      compression: undefined,
      compressedDelayMs: 1000,
    });
    this.targets.set("all", [
      // What rotation calls c-20260101.log or d-20260101.log matches the first glob.
      group(`${directory}/*.log`, `${directory}/a-*`),
      // As with a careless star, rotated files are targets themselves.
      group(`${directory}/*.out*`),
    ]);
  }

  pass(): Promise<void> {
    return this.#tailer.pass(() => Promise.resolve(), new AbortController().signal);
  }

  compressedPass(): Promise<void> {
    return this.#compressed.pass(() => Promise.resolve(), new AbortController().signal);
  }

  close(): void {
    this.targets.close();
    this.#tailer.close();
  }
}

export class World {
  readonly directory = mkdtempSync(join(tmpdir(), "tailrace-tailing-"));
  readonly warnings: string[] = [];
  readonly history: string[] = [];
  readonly sink: ModelSink;
  readonly random: Random;
  readonly openFilesMax: number;
  nowMs = 1_700_000_000_000;
  startedMs: number | undefined;
  readonly #logs: ReadonlyArray<RotatingLog>;
  readonly #compression: ReadonlyMap<RotatingLog, Compression>;
  /** Rotations that are half done. */
  readonly #rotations = new Map<RotatingLog, Generator<void>>();
  #collector: Collector;

  constructor(random: Random) {
    this.random = random;
    this.sink = new ModelSink(this.history, random);
    this.openFilesMax = random.pick([100, 100, 2]);
    this.#logs = ["a.log", "b.out", "c.log"].map((name) =>
      new RotatingLog({
        path: join(this.directory, name),
        naming: random.pick(namings),
        onWritten: (path) => this.#touch(path),
      })
    );
    this.#compression = new Map(this.#logs.map((log) => [log, random.pick(compressions)]));
    this.#collector = new Collector(this);
  }

  async run(steps: number): Promise<void> {
    for (const { name, naming } of this.#logs) this.history.push(`${name}: ${naming}`);
    this.history.push(`open files at most: ${this.openFilesMax}`);
    // What was rotated away before the first look at the globs is nobody's.
    this.#collector.targets.scan();
    await this.#collector.pass();
    for (const log of this.#logs) this.#write(log);
    this.sink.seal();
    for (let step = 0; step < steps; step++) await this.#step();
    for (const log of this.#logs) {
      log.complete();
      this.#finishRotation(log);
    }
    // Time for everything to settle.
    for (let round = 0; round < 60; round++) {
      this.nowMs += 1_500;
      this.#collector.targets.scan();
      await this.#collector.pass();
      await this.#collector.compressedPass();
    }
    this.sink.seal();
    this.#collector.close();
  }

  expected(): string[] {
    return this.#logs.flatMap((log) =>
      Array.from({ length: log.written }, (_, number) => log.lineAt(number))
    ).sort();
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  async #step(): Promise<void> {
    const { random } = this;
    this.nowMs += random.pick([0, 10, 100, 300, 2_000]);
    const log = random.pick(this.#logs);
    switch (random.below(10)) {
      case 0:
      case 1:
      case 2:
        this.#write(log);
        break;
      case 3:
      case 4:
        this.#rotate(log);
        break;
      case 5:
        this.history.push("scan");
        this.#collector.targets.scan();
        break;
      case 6:
        await this.#pass();
        break;
      case 7:
        this.history.push("compressed");
        await this.#collector.compressedPass();
        break;
      case 8:
        this.history.push("seal");
        this.sink.seal();
        break;
      case 9:
        if (random.oneIn(4)) await this.#delete(log);
        else if (random.oneIn(3)) this.#crash();
    }
  }

  async #pass(): Promise<void> {
    this.history.push("pass");
    await this.#collector.pass();
  }

  #crash(): void {
    this.history.push("crash");
    this.#collector.close();
    this.sink.forget();
    this.startedMs = 1_700_000_000_000;
    this.#collector = new Collector(this);
  }

  #write(log: RotatingLog): void {
    // A copytruncate that is half done would lose the lines, whoever reads.
    if (this.#rotations.has(log)) return;
    const { random } = this;
    const before = log.written;
    log.write(random.between(1, 5), random, random.pick([0, 0, 10, 600]), random.oneIn(5));
    this.history.push(`write ${log.name} ${before}..${log.written}`);
  }

  /** Begins a rotation, or goes on with it. */
  #rotate(log: RotatingLog): void {
    const { random } = this;
    if (!this.#rotations.has(log)) {
      const method = random.pick(methods);
      const compression = this.#compression.get(log)!;
      this.history.push(`rotate ${log.name}: ${method}, compress ${compression}`);
      this.#rotations.set(log, log.rotate(method, compression));
    }
    if (random.oneIn(3)) return this.#finishRotation(log);
    this.history.push(`rotate ${log.name} on`);
    if (this.#rotations.get(log)!.next().done === true) this.#rotations.delete(log);
  }

  #finishRotation(log: RotatingLog): void {
    const rotation = this.#rotations.get(log);
    if (rotation === undefined) return;
    this.history.push(`rotate ${log.name} to the end`);
    finishRotation(rotation);
    this.#rotations.delete(log);
  }

  /** Deletes the log while the collector has it open, or its oldest rotated file when all lines are sealed. */
  async #delete(log: RotatingLog): Promise<void> {
    if (this.#rotations.has(log)) return;
    const oldest = log.rotated()[0];
    if (oldest !== undefined) {
      if (this.sink.sealed.length !== this.expected().length) return;
      this.history.push(`delete ${oldest}`);
      rmSync(oldest);
      return;
    }
    if (this.openFilesMax < 100 || log.bytes === 0) return;
    log.complete();
    this.#collector.targets.scan();
    await this.#pass();
    log.write(2, this.random);
    this.history.push(`delete ${log.name} at line ${log.written}`);
    rmSync(log.path);
    await this.#pass();
    // By then an idle file is looked at again.
    this.nowMs += 6_000;
    await this.#pass();
    this.sink.seal();
  }

  #touch(path: string): void {
    utimesSync(path, this.nowMs / 1000, this.nowMs / 1000);
  }
}
