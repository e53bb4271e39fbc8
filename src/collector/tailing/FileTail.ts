/** The tailing of files as a service: discovery gives it targets, it reads their files into Lines. Owns the
 *  loops (looking at files that are due, looking for files) and the figures; Tailer.ts and FileTargets.ts own
 *  the work. */
import { Context, Effect, Layer } from "effect";
import { systemNowMs } from "../../platform/clock.ts";
import { nodeDisk } from "../../platform/files.ts";
import { logFileStatus } from "../../platform/logFiles.ts";
import type { CollectorConfig } from "../config/collectorConfig.ts";
import { Lines } from "../Lines.ts";
import { isFilePosition } from "../positions/position.ts";
import { type PositionsUnreadable, readPromtailPositions } from "../positions/positionsFile.ts";
import { CompressedFiles } from "./CompressedFiles.ts";
import { FilePositions } from "./FilePositions.ts";
import { FileTargets } from "./FileTargets.ts";
import { lineLimits } from "./lineLimits.ts";
import { Pause } from "./Pause.ts";
import { scanPause, Schedule } from "./schedule.ts";
import { Tailer } from "./Tailer.ts";

const openFilesMax = 10_000;
const filesMax = 100_000;
/** What changes within so long is read in one pass. */
const passPauseMs = 25;
/** Compressed files are in no hurry. */
const compressedPauseMs = 250;
/** How often it is asked whether files are to be looked for. */
const scanCheckMs = 200;
/** Such questions between two sweeps of the watches, which are a second apart. */
const checksPerSweep = 5;

export class FileTail extends Context.Service<FileTail, {
  readonly targets: FileTargets;
  readonly tailer: Tailer;
}>()("tailrace/collector/tailing/FileTail") {
  static readonly layer = (
    config: CollectorConfig,
  ): Layer.Layer<FileTail, PositionsUnreadable | Error, Lines> =>
    Layer.effect(
      FileTail,
      Effect.gen(function* () {
        const lines = yield* Lines;
        const migrated = yield* migratedOffsets(config, lines);
        const run = yield* Effect.context<never>();
        const positions = new FilePositions(
          [...lines.positions.values()].filter(isFilePosition),
          (position) => lines.intake.moved({ id: position.id, positionBefore: () => position }),
        );
        const warn = (message: string) => void Effect.runForkWith(run)(Effect.logWarning(message));
        const shared = {
          sink: lines.intake,
          limits: lineLimits(config.limits_config),
          positions,
          nowMs: systemNowMs,
          warn,
        };
        const pollMs = config.global.file_watch_config.min_poll_frequency;
        const pause = new Pause(Math.min(passPauseMs, pollMs), pollMs);
        const tailer = new Tailer({
          ...shared,
          schedule: new Schedule(pollMs, () => pause.end()),
          openFilesMax,
          filesMax,
        });
        const isReading = tailer.isReading.bind(tailer);
        const compressed = new CompressedFiles({ ...shared, isReading });
        const targets: FileTargets = new FileTargets({
          tailer,
          compressed,
          positions,
          migrated,
          startedMs: startedMs(lines),
          nowMs: systemNowMs,
          watches: true,
          warn,
        });
        yield* Effect.addFinalizer(() =>
          Effect.sync(() => {
            targets.close();
            tailer.close();
          })
        );
        const pauseOfCompressed = new Pause(compressedPauseMs, compressedPauseMs);
        yield* Effect.forkScoped(passes(tailer, lines.room, pause));
        yield* Effect.forkScoped(passes(compressed, lines.room, pauseOfCompressed));
        yield* Effect.forkScoped(scans(targets, config.target_config.sync_period));
        return FileTail.of({ targets, tailer });
      }),
    );
}

/** Reads what is due, for ever. Interrupting waits for the file that is being read. */
const passes = (files: Tailer | CompressedFiles, room: () => Promise<void>, pause: Pause) =>
  Effect.promise(() => pause.wait()).pipe(
    Effect.andThen(Effect.promise((signal) => files.pass(room, signal))),
    Effect.forever,
  );

const scans = (targets: FileTargets, syncMs: number) => {
  let scannedMs = -Infinity;
  let tookMs = 0;
  let checks = 0;
  return Effect.sync(() => {
    if (++checks % checksPerSweep === 0) targets.sweep();
    const startedMs = performance.now();
    if (startedMs - scannedMs < scanPause(targets.isScanWanted, syncMs, tookMs)) return;
    targets.scan();
    scannedMs = performance.now();
    tookMs = scannedMs - startedMs;
  }).pipe(Effect.andThen(Effect.sleep(scanCheckMs)), Effect.forever);
};

/** When a collector with these positions was first started; undefined if that is now, which is noted. */
function startedMs({ positions, intake }: Lines["Service"]): number | undefined {
  const id = "files/started";
  const known = positions.get(id);
  if (known !== undefined && !isFilePosition(known)) return Number(known.cursor);
  const position = { id, cursor: String(systemNowMs()) };
  intake.moved({ id, positionBefore: () => position });
  return undefined;
}

/** How far Promtail had read, if this is the first start. */
const migratedOffsets = Effect.fnUntraced(function* (
  config: CollectorConfig,
  lines: Lines["Service"],
) {
  if (lines.positions.size > 0) return new Map<string, number>();
  const { filename } = config.positions;
  const entries = yield* Effect.tryPromise({
    try: () => readPromtailPositions(nodeDisk, config.positions),
    catch: (error) => error instanceof Error ? error : new Error(String(error)),
  });
  const offsets = new Map<string, number>();
  for (const { key, value } of entries) {
    const offset = Number(value);
    if (Number.isSafeInteger(offset) && logFileStatus(key)?.isFile === true) {
      offsets.set(key, offset);
    }
  }
  if (offsets.size > 0) {
    yield* Effect.logInfo(`${offsets.size} files go on where Promtail was, by "${filename}"`);
  }
  return offsets;
});
