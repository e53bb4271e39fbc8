/** `--dry-run`: what a configuration makes of lines, printed instead of sent. Owns the text of an entry and the
 *  reading of standard input; delivery/dryDelivery.ts takes the place of sending for all other sources. */
import { systemNowNs } from "../platform/clock.ts";
import { joinBytes } from "../platform/joinBytes.ts";
import { quote } from "../streams/labels.ts";
import type { CollectorConfig } from "./config/collectorConfig.ts";
import { targetRelabeler } from "./relabel/targetLabels.ts";
import { compileStages } from "./stages/compile.ts";
import { StageEntry } from "./stages/entry.ts";
import { StageMetrics } from "./stages/stageMetrics.ts";

/** Takes text that is to be printed; resolves when more may come. */
export type Write = (text: string) => Promise<void>;

/** Texts are printed together, from this many UTF-16 units on. */
const printedLength = 64 * 1024;
/** A line is cut there. */
const lineBytesMax = 4 << 20;

/** Collects printed entries. Whoever feeds it waits for `room`. */
export class EntryPrinter {
  readonly #write: Write;
  #text = "";
  #written: Promise<void> = Promise.resolve();
  #isWriting = false;

  constructor(write: Write) {
    this.#write = write;
  }

  readonly add = (entry: StageEntry): void => {
    this.#text += entryText(entry);
    if (this.#text.length >= printedLength) this.flush();
  };

  /** Prints an entry and lets it go no further. */
  readonly admit = (entry: StageEntry): false => {
    this.add(entry);
    return false;
  };

  get hasRoom(): boolean {
    return !this.#isWriting;
  }

  /** Prints what has come so far. */
  flush(): Promise<void> {
    const text = this.#text;
    if (text === "") return this.#written;
    this.#text = "";
    this.#isWriting = true;
    const written = this.#written.then(() => this.#write(text)).finally(() => {
      if (this.#written === written) this.#isWriting = false;
    });
    return this.#written = written;
  }

  room(): Promise<void> {
    return this.#written;
  }
}

/** Time, tenant if there is one, labels, structured metadata if there is some, line. */
export function entryText(entry: StageEntry): string {
  const seconds = new Date(entry.seconds * 1000).toISOString().slice(0, 19);
  const time = `${seconds}.${String(entry.nanos).padStart(9, "0")}Z`;
  const { tenant } = entry.labels;
  const pairs = entry.metadata.map(([name, value]) => `${name}=${quote(value)}`);
  const metadata = pairs.length === 0 ? "" : `\t[${pairs.join(", ")}]`;
  return `${time}\t${
    tenant === null ? "" : `${tenant}\t`
  }${entry.labels.text}${metadata}\t${entry.text}\n`;
}

/** Prints what the first job makes of the lines of an input, with the labels of its static targets. */
export async function dryRunInput(
  config: CollectorConfig,
  input: AsyncIterable<Uint8Array>,
  write: Write,
): Promise<void> {
  const printer = new EntryPrinter(write);
  const job = config.scrape_configs[0];
  const environment = { jobName: job?.job_name ?? "stdin", metrics: new StageMetrics() };
  const pipeline = compileStages(job?.pipeline_stages ?? [], environment, printer.add);
  const given = job?.static_configs.flatMap(({ labels }) => Object.entries(labels)) ?? [];
  const target = targetRelabeler(job?.relabel_configs ?? [])(
    new Map(given.length === 0 ? [["job", "stdin"]] : given),
  );
  if (target === null) return;
  const entry = new StageEntry();
  const origin = {};
  const take = (bytes: Uint8Array, start: number, end: number): void => {
    entry.reset(target.labels, bytes, start, end, 0, 0, origin);
    entry.timestampNs = systemNowNs();
    pipeline.process(entry);
  };
  let rest = new Uint8Array(0);
  for await (const part of input) {
    const bytes = rest.length === 0 ? part : joinBytes([rest, part]);
    let start = 0;
    for (let at = bytes.indexOf(lineBreak); at >= 0; at = bytes.indexOf(lineBreak, start)) {
      take(bytes, start, at > start && bytes[at - 1] === carriageReturn ? at - 1 : at);
      start = at + 1;
    }
    if (bytes.length - start > lineBytesMax) {
      take(bytes, start, bytes.length);
      start = bytes.length;
    }
    rest = bytes.slice(start);
    await printer.room();
  }
  if (rest.length > 0) take(rest, 0, rest.length);
  pipeline.flush();
  await printer.flush();
}

const lineBreak = 0x0a;
const carriageReturn = 0x0d;
