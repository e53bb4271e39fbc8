/** From sealed batches to servers that have them. A batch is compressed, made durable as one record of the
 *  disk buffer (a write log, as the server's), and only then sent by every client, in order. Positions count
 *  as delivered when every client has done with their record.
 *
 *  That makes each line arrive once: whatever was sent is in the buffer as it was sent, so that after a crash
 *  the same bytes go out again and the server, which drops exact duplicates, stores nothing twice; whatever
 *  is not in the buffer was not sent, and sources read it again.
 *  Invariant: no byte is sent before the buffer holds it durably; nothing is released before positions.json
 *  covers it. */
import { Context, Effect, Layer, Semaphore } from "effect";
import { compress } from "snappy";
import { systemNowMs } from "../../platform/clock.ts";
import { errorText, nodeDisk } from "../../platform/files.ts";
import { WriteLog } from "../../storage/WriteLog.ts";
import type { CollectorMetrics } from "../collectorMetrics.ts";
import type { SealedBatch } from "../Intake.ts";
import type { Position } from "../positions/position.ts";
import { type PositionsUnreadable, readPositions } from "../positions/positionsFile.ts";
import { writePositions } from "../positions/positionsFile.ts";
import { type BufferRecord, decodeBufferRecord, encodeBufferRecord } from "./bufferRecord.ts";
import { DeliveredState } from "./DeliveredState.ts";
import type { PushClient } from "./PushClient.ts";
import { Signal } from "./signal.ts";

export interface DeliveryOptions {
  readonly clients: ReadonlyArray<PushClient>;
  readonly metrics: CollectorMetrics;
  /** Where positions.json lies. */
  readonly directory: string;
  readonly bufferBytesMax: number;
  /** How often positions are saved. */
  readonly syncMs: number;
  /** How long a stop waits for servers to take what is buffered. The rest is sent after the next start. */
  readonly drainMs: number;
}

/** The buffer has one partition. */
const partition = 0;
/** Sealed batches that may wait to become durable; beyond it `room` waits. */
const waitingMax = 3;
/** Records kept in memory for clients that are about to send them. */
const recentMax = 8;
const readBytes = 4 << 20;
/** The part of the buffer that is given up at once. */
const givenUpShare = 8;

export class Delivery extends Context.Service<Delivery, {
  /** What sources go on from: everything in the buffer counts, whether or not it is delivered. */
  readonly positions: ReadonlyArray<Position>;
  /** Takes a batch. Call it only after `room` has resolved. */
  readonly submit: (batch: SealedBatch) => void;
  /** Resolves when another batch may come: reading waits for it while the disk is slow or the buffer full. */
  readonly room: () => Promise<void>;
  readonly hasRoom: () => boolean;
  /** Resolves when everything submitted so far is in the buffer. */
  readonly durable: () => Promise<void>;
  /** Resolves when every client has done with everything in the buffer. */
  readonly delivered: () => Promise<void>;
}>()("tailrace/collector/delivery/Delivery") {
  static readonly layer = (
    options: DeliveryOptions,
  ): Layer.Layer<Delivery, PositionsUnreadable | Error, WriteLog> =>
    Layer.effect(
      Delivery,
      Effect.gen(function* () {
        const log = yield* WriteLog;
        const line = yield* openLine(options, log);
        yield* Effect.acquireRelease(Effect.void, () => line.stop);
        yield* Effect.forkScoped(line.write);
        for (const client of options.clients) yield* Effect.forkScoped(line.send(client));
        yield* Effect.forkScoped(
          line.save.pipe(Effect.delay(options.syncMs), Effect.forever),
        );
        return Delivery.of(line);
      }),
    );
}

type Log = Context.Service.Shape<typeof WriteLog>;

/** Reads what the last run left and prepares to go on from there. */
const openLine = Effect.fnUntraced(function* (options: DeliveryOptions, log: Log) {
  const { clients, directory } = options;
  const warnings: string[] = [];
  const state = yield* Effect.tryPromise({
    try: () => readPositions(nodeDisk, directory, (message) => warnings.push(message)),
    catch: (error) => error instanceof Error ? error : new Error(String(error)),
  });
  for (const warning of warnings) yield* Effect.logError(warning);
  const { first } = yield* log.bounds(partition);
  const delivered = new DeliveredState(state, clients.map(({ name }) => name), first);
  // A buffer that was lost goes on where positions.json ends.
  if (delivered.least > (yield* log.bounds(partition)).next) {
    yield* log.release(partition, delivered.least);
  }
  const { next } = yield* log.bounds(partition);
  const reached = new Map(delivered.positions.map((position) => [position.id, position]));
  let bytes = 0;
  for (let from = first; from < next;) {
    const records = yield* log.read(partition, from, readBytes);
    if (records.length === 0) break;
    for (const record of records) {
      from = record.offset + 1;
      if (record.offset < delivered.counted) continue;
      const { positions, bodies } = decodeBufferRecord(record.bytes);
      delivered.count(record.offset, positions);
      for (const position of positions) reached.set(position.id, position);
      for (const body of bodies) bytes += body.bytes.byteLength;
    }
  }
  if (next > delivered.least) {
    yield* Effect.logInfo(
      `${
        next - delivered.least
      } batches (${bytes} bytes) of the last run are in the disk buffer and ` +
        "are sent first",
    );
  }
  return new Line(options, log, delivered, { next, bytes, positions: [...reached.values()] });
});

