/** The benchmark corpus: 600 MB of mixed logs, about 3 million lines in 100 streams over six hours, made from a
 *  seed as ready push bodies in bounded memory. Owns streams, time, order and the facts that answers are checked
 *  against; logLines.ts owns text. Invariant: the same options give the same bytes; `scale` changes how much there
 *  is and nothing else. */
import { createWriteStream } from "node:fs";
import { once } from "node:events";
import { mkdir, open, rename } from "node:fs/promises";
import { dirname } from "node:path";
import snappy from "snappy";
import { type LineFormat, lineMakers } from "./logLines.ts";
import { ProtobufWriter } from "./protobuf.ts";
import { type Random, randomFrom } from "./random.ts";

export interface CorpusOptions {
  /** 1 is the full 600 MB. */
  readonly scale: number;
  readonly seed?: number;
  /** When the newest line was written, ms since 1970; fixed by default, so that the bytes are. */
  readonly endMs?: number;
}

/** What one push holds. */
export interface CorpusPush {
  /** Snappy-compressed protobuf, as agents send it. */
  readonly body: Uint8Array;
  readonly lineCount: number;
  /** Line bytes, without labels and timestamps. */
  readonly lineBytes: number;
}

/** What is true of a corpus, counted while it was made. */
export interface CorpusFacts {
  readonly scale: number;
  readonly seed: number;
  readonly pushCount: number;
  readonly streamCount: number;
  readonly lineCount: number;
  readonly lineBytes: number;
  /** Every timestamp is in [startNs, endNs); decimal, ns since 1970. */
  readonly startNs: string;
  readonly endNs: string;
  /** A trace id that exactly one line holds, in the middle of the time range. */
  readonly needle: string;
  /** Lines that contain each of these strings. */
  readonly containing: Readonly<Record<string, number>>;
  readonly linesByApp: Readonly<Record<string, number>>;
  readonly lineBytesByApp: Readonly<Record<string, number>>;
  /** "<app> <string>": lines of one application that contain the string. */
  readonly containingInApp: Readonly<Record<string, number>>;
}

/** The applications, their share of events in thousandths and how they write. */
export const corpusApps: ReadonlyArray<
  {
    readonly app: string;
    readonly format: LineFormat;
    readonly namespace: string;
    readonly share: number;
  }
> = [
  { app: "gateway", format: "json", namespace: "edge", share: 90 },
  { app: "checkout", format: "json", namespace: "shop", share: 60 },
  { app: "catalog", format: "json", namespace: "shop", share: 50 },
  { app: "payments", format: "logfmt", namespace: "shop", share: 130 },
  { app: "auth", format: "logfmt", namespace: "platform", share: 120 },
  { app: "frontend", format: "nginx", namespace: "edge", share: 190 },
  { app: "static", format: "nginx", namespace: "edge", share: 110 },
  { app: "kubelet", format: "klog", namespace: "kube-system", share: 80 },
  { app: "orders", format: "java", namespace: "shop", share: 110 },
  { app: "search", format: "java", namespace: "shop", share: 60 },
];

/** Strings whose occurrences are counted in CorpusFacts.containing. */
export const countedStrings = ["error", "deadlock detected", "POST", "Unhandled failure"] as const;

/** Generates the corpus push by push; the facts are the generator's return value. */
export function* corpusPushes(options: CorpusOptions): Generator<CorpusPush, CorpusFacts> {
  const run = new CorpusRun(options);
  for (let nodeIndex = 0; run.lineBytes < run.lineBytesTarget; nodeIndex++) {
    yield run.nextPush(nodeIndex % nodeCount);
  }
  return run.facts();
}

/** Writes the corpus to a file: per push a 12-byte header (u32 LE body bytes, lines, line bytes) and the body. The
 *  facts go to `<path>.json`, last, so that a file with facts is whole. */
export async function writeCorpus(path: string, options: CorpusOptions): Promise<CorpusFacts> {
  await mkdir(dirname(path), { recursive: true });
  const partial = `${path}.partial`;
  const file = createWriteStream(partial);
  const pushes = corpusPushes(options);
  let step = pushes.next();
  for (; step.done !== true; step = pushes.next()) {
    const header = Buffer.alloc(12);
    header.writeUInt32LE(step.value.body.byteLength, 0);
    header.writeUInt32LE(step.value.lineCount, 4);
    header.writeUInt32LE(step.value.lineBytes, 8);
    file.write(header);
    if (!file.write(step.value.body)) await once(file, "drain");
  }
  file.end();
  await once(file, "close");
  await rename(partial, path);
  const facts = await open(`${path}.json`, "w");
  await facts.writeFile(JSON.stringify(step.value, undefined, 2));
  await facts.close();
  return step.value;
}

