/** Parts of a line on both sides of a rotation, as container runtimes leave them: real files, the tailer, the stages and
 *  the intake, in virtual time. Batches are sealed and the collector is killed at random; what was not sealed is lost
 *  with it. In the end each line was sealed once, as a whole. */
import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { type Random, randomFrom, seedFrom } from "../../testing/random.ts";
import { Intake } from "../Intake.ts";
import { type FilePosition, isFilePosition } from "../positions/position.ts";
import { compileStages } from "../stages/compile.ts";
import { LabelSet } from "../stages/labelSet.ts";
import { StageMetrics } from "../stages/stageMetrics.ts";
import { CompressedFiles } from "./CompressedFiles.ts";
import { FilePositions } from "./FilePositions.ts";
import { FileTargets } from "./FileTargets.ts";
import { Glob } from "./glob.ts";
import { Schedule } from "./schedule.ts";
import type { TailedFile } from "./TailedFile.ts";
import { Tailer } from "./Tailer.ts";

const runs = Number(process.env["TAILRACE_SUCCESSION_RUNS"] ?? "40");
const seed = seedFrom("TAILRACE_SUCCESSION_SEED");
const startMs = Date.UTC(2026, 0, 1);

/** A node with one container's log: what writes it, and what collects it. */
class Node {
  readonly directory = mkdtempSync(join(tmpdir(), "tailrace-succession-"));
  readonly path = join(this.directory, "0.log");
  readonly written: string[] = [];
  readonly sealed: string[] = [];
  readonly history: string[] = [];
  nowMs = startMs;
  /** What of each stream's line has not been written yet. */
  readonly #parts = new Map<string, string[]>();
  readonly #positions = new Map<string, FilePosition>();
  readonly #stages: ReadonlyArray<Record<string, unknown>>;
  readonly #openFilesMax: number;
  #pending: string[] = [];
  #lineCount = 0;
  #rotationCount = 0;
  #intake!: Intake;
  #tailer!: Tailer;
  #targets!: FileTargets;

  constructor(stages: ReadonlyArray<Record<string, unknown>>, openFilesMax = 100) {
    this.#stages = stages;
    this.#openFilesMax = openFilesMax;
    this.start();
    this.#targets.scan();
  }

  start(): void {
    const nowMs = () => this.nowMs;
    const intake = new Intake({
      externals: [LabelSet.empty],
      batchBytes: 1 << 20,
      batchWaitMs: 1e9,
      nowMs,
      admit: (entry) => {
        this.#pending.push(`{stream="${entry.labels.get("stream")}"} ${entry.text}`);
        return true;
      },
      onSealed: ({ positions }) => {
        this.sealed.push(...this.#pending);
        this.#pending = [];
        for (const position of positions) {
          if (isFilePosition(position)) {
            this.#positions.set(position.id, structuredClone(position));
          }
        }
      },
    });
    const environment = { jobName: "job", metrics: new StageMetrics(), nowMs };
    const pipeline = compileStages(this.#stages, environment, intake.add);
    const positions = new FilePositions(
      this.#positions.values(),
      (position) => intake.moved({ id: position.id, positionBefore: () => position }),
    );
    const limits = { bytesMax: 1000, longLines: "split" as const };
    const shared = { sink: intake, limits, positions, nowMs, warn: () => {} };
    const schedule = new Schedule<TailedFile>(250);
    const openFilesMax = this.#openFilesMax;
    const tailer = new Tailer({ ...shared, schedule, openFilesMax, filesMax: 100 });
    const compressed = new CompressedFiles({ ...shared, isReading: () => false });
    this.#targets = new FileTargets({
      tailer,
      compressed,
      positions,
      migrated: new Map(),
      startedMs: startMs,
      nowMs,
      watches: false,
      warn: () => {},
    });
    this.#targets.set("all", [{
      job: "job",
      glob: new Glob(`${this.directory}/*.log`),
      pathText: "",
      exclude: undefined,
      pipeline,
      labels: LabelSet.empty,
      compression: undefined,
      compressedDelayMs: 1000,
    }]);
    this.#intake = intake;
    this.#tailer = tailer;
  }

  /** What was not sealed is gone. */
  kill(): void {
    this.history.push("kill");
    this.#targets.close();
    this.#tailer.close();
    this.#pending = [];
    this.start();
  }

  scan(): void {
    this.#targets.scan();
  }

  seal(): void {
    this.history.push("seal");
    this.#intake.seal();
  }

  async pass(): Promise<void> {
    await this.#tailer.pass(() => Promise.resolve(), new AbortController().signal);
    this.#intake.tick();
  }

  append(stream: string, flag: string, text: string): void {
    const time = new Date(this.nowMs).toISOString();
    this.history.push(`${stream} ${flag} ${text}`);
    appendFileSync(this.path, `${time} ${stream} ${flag} ${text}\n`);
    utimesSync(this.path, this.nowMs / 1000, this.nowMs / 1000);
  }

  /** The next part of a line, or the first one of a new line of up to four. */
  write(random: Random): void {
    const stream = random.pick(["stdout", "stderr"]);
    let parts = this.#parts.get(stream) ?? [];
    if (parts.length === 0) {
      const line = ++this.#lineCount;
      parts = Array.from({ length: random.pick([1, 1, 2, 4]) }, (_, part) => `${line}.${part};`);
      this.written.push(`{stream="${stream}"} ${parts.join("")}`);
      this.#parts.set(stream, parts);
    }
    const part = parts.shift()!;
    this.append(stream, parts.length > 0 ? "P" : "F", part);
  }

  finishLines(): void {
    for (const [stream, parts] of this.#parts) {
      while (parts.length > 0) {
        this.nowMs++;
        const part = parts.shift()!;
        this.append(stream, parts.length > 0 ? "P" : "F", part);
      }
    }
  }

  rotate(how: "rename" | "copytruncate"): void {
    const number = String(++this.#rotationCount).padStart(6, "0");
    const rotated = `${this.path}.20260101-${number}`;
    this.history.push(how);
    if (how === "rename") renameSync(this.path, rotated);
    else {
      copyFileSync(this.path, rotated);
      utimesSync(rotated, this.nowMs / 1000, this.nowMs / 1000);
      truncateSync(this.path, 0);
    }
  }

  async settle(): Promise<void> {
    for (let second = 0; second < 60; second++) {
      this.nowMs += 1000;
      this.scan();
      await this.pass();
    }
    this.seal();
  }

  remove(): void {
    this.#targets.close();
    this.#tailer.close();
    rmSync(this.directory, { recursive: true });
  }
}