/** The line from sealed to delivered: its parts run as fibers of the layer. */
class Line {
  readonly positions: ReadonlyArray<Position>;
  readonly #options: DeliveryOptions;
  readonly #log: Log;
  readonly #delivered: DeliveredState;
  readonly #waiting: SealedBatch[] = [];
  readonly #recent = new Map<number, BufferRecord>();
  readonly #changed = new Signal();
  readonly #saving = Semaphore.makeUnsafe(1);
  /** The offset that the next record gets. */
  #next: number;
  #bufferedBytes: number;
  #submitted = 0;
  #durable = 0;
  #fullSinceMs: number | undefined;
  #savedVersion = -1;

  constructor(
    options: DeliveryOptions,
    log: Log,
    delivered: DeliveredState,
    found: {
      readonly next: number;
      readonly bytes: number;
      readonly positions: ReadonlyArray<Position>;
    },
  ) {
    this.#options = options;
    this.#log = log;
    this.#delivered = delivered;
    this.#next = found.next;
    this.#bufferedBytes = found.bytes;
    this.positions = found.positions;
    const { metrics } = options;
    metrics.series(metrics.bufferBytesMax).value = options.bufferBytesMax;
    this.#showBuffered();
  }

  readonly submit = (batch: SealedBatch): void => {
    this.#waiting.push(batch);
    this.#submitted++;
    this.#changed.notify();
  };

  readonly room = async (): Promise<void> => {
    while (!this.hasRoom()) await this.#changed.wait();
  };

  readonly hasRoom = (): boolean => this.#waiting.length < waitingMax;

