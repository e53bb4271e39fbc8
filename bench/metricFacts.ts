/** What metric queries over the corpus must answer, counted from its pushes with plain regular expressions:
 *  no code of the server has a part in it. Counted once per corpus and kept beside it. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import snappy from "snappy";
import { readCorpus } from "../src/testing/corpus.ts";
import type { CachedCorpus } from "./corpus.ts";

/** Step and range of the queries. */
export const stepNs = 300_000_000_000n;

/** By label value, then by step: the windows are (start + (step - 1) * 5m, start + step * 5m]. */
export type Counts = Readonly<Record<string, ReadonlyArray<number>>>;

export interface MetricFacts {
  readonly linesByApp: Counts;
  readonly errorLinesByApp: Counts;
  /** Lines of gateway whose status is 500 or more, by status. */
  readonly failuresByStatus: Counts;
  /** Of the durations of payments, in seconds: the 0.99-quantile of each step. */
  readonly durationQuantile: ReadonlyArray<number>;
  /** Lines of static by what the pattern finds. */
  readonly linesByPath: Counts;
}

/** The facts of a corpus. */
export async function metricFacts({ path, facts }: CachedCorpus): Promise<MetricFacts> {
  const cache = `${path}.metrics.json`;
  if (existsSync(cache)) return JSON.parse(readFileSync(cache, "utf8")) as MetricFacts;
  console.error(`Counting what metric queries must answer, for ${cache}`);
  const found = await count(path, BigInt(facts.startNs), BigInt(facts.endNs));
  writeFileSync(cache, JSON.stringify(found));
  return found;
}

async function count(path: string, start: bigint, end: bigint): Promise<MetricFacts> {
  const steps = Number((end - start) / stepNs) + 2;
  const tables = {
    linesByApp: new CountTable(steps),
    errorLinesByApp: new CountTable(steps),
    failuresByStatus: new CountTable(steps),
    linesByPath: new CountTable(steps),
  };
  const durations = Array.from({ length: steps }, (): number[] => []);
  const decoder = new TextDecoder();
  for await (const { body } of readCorpus(path)) {
    for (const { labels, timeNs, line } of entriesOf(uncompressed(body))) {
      const app = /app="([^"]*)"/.exec(labels)![1]!;
      const text = decoder.decode(line);
      const step = Number((timeNs - start + stepNs - 1n) / stepNs);
      tables.linesByApp.add(app, step);
      if (text.includes("error")) tables.errorLinesByApp.add(app, step);
      if (app === "gateway") {
        const status = /"status":(\d+)/.exec(text)?.[1];
        if (status !== undefined && Number(status) >= 500) {
          tables.failuresByStatus.add(status, step);
        }
      }
      if (app === "payments") durations[step]!.push(seconds(/ duration=(\S+)/.exec(text)![1]!));
      if (app === "static") {
        // As the pattern: between the first slash after the method and the next one.
        tables.linesByPath.add(/"[A-Z]+ \/(.*?)\//.exec(text)![1]!, step);
      }
    }
  }
  return {
    linesByApp: tables.linesByApp.counts(),
    errorLinesByApp: tables.errorLinesByApp.counts(),
    failuresByStatus: tables.failuresByStatus.counts(),
    linesByPath: tables.linesByPath.counts(),
    durationQuantile: durations.map((values) => quantile(values, 0.99)),
  };
}

function uncompressed(body: Uint8Array): Uint8Array {
  const raw = snappy.uncompressSync(Buffer.from(body));
  if (typeof raw === "string") throw new Error("snappy gave text for bytes");
  return raw;
}

class CountTable {
  readonly #steps: number;
  readonly #counts = new Map<string, number[]>();

  constructor(steps: number) {
    this.#steps = steps;
  }

  add(key: string, step: number): void {
    let counts = this.#counts.get(key);
    if (counts === undefined) {
      this.#counts.set(key, counts = new Array<number>(this.#steps).fill(0));
    }
    counts[step]!++;
  }

  counts(): Counts {
    return Object.fromEntries(this.#counts);
  }
}

function seconds(duration: string): number {
  return duration.endsWith("ms")
    ? Number(duration.slice(0, -2)) / 1000
    : Number(duration.slice(0, -1));
}

/** Interpolated between the two values it lies between. */
function quantile(values: number[], share: number): number {
  if (values.length === 0) return 0;
  values.sort((a, b) => a - b);
  const rank = share * (values.length - 1);
  const below = values[Math.floor(rank)]!;
  const above = values[Math.min(values.length - 1, Math.floor(rank) + 1)]!;
  return below + (above - below) * (rank - Math.floor(rank));
}

interface Entry {
  readonly labels: string;
  readonly timeNs: bigint;
  readonly line: Uint8Array;
}

/** The entries of a PushRequest: field 1 streams; of a stream 1 labels, 2 entries; of an entry 1 the time
 *  (1 seconds, 2 nanoseconds), 2 the line. */
function* entriesOf(request: Uint8Array): Generator<Entry> {
  for (const stream of fieldsOf(request)) {
    let labels = "";
    for (const field of fieldsOf(stream.bytes)) {
      if (field.number === 1) labels = new TextDecoder().decode(field.bytes);
      else {
        const [time, line] = fieldsOf(field.bytes);
        const parts = [...fieldsOf(time!.bytes)];
        const value = (number: number) =>
          BigInt(parts.find((part) => part.number === number)?.value ?? 0);
        yield { labels, timeNs: value(1) * 1_000_000_000n + value(2), line: line!.bytes };
      }
    }
  }
}

interface Field {
  readonly number: number;
  readonly value: number;
  readonly bytes: Uint8Array;
}

/** Varints and length-delimited fields; the corpus has no others. */
function* fieldsOf(message: Uint8Array): Generator<Field, void> {
  let at = 0;
  const varint = () => {
    let [value, factor] = [0, 1];
    for (;;) {
      const byte = message[at++]!;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
  };
  while (at < message.length) {
    const tag = varint();
    const value = varint();
    if ((tag & 7) === 0) yield { number: tag >>> 3, value, bytes: message.subarray(0, 0) };
    else {
      yield { number: tag >>> 3, value: 0, bytes: message.subarray(at, at + value) };
      at += value;
    }
  }
}