async function node(
  stages: ReadonlyArray<Record<string, unknown>>,
  use: (node: Node) => Promise<void>,
  openFilesMax?: number,
): Promise<void> {
  const it = new Node(stages, openFilesMax);
  try {
    await use(it);
  } finally {
    it.remove();
  }
}

async function wait(it: Node, ms: number): Promise<void> {
  for (let waited = 0; waited < ms; waited += 100) {
    it.nowMs += 100;
    it.scan();
    await it.pass();
  }
}

t.test("parts on both sides of a rotation are one line", async (t) => {
  for (const how of ["rename", "copytruncate"] as const) {
    await node([{ cri: {} }], async (it) => {
      it.append("stdout", "P", "one ");
      it.append("stderr", "P", "err ");
      await wait(it, 500);
      it.rotate(how);
      it.append("stdout", "P", "two ");
      await wait(it, 1000);
      it.seal();
      t.strictSame(it.sealed, [], `${how}: nothing is sent before its end`);
      it.kill();
      await wait(it, 1000);
      it.rotate(how);
      it.append("stderr", "F", "end");
      it.append("stdout", "F", "three");
      await wait(it, 1000);
      it.seal();
      it.kill();
      await it.settle();
      const lines = ['{stream="stderr"} err end', '{stream="stdout"} one two three'];
      t.strictSame(it.sealed.toSorted(), lines, how);
    });
  }
});

t.test("a part that nothing follows is sent after a while, and nothing is joined with it", async (t) => {
  await node([{ cri: {} }], async (it) => {
    it.append("stdout", "P", "panic: no line break");
    await wait(it, 20_000);
    it.seal();
    t.strictSame(it.sealed, []);
    await wait(it, 15_000);
    it.seal();
    t.strictSame(it.sealed, ['{stream="stdout"} panic: no line break']);
    it.append("stdout", "F", "whole");
    await it.settle();
    t.strictSame(it.sealed[1], '{stream="stdout"} whole');
  });
});

t.test("a line goes on in the old file while the new one is there already", async (t) => {
  await node([{ cri: {} }], async (it) => {
    it.append("stdout", "P", "one ");
    await wait(it, 500);
    const old = it.path;
    it.rotate("rename");
    // The new one is empty, and its writer has not turned to it.
    appendFileSync(old, "");
    await wait(it, 2000);
    appendFileSync(`${old}.20260101-000001`, "2026-01-01T00:00:01Z stdout F two\n");
    await wait(it, 500);
    it.append("stdout", "F", "whole");
    await it.settle();
    t.strictSame(it.sealed, ['{stream="stdout"} one two', '{stream="stdout"} whole']);
  });
});

t.test("stack traces go on behind a rotation, and what holds them keeps both positions", async (t) => {
  const stages = [{ cri: {} }, { multiline: { firstline: "^\\S", max_wait_time: "5s" } }];
  await node(stages, async (it) => {
    it.append("stdout", "F", "Error");
    it.append("stdout", "P", " at");
    await wait(it, 500);
    it.rotate("rename");
    it.append("stdout", "F", " one");
    await wait(it, 1000);
    it.seal();
    it.kill();
    await wait(it, 1000);
    it.append("stdout", "F", " at two");
    it.append("stdout", "F", "Next");
    await wait(it, 1000);
    it.seal();
    t.strictSame(it.sealed, ['{stream="stdout"} Error\n at one\n at two']);
    it.kill();
    await it.settle();
    t.strictSame(it.sealed[1], '{stream="stdout"} Next');
  });
});

t.comment(`seed ${seed}: TAILRACE_SUCCESSION_SEED=${seed} repeats this run`);

t.test(`each line is sealed as a whole, in ${runs} runs`, async (t) => {
  for (let run = 0; run < runs; run++) {
    const random = randomFrom(`${seed}-${run}`);
    await node([{ cri: {} }], async (it) => {
      it.write(random);
      await it.pass();
      it.scan();
      for (let step = 0; step < 200; step++) {
        it.nowMs += 1 + random.below(150);
        it.write(random);
        if (random.oneIn(2)) await it.pass();
        if (random.oneIn(4)) it.scan();
        if (random.oneIn(6)) it.seal();
        if (random.oneIn(12)) it.rotate("rename");
        else if (random.oneIn(40)) it.kill();
        if (random.oneIn(12)) it.nowMs += 1000;
      }
      it.finishLines();
      await it.settle();
      const [written, sealed] = [it.written.toSorted(), it.sealed.toSorted()];
      if (written.join("\n") === sealed.join("\n")) return;
      t.comment(it.history.join("\n"));
      t.strictSame(sealed, written, `run ${seed}-${run}`);
    }, random.pick([100, 100, 1]));
  }
});