/** Reads back what writeCorpus wrote, one push at a time. */
export async function* readCorpus(path: string): AsyncGenerator<CorpusPush> {
  const file = await open(path, "r");
  try {
    const header = Buffer.alloc(12);
    for (;;) {
      const { bytesRead } = await file.read(header, 0, 12);
      if (bytesRead === 0) return;
      const body = Buffer.alloc(header.readUInt32LE(0));
      const read = await file.read(body, 0, body.byteLength);
      if (bytesRead !== 12 || read.bytesRead !== body.byteLength) {
        throw new Error(
          `Corpus file "${path}" ends inside a push: delete it to have it made again`,
        );
      }
      yield { body, lineCount: header.readUInt32LE(4), lineBytes: header.readUInt32LE(8) };
    }
  } finally {
    await file.close();
  }
}

const nodeCount = 10;
const fullLineBytes = 600_000_000;
const fullSpanMs = 6 * 3600 * 1000;
/** Mean bytes of an event (a stack trace is one event), measured; sets the pace of time. */
const eventBytesMean = 226;
const pushLineBytes = 1 << 20;
const lineBytesMax = 16_384;
const defaultEndMs = Date.UTC(2026, 0, 15, 12);

/** The state of one generation. */
class CorpusRun {
  readonly lineBytesTarget: number;
  lineBytes = 0;
  readonly #options: CorpusOptions;
  readonly #seed: number;
  readonly #startMs: number;
  readonly #random: Random;
  readonly #needle: string;
  readonly #streams: ReadonlyArray<ReadonlyArray<StreamWriter>>;
  readonly #clocksMs: number[];
  readonly #containing = new Map<string, number>(countedStrings.map((text) => [text, 0]));
  readonly #containingInApp = new Map<string, number>();
  readonly #lineBytesByApp = new Map<string, number>();
  readonly #linesByApp = new Map<string, number>(corpusApps.map(({ app }) => [app, 0]));
  #needlePlaced = false;
  #pushCount = 0;
  #lineCount = 0;
  #endMs = 0;

