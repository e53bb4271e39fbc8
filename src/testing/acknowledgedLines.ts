/** Writers that push numbered lines until each is acknowledged, readers that hold every answer against what was acknowledged
 *  before they asked, and live tails. Invariants checked: an answer with status 200 has each of those lines exactly once, and
 *  none that was never sent; a connection's tail has no line twice, unless its push was sent twice, and none that
 *  was never sent. */
import { protobufBody, PushClient } from "./pushClient.ts";
import { QueryClient } from "./queryClient.ts";
import type { Random } from "./random.ts";
import { TailClient } from "./tailClient.ts";

/** What one writer has sent and what was acknowledged: line numbers below these counts. */
interface Writer {
  readonly name: string;
  sent: number;
  acknowledged: number;
  /** First lines of pushes that were sent more than once. */
  readonly repeated: Set<number>;
}

/** What was acknowledged at a moment. */
export interface Mark {
  readonly acknowledged: number;
  /** By writer. */
  readonly counts: ReadonlyArray<number>;
}

export interface CheckerOptions {
  readonly distributors: ReadonlyArray<string>;
  readonly queriers: ReadonlyArray<string>;
  readonly writerCount: number;
  readonly linesPerPush: number;
  readonly random: Random;
}

/** Newest lines of a writer that a reader asks for. */
const linesPerQuestion = 3000;
const requestMs = 15_000;
/** Questions at the end that may fail one after the other, half a second apart. */
const attemptsMax = 60;

export class AcknowledgedLines {
  readonly #options: CheckerOptions;
  readonly #writers: Writer[];
  /** Of this run alone, so that its lines are no other's. */
  readonly #startNs = BigInt(Date.now()) * 1_000_000n;
  #running = true;
  readonly violations: string[] = [];
  answers = 0;
  refusals = 0;
  /** Pushes that had to be sent again. */
  retries = 0;
  /** From the first failure to the acknowledgement, of the push that failed longest. */
  longestFailureMs = 0;
  /** Lines that tails brought. */
  tailed = 0;

