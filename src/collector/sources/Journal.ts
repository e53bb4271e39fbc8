/** `journal`: systemd's journal, through the program journalctl, which runs as long as we do and is started again when it ends.
 *  Owns its arguments, cursors and labels; journalEntry.ts owns what it prints.
 *
 *  Reading goes on with the entry that was last handed over: `--cursor` names it, and it is left out when it comes. Were
 *  it gone from the journal, `--after-cursor` would leave out another one. */
import { Effect, Layer } from "effect";
import { systemNowMs } from "../../platform/clock.ts";
import { runProgram } from "../../platform/childProcess.ts";
import { errorText } from "../../platform/files.ts";
import { linesOf } from "../../platform/httpStream.ts";
import type { JournalConfig } from "../config/scrapeConfig.ts";
import { type Job, Lines } from "../Lines.ts";
import { CursorTrail } from "../positions/CursorTrail.ts";
import { isFilePosition } from "../positions/position.ts";
import type { PromtailPositionsFile } from "../positions/positionsFile.ts";
import { promtailCursors } from "../positions/promtailCursors.ts";
import type { SourceState } from "../sourceState.ts";
import {
  type JournalEntry,
  journalJson,
  journalLabels,
  parseJournalEntry,
} from "./journalEntry.ts";

/** An entry is at most so long: a field of 48 MB, journald's limit, as an array of numbers. */
const entryBytesMax = 256 << 20;
const pauseMsMin = 1_000;
const pauseMsMax = 60_000;

/** Reads the journal for all jobs that ask for it. `positionsFile` is Promtail's. */
export const journalLayer = (positionsFile: PromtailPositionsFile) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const lines = yield* Lines;
      for (const job of lines.jobs) {
        if (job.config.journal === undefined) continue;
        yield* follow(lines, job, job.config.journal, positionsFile);
      }
    }),
  );

const follow = Effect.fnUntraced(function* (
  lines: Lines["Service"],
  job: Job,
  config: JournalConfig,
  positionsFile: PromtailPositionsFile,
) {
  const id = `journal/${job.name}`;
  const known = lines.positions.get(id);
  const cursor = known === undefined || isFilePosition(known)
    ? (yield* promtailCursors(positionsFile, lines.positions)).get(job.name)
    : known.cursor;
  const reader = new JournalReader(lines, job, config, new CursorTrail(id, cursor));
  lines.sources.add(reader.state);
  yield* Effect.forkScoped(
    Effect.gen(function* () {
      let pauseMs = pauseMsMin;
      for (;;) {
        const startedMs = systemNowMs();
        const problem = yield* Effect.promise((signal) => reader.run(signal));
        reader.state.problem = problem;
        pauseMs = systemNowMs() - startedMs > pauseMsMax
          ? pauseMsMin
          : Math.min(pauseMsMax, pauseMs * 2);
        yield* Effect.logWarning(`The journal of job "${job.name}" is not read: ${problem}`);
        yield* Effect.sleep(pauseMs);
      }
    }),
  );
});

class JournalReader {
  readonly state: SourceState;
  readonly #lines: Lines["Service"];
  readonly #job: Job;
  readonly #config: JournalConfig;
  readonly #trail: CursorTrail;
  /** Entries from before this are not wanted, whatever the cursor says. */
  readonly #oldestMs: number;
  #count = 0;
  #lastUs = 0;
  #sameUs = 0;

  constructor(lines: Lines["Service"], job: Job, config: JournalConfig, trail: CursorTrail) {
    this.#lines = lines;
    this.#job = job;
    this.#config = config;
    this.#trail = trail;
    this.#oldestMs = systemNowMs() - config.max_age;
    this.state = {
      job: job.name,
      kind: "journal",
      where: `${config.path || "of this machine"}${
        config.matches === "" ? "" : `, ${config.matches}`
      }`,
      isReady: true,
      detail: () => `${this.#count} entries`,
    };
  }

  /** Runs journalctl until it ends; resolves with the reason. */
  async run(signal: AbortSignal): Promise<string> {
    const { last } = this.#trail;
    const program = runProgram("journalctl", journalArguments(this.#config, last, this.#oldestMs));
    signal.addEventListener("abort", program.stop);
    try {
      let isFirst = true;
      for await (const line of linesOf(program.output, entryBytesMax)) {
        await this.#lines.roomOrEnd(signal);
        if (signal.aborted) break;
        this.#take(line, isFirst ? last : undefined);
        isFirst = false;
      }
      const { code, errors } = await program.ended;
      if (/seek to cursor/.test(errors)) {
        // The cursor is of another journal: all that is young enough is read.
        this.#trail.forget();
      }
      return `journalctl ended with code ${code}${errors === "" ? "" : `: ${errors}`}`;
    } catch (error) {
      return errorText(error);
    } finally {
      signal.removeEventListener("abort", program.stop);
      program.stop();
    }
  }

  #take(line: string, known: string | undefined): void {
    const { metrics } = this.#lines;
    let entry: JournalEntry;
    try {
      entry = parseJournalEntry(line);
    } catch (error) {
      metrics.series(metrics.journalErrors, { error: "unreadable" }).value++;
      this.state.problem = `an entry cannot be read: ${errorText(error)}`;
      return;
    }
    if (entry.cursor === known) {
      // How many of its microsecond came before it is not known any more.
      this.#lastUs = entry.realtimeUs;
      this.#sameUs = 499;
      return;
    }
    this.state.problem = undefined;
    const bytes = this.#config.json ? new TextEncoder().encode(journalJson(entry)) : entry.message;
    if (bytes === undefined) metrics.series(metrics.journalErrors, { error: "no_message" }).value++;
    else if (entry.realtimeUs / 1000 >= this.#oldestMs) this.#hand(entry, bytes);
    this.#trail.add(entry.cursor);
    this.#lines.intake.moved(this.#trail);
  }

  #hand(entry: JournalEntry, bytes: Uint8Array): void {
    const { metrics, intake } = this.#lines;
    const target = this.#job.relabel(journalLabels(entry, this.#config.labels));
    if (target === null) return;
    const { labels } = target;
    if (labels.pairs.length === 0) {
      metrics.series(metrics.journalErrors, { error: "empty_labels" }).value++;
      return;
    }
    metrics.series(metrics.journalLines).value++;
    this.#count++;
    const { pipeline } = this.#job;
    intake.line(bytes, this.#time(entry), { pipeline, labels }, this.#trail, this.#trail.next);
  }

  /** Entries of the same microsecond differ by a nanosecond, since equal ones would be stored once. */
  #time({ realtimeUs }: JournalEntry) {
    this.#sameUs = realtimeUs === this.#lastUs ? Math.min(999, this.#sameUs + 1) : 0;
    this.#lastUs = realtimeUs;
    const seconds = Math.floor(realtimeUs / 1_000_000);
    return { seconds, nanos: (realtimeUs - seconds * 1_000_000) * 1000 + this.#sameUs };
  }
}

/** What journalctl is started with. */
function journalArguments(
  { path, matches }: JournalConfig,
  cursor: string | undefined,
  oldestMs: number,
): ReadonlyArray<string> {
  return [
    "--follow",
    "--no-tail",
    "--quiet",
    "--no-pager",
    "--all",
    "--output=json",
    ...(path === "" ? [] : [`--directory=${path}`]),
    cursor === undefined ? `--since=@${Math.floor(oldestMs / 1000)}` : `--cursor=${cursor}`,
    ...matches.split(/\s+/).filter((match) => match !== ""),
  ];
}