  constructor(options: CorpusOptions) {
    if (!(options.scale > 0)) {
      throw new RangeError(`Corpus scale ${options.scale}: must be above 0`);
    }
    this.#options = options;
    this.#seed = options.seed ?? 1;
    this.#random = randomFrom(this.#seed);
    this.lineBytesTarget = fullLineBytes * options.scale;
    this.#startMs = (options.endMs ?? defaultEndMs) - fullSpanMs * options.scale;
    this.#needle = this.#random.hex(32);
    this.#streams = Array.from(
      { length: nodeCount },
      (_, node) =>
        corpusApps.map(({ app, format, namespace }) => {
          const pod = `${app}-${this.#random.hex(9)}-${this.#random.hex(5)}`;
          const labels = { app, cluster: "eu-1", format, namespace, node: `node-${node}`, pod };
          return new StreamWriter(labels, pod);
        }),
    );
    this.#clocksMs = Array.from({ length: nodeCount }, () => this.#startMs);
  }

  /** One agent's next push: what the streams of one node wrote until 1 MiB had come together. */
  nextPush(node: number): CorpusPush {
    const streams = this.#streams[node] as ReadonlyArray<StreamWriter>;
    const lines: string[] = [];
    const gapMs = 2 * fullSpanMs / (fullLineBytes / eventBytesMean / nodeCount);
    let pushBytes = 0;
    let pushLines = 0;
    while (pushBytes < pushLineBytes) {
      const appIndex = appIndexOf(this.#random.below(1000));
      const stream = streams[appIndex] as StreamWriter;
      const { app, format } = corpusApps[appIndex] as (typeof corpusApps)[number];
      const timeMs = (this.#clocksMs[node] as number) + this.#random.fraction() * gapMs;
      this.#clocksMs[node] = timeMs;
      lines.length = 0;
      lineMakers[format](
        { random: this.#random, app, pod: stream.pod, timeMs: Math.floor(timeMs) },
        lines,
      );
      this.#placeNeedle(lines, format);
      for (let i = 0; i < lines.length; i++) {
        const line = lines[i] as string;
        this.#count(app, line);
        const lineBytes = stream.add(timeMs + i / 1000, line);
        pushBytes += lineBytes;
        increase(this.#lineBytesByApp, app, lineBytes);
      }
      pushLines += lines.length;
      increase(this.#linesByApp, app, lines.length);
      this.#endMs = Math.max(this.#endMs, timeMs);
    }
    this.lineBytes += pushBytes;
    this.#lineCount += pushLines;
    this.#pushCount++;
    return { body: this.#takeBody(streams), lineCount: pushLines, lineBytes: pushBytes };
  }

  facts(): CorpusFacts {
    return {
      scale: this.#options.scale,
      seed: this.#seed,
      pushCount: this.#pushCount,
      streamCount: nodeCount * corpusApps.length,
      lineCount: this.#lineCount,
      lineBytes: this.lineBytes,
      startNs: `${Math.floor(this.#startMs)}000000`,
      endNs: `${Math.ceil(this.#endMs) + 1000}000000`,
      needle: this.#needle,
      containing: Object.fromEntries(this.#containing),
      linesByApp: Object.fromEntries(this.#linesByApp),
      lineBytesByApp: Object.fromEntries(this.#lineBytesByApp),
      containingInApp: Object.fromEntries(this.#containingInApp),
    };
  }

  /** Puts the needle into the first line with a trace id after the middle of the corpus. */
  #placeNeedle(lines: string[], format: LineFormat): void {
    if (this.#needlePlaced || format !== "json" || this.lineBytes < this.lineBytesTarget / 2) {
      return;
    }
    lines[0] = (lines[0] as string).replace(
      /"trace_id":"[0-9a-f]{32}"/,
      `"trace_id":"${this.#needle}"`,
    );
    this.#needlePlaced = lines[0].includes(this.#needle);
  }

  #count(app: string, line: string): void {
    for (const text of countedStrings) {
      if (!line.includes(text)) continue;
      increase(this.#containing, text, 1);
      increase(this.#containingInApp, `${app} ${text}`, 1);
    }
  }

  #takeBody(streams: ReadonlyArray<StreamWriter>): Uint8Array {
    const request = new ProtobufWriter(pushLineBytes * 2);
    for (const stream of streams) stream.takeInto(request);
    return snappy.compressSync(request.finish());
  }
}

/** Collects one stream's entries of the push that is being made. */
class StreamWriter {
  readonly pod: string;
  readonly #labels: Uint8Array;
  readonly #entries = new ProtobufWriter(1 << 16);
  readonly #timestamp = new ProtobufWriter(24);
  readonly #line = Buffer.alloc(lineBytesMax);
  readonly #entryHead = new ProtobufWriter(48);

  constructor(labels: Readonly<Record<string, string>>, pod: string) {
    this.pod = pod;
    const text = Object.entries(labels).map(([name, value]) => `${name}="${value}"`).join(", ");
    this.#labels = Buffer.from(`{${text}}`);
  }

  /** Appends an entry and returns the bytes of its line. `timeMs` may have a fraction. */
  add(timeMs: number, line: string): number {
    const bytes = this.#line.write(line);
    if (bytes > lineBytesMax - 4) {
      throw new RangeError(`Corpus line has over ${lineBytesMax} bytes`);
    }
    const seconds = Math.floor(timeMs / 1000);
    this.#timestamp.reset();
    this.#timestamp.tag(1, 0);
    this.#timestamp.varint(seconds);
    this.#timestamp.tag(2, 0);
    this.#timestamp.varint(Math.min(999_999_999, Math.floor((timeMs - seconds * 1000) * 1e6)));
    this.#entryHead.reset();
    this.#entryHead.bytes(1, this.#timestamp.finish());
    this.#entryHead.tag(2, 2);
    this.#entryHead.varint(bytes);
    this.#entries.tag(2, 2);
    this.#entries.varint(this.#entryHead.length + bytes);
    this.#entries.raw(this.#entryHead.finish());
    this.#entries.raw(this.#line.subarray(0, bytes));
    return bytes;
  }

  /** Moves the stream's entries into a push request. */
  takeInto(request: ProtobufWriter): void {
    if (this.#entries.length === 0) return;
    const head = new ProtobufWriter(this.#labels.byteLength + 8);
    head.bytes(1, this.#labels);
    request.tag(1, 2);
    request.varint(head.length + this.#entries.length);
    request.raw(head.finish());
    request.raw(this.#entries.finish());
    this.#entries.reset();
  }
}

function appIndexOf(roll: number): number {
  let upTo = 0;
  return corpusApps.findIndex(({ share }) => (upTo += share) > roll);
}

function increase(counts: Map<string, number>, key: string, by: number): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}