  constructor(options: CheckerOptions) {
    this.#options = options;
    this.#writers = Array.from({ length: options.writerCount }, (_, index) => ({
      name: `w${index}`,
      sent: 0,
      acknowledged: 0,
      repeated: new Set<number>(),
    }));
  }

  get acknowledged(): number {
    return this.#writers.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
  }

  /** Writes and reads until `stop`, then until everything that was sent is acknowledged. */
  async run(): Promise<void> {
    const writing = this.#writers.map((writer, index) => this.#write(writer, index));
    const reading = this.#options.queriers.map((url) => this.#read(url));
    const tailing = this.#options.queriers.map((url) => this.#tail(url));
    await Promise.all([...writing, ...reading, ...tailing]);
  }

  stop(): void {
    this.#running = false;
  }

  /** Asks a querier for everything, until it answers; the result is what is wrong. */
  async checkAll(url: string): Promise<ReadonlyArray<string>> {
    const problems: string[] = [];
    for (const writer of this.#writers) {
      for (let from = 0; from < writer.sent; from += linesPerQuestion) {
        const to = Math.min(from + linesPerQuestion, writer.sent);
        const found = await this.#askUntilAnswered(url, writer, from, to);
        if (typeof found === "string") return [...problems, found];
        problems.push(...this.#problemsOf(writer, from, to, to, found));
      }
    }
    return problems;
  }

  /** What is acknowledged at this moment. */
  mark(): Mark {
    const counts = this.#writers.map(({ acknowledged }) => acknowledged);
    return { counts, acknowledged: counts.reduce((sum, count) => sum + count, 0) };
  }

  /** Asks for what was acknowledged at a mark; what came later may be there or not. The result is what is wrong. */
  async checkMarked(url: string, mark: Mark): Promise<ReadonlyArray<string>> {
    const problems: string[] = [];
    for (const [index, writer] of this.#writers.entries()) {
      for (let from = 0; from < mark.counts[index]!; from += linesPerQuestion) {
        const to = Math.min(from + linesPerQuestion, mark.counts[index]!);
        const found = await this.#askUntilAnswered(url, writer, from, to);
        if (typeof found === "string") return [...problems, found];
        problems.push(...this.#problemsOf(writer, from, to, to, found));
      }
    }
    return problems;
  }

  async #write(writer: Writer, index: number): Promise<void> {
    const { distributors, linesPerPush } = this.#options;
    let turn = index;
    while (this.#running) {
      const from = writer.sent;
      writer.sent += linesPerPush;
      const entries = Array.from({ length: linesPerPush }, (_, at) => ({
        timestamp: this.#timeOf(from + at),
        line: lineOf(writer, from + at),
      }));
      const body = protobufBody([{ labels: `{writer="${writer.name}"}`, entries }]);
      let failedAtMs: number | undefined;
      for (;;) {
        const client = new PushClient(distributors[turn % distributors.length]!);
        const status = await within(requestMs, client.send(body)).then(
          (reply) => reply.status,
          () => 0,
        );
        client.close();
        if (status === 204) break;
        failedAtMs ??= performance.now();
        this.retries++;
        writer.repeated.add(from);
        turn++;
        await sleep(100);
      }
      writer.acknowledged = writer.sent;
      if (failedAtMs !== undefined) {
        this.longestFailureMs = Math.max(this.longestFailureMs, performance.now() - failedAtMs);
      }
      await sleep(this.#options.random.below(20));
    }
  }

  async #read(url: string): Promise<void> {
    while (this.#running) {
      const writer = this.#options.random.pick(this.#writers);
      const acknowledged = writer.acknowledged;
      const from = Math.max(0, acknowledged - linesPerQuestion);
      const to = acknowledged + 1000;
      const found = await this.#ask(url, writer, from, to).catch(() => undefined);
      if (found === undefined) {
        this.refusals++;
        await sleep(50);
        continue;
      }
      this.answers++;
      this.violations.push(...this.#problemsOf(writer, from, acknowledged, writer.sent, found));
    }
  }

  /** Tails everything over one connection after another. */
  async #tail(url: string): Promise<void> {
    const writers = new Map(this.#writers.map((writer) => [writer.name, writer]));
    while (this.#running) {
      const seen = new Set<string>();
      const look = (line: string) => {
        this.tailed++;
        const [name = "", , number] = line.split(" ", 3);
        const writer = writers.get(name);
        if (writer === undefined || !(Number(number) < writer.sent)) {
          this.violations.push(`a tail has "${line.slice(0, 40)}", which was never sent`);
        }
        const key = `${name} ${number}`;
        const { linesPerPush } = this.#options;
        // A push that was merged with others, and sent again alone, is another record: only queries remove its rows.
        const isRepeated = writer?.repeated.has(Number(number) - Number(number) % linesPerPush);
        if (seen.has(key) && isRepeated !== true) {
          this.violations.push(`a tail has ${key} twice`);
        }
        seen.add(key);
      };
      const tail = await within(
        requestMs,
        TailClient.open(url, {
          query: '{writer=~".+"}',
          start: BigInt(Date.now()) * 1_000_000n,
          onEntry: ({ line }) => look(line),
        }),
      ).catch(() => undefined);
      if (tail === undefined) {
        await sleep(200);
        continue;
      }
      // A tail of a frozen process hears nothing, and of a dead one it ends.
      const ended = tail.closed.then(() => true);
      while (this.#running && !await Promise.race([ended, sleep(200).then(() => false)]));
      await within(requestMs, tail.close()).catch(() => {});
    }
  }

  /** As #ask; the last error if there is no answer after many attempts. */
  async #askUntilAnswered(url: string, writer: Writer, from: number, to: number) {
    let failure = "";
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      try {
        return await this.#ask(url, writer, from, to);
      } catch (error) {
        failure = error instanceof Error ? error.message : String(error);
        await sleep(500);
      }
    }
    return `${url} answers nothing any more: ${failure}`;
  }

  /** The lines with numbers in [from, to). */
  async #ask(
    url: string,
    writer: Writer,
    from: number,
    to: number,
  ): Promise<ReadonlyArray<string>> {
    const client = new QueryClient(url);
    try {
      const found = await within(
        requestMs,
        client.range({
          query: `{writer="${writer.name}"}`,
          start: this.#timeOf(from),
          end: this.#timeOf(to),
          limit: 5000,
        }),
      );
      return found.map(({ line }) => line);
    } finally {
      client.close();
    }
  }

  /** What is wrong with an answer for [from, ...): lines below `acknowledged` must be there once,
   *  those below `sent` may be. */
  #problemsOf(
    writer: Writer,
    from: number,
    acknowledged: number,
    sent: number,
    found: ReadonlyArray<string>,
  ): string[] {
    const counts = new Map<string, number>();
    for (const line of found) counts.set(line, (counts.get(line) ?? 0) + 1);
    const problems: string[] = [];
    const missing: number[] = [];
    for (let number = from; number < sent; number++) {
      const line = lineOf(writer, number);
      const count = counts.get(line) ?? 0;
      counts.delete(line);
      if (count === 0 && number < acknowledged) missing.push(number);
      if (count > 1) problems.push(`${line} came ${count} times`);
    }
    if (missing.length > 0) {
      problems.push(
        `${missing.length} acknowledged lines of ${writer.name} are missing, from ${
          missing[0]
        } to ${missing.at(-1)}`,
      );
    }
    for (const line of counts.keys()) problems.push(`${line} was never sent`);
    return problems;
  }

  #timeOf(number: number): bigint {
    return this.#startNs + BigInt(number) * 1000n;
  }
}

function lineOf({ name }: Writer, number: number): string {
  // Long enough that segments are cut all the time.
  return `${name} line ${number} ${"x".repeat((number * 37) % 2000)}`;
}

async function within<Result>(milliseconds: number, work: Promise<Result>): Promise<Result> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer in time")), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => {});
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