  readonly durable = async (): Promise<void> => {
    const goal = this.#submitted;
    while (this.#durable < goal) await this.#changed.wait();
  };

  readonly delivered = async (): Promise<void> => {
    while (this.#delivered.least < this.#next) await this.#changed.wait();
  };

  /** Makes waiting batches durable, one after the other. */
  readonly write = Effect.gen({ self: this }, function* (this: Line) {
    for (;;) {
      const batch = this.#waiting[0];
      if (batch === undefined) {
        yield* Effect.promise(() => this.#changed.wait());
        continue;
      }
      const record = yield* Effect.promise(() => compressed(batch));
      this.#count(record);
      yield* this.#append(record);
      this.#waiting.shift();
      this.#durable++;
      this.#changed.notify();
    }
  });

  /** Sends one client's records for ever. */
  readonly send = Effect.fnUntraced({ self: this }, function* (this: Line, client: PushClient) {
    for (;;) {
      const offset = this.#delivered.nextOf(client.name);
      if (offset >= this.#next) {
        yield* Effect.promise(() => this.#changed.wait());
        continue;
      }
      const record = this.#recent.get(offset) ?? (yield* this.#read(offset));
      for (const body of record.bodies) {
        if (body.external !== client.external.text) continue;
        yield* client.deliver(body, () => this.#delivered.nextOf(client.name) === offset);
      }
      this.#advance(client, offset, record);
    }
  });

  #advance(client: PushClient, offset: number, record: BufferRecord): void {
    if (this.#delivered.advance(client.name, offset, record.positions)) {
      this.#recent.delete(offset);
      this.#bufferedBytes -= bodyBytes(record);
      this.#showBuffered();
    }
    this.#changed.notify();
  }

  /** Saves what is delivered and gives its room up. */
  readonly save = Effect.suspend(() => {
    const { version } = this.#delivered;
    if (version === this.#savedVersion) return Effect.void;
    const { least } = this.#delivered;
    const state = this.#delivered.state(systemNowMs());
    return Effect.tryPromise(() => writePositions(nodeDisk, this.#options.directory, state)).pipe(
      Effect.andThen(this.#log.release(partition, least)),
      Effect.tap(() => Effect.sync(() => this.#savedVersion = version)),
      Effect.catch((error) =>
        Effect.logError(
          `Cannot save positions in "${this.#options.directory}": ${
            errorText(error.cause ?? error)
          }; ` +
            "until that works, a restart sends again what came since (servers store it once)",
        )
      ),
    );
  }).pipe(this.#saving.withPermit);

  /** Waits until all is durable and, for a while, until it is delivered; then saves. */
  readonly stop = Effect.suspend(() =>
    Effect.promise(this.delivered).pipe(
      Effect.timeoutOption(this.#options.drainMs),
      Effect.andThen(this.save),
    )
  );

  /** Appends until the buffer has room for it. */
  readonly #append = Effect.fnUntraced({ self: this }, function* (
    this: Line,
    record: BufferRecord,
  ) {
    const bytes = encodeBufferRecord(record);
    for (;;) {
      const offset = yield* this.#log.append(partition, bytes).pipe(
        Effect.catch((error) => this.#sayFull(error.message)),
      );
      if (offset === undefined) {
        yield* this.#giveUpOldest;
        // What has been delivered since is given up at once, and not when positions are saved next.
        yield* this.save;
        yield* Effect.sleep(200);
        continue;
      }
      yield* this.#sayRoom();
      if (this.#recent.size < recentMax) this.#recent.set(offset, record);
      this.#bufferedBytes += bodyBytes(record);
      this.#next = offset + 1;
      this.#showBuffered();
      return;
    }
  });

  /** When the buffer is full of what only clients want whose servers are away, the oldest part of it is given up for
   *  them, so that the others go on. One client alone, or all of them failing, waits. */
  readonly #giveUpOldest = Effect.suspend(() => {
    const { clients } = this.#options;
    const isAhead = ({ name, failingSinceMs }: PushClient) =>
      failingSinceMs === undefined && this.#delivered.nextOf(name) === this.#next;
    if (!clients.some(isAhead)) return Effect.void;
    const { least } = this.#delivered;
    const end = least + Math.ceil((this.#next - least) / givenUpShare);
    const behind = clients.filter(({ name, failingSinceMs }) =>
      failingSinceMs !== undefined && this.#delivered.nextOf(name) < end
    );
    return Effect.forEach(behind, (client) => this.#skip(client, end), { discard: true });
  });

  readonly #skip = Effect.fnUntraced({ self: this }, function* (
    this: Line,
    client: PushClient,
    end: number,
  ) {
    let lines = 0;
    for (let offset = this.#delivered.nextOf(client.name); offset < end; offset++) {
      const record = yield* this.#read(offset);
      const bodies = record.bodies.filter(({ external }) => external === client.external.text);
      for (const body of bodies) {
        client.countDropped(body, "buffer_full");
        lines += body.lines;
      }
      this.#advance(client, offset, record);
    }
    yield* Effect.logError(
      `The disk buffer is full of what ${client.name} has not taken; its oldest ${lines} lines are given up, ` +
        "since other clients wait for room (--buffer-size)",
    );
  });

  #sayFull(reason: string): Effect.Effect<undefined> {
    if (this.#fullSinceMs !== undefined) return Effect.as(Effect.void, undefined);
    this.#fullSinceMs = systemNowMs();
    return Effect.logWarning(
      `The disk buffer takes no more (at most ${this.#options.bufferBytesMax} bytes, ` +
        `--buffer-size): ${reason}. Files are not read on until servers have taken some of it; ` +
        "what cannot wait, such as syslog over UDP, is lost meanwhile",
    ).pipe(Effect.as(undefined));
  }

  #sayRoom(): Effect.Effect<void> {
    const since = this.#fullSinceMs;
    if (since === undefined) return Effect.void;
    this.#fullSinceMs = undefined;
    const seconds = (systemNowMs() - since) / 1000;
    const { metrics } = this.#options;
    metrics.series(metrics.bufferFullSeconds).value += seconds;
    return Effect.logInfo(`The disk buffer has room again, after ${seconds.toFixed(1)} s`);
  }

  #read(offset: number): Effect.Effect<BufferRecord> {
    return this.#log.read(partition, offset, 1).pipe(
      Effect.map((records) => decodeBufferRecord(records[0]!.bytes)),
      // A buffer that cannot be read must not be skipped in silence: the process ends and says so.
      Effect.orDie,
    );
  }

  #count({ bodies }: BufferRecord): void {
    const { metrics } = this.#options;
    metrics.series(metrics.encodedBytes).value += bodies.reduce(
      (sum, { bytes }) => sum + bytes.byteLength,
      0,
    );
  }

  #showBuffered(): void {
    const { metrics } = this.#options;
    metrics.series(metrics.bufferBytes).value = this.#bufferedBytes;
  }
}

async function compressed({ requests, positions }: SealedBatch): Promise<BufferRecord> {
  const bodies = await Promise.all(requests.map(async ({ request, ...body }) => ({
    ...body,
    bytes: await compress(request),
  })));
  return { positions, bodies };
}

function bodyBytes({ bodies }: BufferRecord): number {
  return bodies.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
}
