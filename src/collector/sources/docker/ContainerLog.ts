/** One container's log, read as it grows and once to its end when the container has stopped. Owns the cursor: the time of the
 *  last line and how many lines of that time there were, since Docker can only be asked for lines from a time on. */
import { errorText } from "../../../platform/files.ts";
import { type Job, type Lines } from "../../Lines.ts";
import { CursorTrail } from "../../positions/CursorTrail.ts";
import { setRfc3339 } from "../../stages/rfc3339.ts";
import type { LabelSet } from "../../stages/labelSet.ts";
import type { DockerEngine } from "./DockerEngine.ts";
import { type ContainerLine, ContainerLogReader, type LogStreamName } from "./logStream.ts";

const lineBytesMax = 1 << 20;
const pauseMs = 1_000;

export interface ContainerLogOptions {
  readonly lines: Lines["Service"];
  readonly job: Job;
  readonly engine: DockerEngine;
  readonly containerId: string;
  readonly trail: CursorTrail;
  /** As discovery found them. */
  readonly labels: ReadonlyMap<string, string>;
  /** Whether the container runs, when its log has ended. */
  readonly isRunning: () => boolean;
  /** Whether there is such a container, when its log cannot be read. */
  readonly isPresent: () => boolean;
}

export class ContainerLog {
  readonly #options: ContainerLogOptions;
  /** By stream; null if a rule drops its lines. */
  readonly #labels = new Map<LogStreamName, LabelSet | null>();
  readonly #stamp = { seconds: 0, nanos: 0 };
  /** Lines of the time that reading begins with which have been handed over. */
  #known = { time: "", count: 0 };
  #last = { time: "", count: 0 };
  lineCount = 0;
  problem: string | undefined;

  constructor(options: ContainerLogOptions) {
    this.#options = options;
  }

  get containerId(): string {
    return this.#options.containerId;
  }

  get trail(): CursorTrail {
    return this.#options.trail;
  }

  /** Labels of its lines on standard output. */
  get labelsText(): string {
    return this.#labelsOf("stdout")?.text ?? "";
  }

  /** Resolves when the container has stopped and all is read, or is gone, or `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { job, trail } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#read(signal);
        this.problem = undefined;
        if (!this.#options.isRunning()) break;
      } catch (error) {
        if (signal.aborted) break;
        this.problem = errorText(error);
        if (!this.#options.isPresent()) break;
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    if (!signal.aborted) job.pipeline.flushOrigin(trail);
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { engine, containerId, lines } = this.#options;
    const reader = new ContainerLogReader(
      await engine.hasTerminal(containerId, signal),
      lineBytesMax,
    );
    this.#last = { time: "", count: 0 };
    const body = await engine.log(containerId, this.#since(), signal);
    for await (const part of body) {
      for (const line of reader.push(part)) {
        await lines.roomOrEnd(signal);
        if (signal.aborted) return;
        this.#take(line);
      }
    }
    for (const line of reader.end()) this.#take(line);
  }

  /** Where to begin, as Docker takes it; undefined for the log's beginning. */
  #since(): string | undefined {
    const { last } = this.#options.trail;
    this.#known = { time: "", count: 0 };
    if (last === undefined) return undefined;
    const [time = "", count = "0"] = last.split(" ");
    // Promtail kept whole seconds.
    if (/^\d+$/.test(time)) return time;
    if (!this.#parse(time)) return undefined;
    this.#known = { time, count: Number(count) };
    const { seconds, nanos } = this.#stamp;
    return `${seconds}.${String(nanos).padStart(9, "0")}`;
  }

  #take({ stream, time, bytes }: ContainerLine): void {
    const { lines, job, trail } = this.#options;
    const count = time === this.#last.time ? this.#last.count + 1 : 1;
    this.#last = { time, count };
    if (time === this.#known.time && count <= this.#known.count) return;
    const { metrics, intake } = lines;
    const hasTime = this.#parse(time);
    if (!hasTime) metrics.series(metrics.dockerErrors).value++;
    const labels = this.#labelsOf(stream);
    if (labels !== null) {
      metrics.series(metrics.dockerEntries).value++;
      this.lineCount++;
      const { pipeline } = job;
      intake.line(
        bytes,
        hasTime ? this.#stamp : undefined,
        { pipeline, labels },
        trail,
        trail.next,
      );
    }
    trail.add(`${time} ${count}`);
    intake.moved(trail);
  }

  #parse(time: string): boolean {
    const bytes = new TextEncoder().encode(time);
    return setRfc3339(this.#stamp, bytes, 0, bytes.byteLength);
  }

  #labelsOf(stream: LogStreamName): LabelSet | null {
    const known = this.#labels.get(stream);
    if (known !== undefined) return known;
    const { job, labels } = this.#options;
    const target = job.relabel(
      new Map([...labels, ["__meta_docker_container_log_stream", stream]]),
    );
    const found = target?.labels ?? null;
    this.#labels.set(stream, found);
    return found;
  }
}
