/** Takes pushes: decodes them into columns, checks every limit, splits rows by partition, and
 *  answers when all of it is durable.
 *  Owns the tenants' stream caches and rates. Decoding and per-line checks are the kernel's
 *  (kernels/push.ts).
 *  Invariant: valid lines of a push are stored even when others of it are refused. */
import { Clock, Context, Effect, Layer, Metric, Schema } from "effect";
import { type Limits, limitsFor, type Settings } from "../../platform/config/mod.ts";
import {
  bytesReceived,
  discardedBytes,
  discardedSamples,
  linesReceived,
} from "../../platform/metrics.ts";
import {
  buildRows,
  decodePush,
  decodeSnappyPush,
  PushFormatError,
  type PushRows,
  PushTooLarge,
} from "../../kernels/push.ts";
import { type Batch, buildBatch, type RowSlice } from "../../streams/batch.ts";
import { WriteLog } from "../../storage/WriteLog.ts";
import { Handover } from "./Handover.ts";
import { PartitionAppender } from "./PartitionAppender.ts";
import { cutSlices } from "./cutSlices.ts";
import { addKernelRejects, LevelCodes, pushLimits } from "./lineChecks.ts";
import { RateLimiter } from "./rateLimiter.ts";
import { Rejections, texts } from "./rejection.ts";
import { type KnownStream, TenantStreams } from "./tenantStreams.ts";

/** The push, or part of it, was not taken. `status` is 400 (never retry), 413 (too large), 422
 *  (empty), 429 or 503 (later). */
export class PushRefused extends Schema.TaggedError<PushRefused>()("PushRefused", {
  status: Schema.Literals([400, 413, 422, 429, 500, 503]),
  message: Schema.String,
}) {}

/** A logproto.PushRequest, as it is or in snappy's block format. */
export interface PushBody {
  readonly bytes: Uint8Array;
  readonly isSnappy: boolean;
}

export class Distributor extends Context.Service<Distributor, {
  /** Stores a push. Success means that every line is durable. */
  readonly push: (tenant: string, body: PushBody) => Effect.Effect<void, PushRefused>;
}>()("tailrace/actors/Distributor") {
  static readonly layer = (settings: Settings) =>
    Layer.effect(
      Distributor,
      Effect.gen(function* () {
        const writeLog = yield* WriteLog;
        const handover = yield* Handover;
        const pieceBytesMax = Math.min(recordBytesMax, writeLog.recordBytesMax - headroomBytes);
        const { partitions: count } = settings.ingester;
        const appenders = Array.from({ length: count }, (_, partition) =>
          new PartitionAppender({
            partition,
            writeLog,
            handover,
            compression: settings.ingester.wal.compression,
            waitingBytesMax: settings.distributor.max_inflight_size,
            recordBytesTarget: Math.min(recordBytesTarget, pieceBytesMax),
            unflushedBytesMax: settings.ingester.max_unflushed_bytes,
          }));
        for (const appender of appenders) yield* Effect.forkScoped(appender.run);
        return makeDistributor(settings, appenders, pieceBytesMax);
      }),
    );
}

/** Waiting batches are merged up to this many bytes: larger records compress no better. */
const recordBytesTarget = 4 * 1024 * 1024;

/** A push with more than this for one partition becomes several records. The log takes 64 MB at
 *  most, and a replay reads one record at a time into memory. */
const recordBytesMax = 16 * 1024 * 1024;

/** Of a record's bytes, what its header, alignment and several tables may need. */
const headroomBytes = 32 * 1024;

interface Tenant {
  readonly name: string;
  readonly limits: Limits;
  readonly streams: TenantStreams;
  readonly rate: RateLimiter;
}

/** What of a push is to be stored. */
interface Accepted {
  /** By partition, to be stored in this order. */
  readonly batches: ReadonlyMap<number, ReadonlyArray<Batch>>;
  readonly rejections: Rejections;
  readonly lineCount: number;
}

const megabyte = 1024 * 1024;
const tenantsMax = 100_000;

function makeDistributor(
  settings: Settings,
  appenders: ReadonlyArray<PartitionAppender>,
  pieceBytesMax: number,
): Distributor["Service"] {
  const tenants = new Map<string, Tenant>();
  const tenantOf = (name: string, nowMs: number): Tenant => {
    const known = tenants.get(name);
    if (known !== undefined) return known;
    // Tenants are what clients say they are: their number is bounded by forgetting, which costs only cache misses.
    if (tenants.size >= tenantsMax) tenants.clear();
    const limits = limitsFor(settings, name);
    const tenant: Tenant = {
      name,
      limits,
      streams: new TenantStreams(name, appenders.length, settings.ingester.chunk_idle_period),
      rate: new RateLimiter(limits.ingestion_burst_size_mb * megabyte, nowMs),
    };
    tenants.set(name, tenant);
    return tenant;
  };
  const pushBytesMax = settings.distributor.max_decompressed_size;
  const push = Effect.fnUntraced(function* (name: string, body: PushBody) {
    const clock = yield* Clock.Clock;
    const nowMs = clock.currentTimeMillisUnsafe();
    const tenant = tenantOf(name, nowMs);
    const { batches, rejections, lineCount } = yield* Effect.try({
      try: () => accept(tenant, body, pushBytesMax, pieceBytesMax, nowMs),
      catch: (error) => refusalOf(error, body),
    });
    yield* count(name, batches, rejections);
    // If a later piece fails, earlier ones stay: the agent sends all of it again, and what is there already is not stored twice.
    const appendAll = ([partition, pieces]: readonly [number, ReadonlyArray<Batch>]) =>
      Effect.forEach(pieces, (batch) => appenders[partition]!.append(batch), { discard: true });
    yield* Effect.forEach(batches, appendAll, { concurrency: "unbounded", discard: true }).pipe(
      Effect.mapError(appendRefusal),
    );
    if (rejections.any) {
      return yield* new PushRefused({
        status: rejections.status,
        message: rejections.message(lineCount),
      });
    }
  });
  return Distributor.of({ push });
}

function refusalOf(error: unknown, { bytes }: PushBody): PushRefused {
  if (error instanceof PushRefused) return error;
  if (error instanceof PushFormatError) {
    const hint = bytes[0] === "{".charCodeAt(0)
      ? '. It looks like JSON: send it with the header "Content-Type: application/json"'
      : "";
    return new PushRefused({
      status: 400,
      message: `cannot read the push: ${error.message}${hint}`,
    });
  }
  if (error instanceof PushTooLarge) {
    return new PushRefused({ status: 413, message: error.message });
  }
  if (error instanceof RangeError) {
    return new PushRefused({
      status: 400,
      message: `the push is too large to be stored at once: ${error.message}; send smaller batches`,
    });
  }
  throw error;
}

function appendRefusal(error: { readonly _tag: string; readonly message: string }): PushRefused {
  switch (error._tag) {
    case "PartitionFull":
      return new PushRefused({ status: 429, message: error.message });
    case "WriteLogError": {
      const reason = (error as { reason?: string }).reason;
      if (reason === "Full") return new PushRefused({ status: 429, message: error.message });
      if (reason === "TooLarge") {
        return new PushRefused({
          status: 400,
          message: `${error.message}; send smaller batches`,
        });
      }
      return new PushRefused({ status: 503, message: `the write log failed: ${error.message}` });
    }
    default:
      return new PushRefused({
        status: 503,
        message: `shutting down or recovering: ${error.message}`,
      });
  }
}

/** Decodes and checks a push. Synchronous from decode to batch: the columns are the kernel's scratch memory. */
function accept(
  tenant: Tenant,
  body: PushBody,
  bytesMax: number,
  pieceBytesMax: number,
  nowMs: number,
): Accepted {
  const { limits } = tenant;
  const pushed = body.isSnappy ? decodeSnappyPush(body.bytes, bytesMax) : decodePush(body.bytes);
  const streams: Array<KnownStream | undefined> = [];
  const take = new Uint8Array(pushed.streamCount);
  const levels = new Uint8Array(pushed.streamCount);
  const levelCodes = new LevelCodes();
  const rejections = new Rejections();
  let lineCount = 0;
  for (let index = 0; index < pushed.streamCount; index++) {
    const entryCount = pushed.entryCountOf(index);
    lineCount += entryCount;
    if (entryCount === 0) continue;
    const stream = tenant.streams.resolve(decoder.decode(pushed.labelsOf(index)), limits, nowMs);
    if ("reason" in stream) {
      rejections.add(stream.reason, entryCount, 0, () => stream.message);
      continue;
    }
    streams[index] = stream;
    take[index] = 1;
    levels[index] = levelCodes.codeOf(stream.levelText);
  }
  if (pushed.streamCount === 0) {
    throw new PushRefused({ status: 422, message: "the push holds no streams" });
  }
  const checks = pushLimits(limits, levelCodes.texts, nowMs);
  const rows = buildRows(take, levels, checks);
  addKernelRejects(rows, checks, (index) => streams[index]?.labels ?? "", rejections);
  takeRate(tenant, rows, nowMs);
  return {
    batches: split(tenant, streams, rows, rejections, pieceBytesMax, nowMs),
    rejections,
    lineCount,
  };
}

/** Takes the push's bytes from the tenant's rate; a push that is over it is refused whole, as in Loki. */
function takeRate(tenant: Tenant, rows: PushRows, nowMs: number): void {
  const { limits, name } = tenant;
  const rate = limits.ingestion_rate_mb * megabyte;
  const bytes = rows.lines.length + rows.meta.length;
  if (tenant.rate.take(bytes, rate, limits.ingestion_burst_size_mb * megabyte, nowMs)) return;
  throw new PushRefused({
    status: 429,
    message: texts.rateLimited(name, rate, rows.timestamps.length, bytes),
  });
}

/** The batches of each partition that gets rows: one, unless the push is huge. */
function split(
  tenant: Tenant,
  streams: ReadonlyArray<KnownStream | undefined>,
  rows: PushRows,
  rejections: Rejections,
  pieceBytesMax: number,
  nowMs: number,
): ReadonlyMap<number, ReadonlyArray<Batch>> {
  const { per_stream_rate_limit: rate, per_stream_rate_limit_burst: burst } = tenant.limits;
  const slices = new Map<number, RowSlice[]>();
  for (let index = 0, rowStart = 0; index < streams.length; index++) {
    const rowEnd = rows.rowEnds[index]!;
    const stream = streams[index];
    const start = rowStart;
    rowStart = rowEnd;
    if (stream === undefined || rowEnd === start) continue;
    const bytes = rows.lineEnds[rowEnd - 1]! - (start === 0 ? 0 : rows.lineEnds[start - 1]!);
    if (!stream.rate.take(bytes, rate, burst, nowMs)) {
      rejections.add(
        "per_stream_rate_limit",
        rowEnd - start,
        bytes,
        () => texts.streamRateLimited(stream.labels, rate, bytes),
      );
      continue;
    }
    const slice = { labels: stream.labels, rowStart: start, rowEnd };
    const same = slices.get(stream.partition);
    if (same === undefined) slices.set(stream.partition, [slice]);
    else same.push(slice);
  }
  const batches = new Map<number, ReadonlyArray<Batch>>();
  for (const [partition, some] of slices) {
    const pieces = cutSlices(some, rows, pieceBytesMax);
    batches.set(partition, pieces.map((piece) => buildBatch(tenant.name, piece, rows)));
  }
  return batches;
}

function count(
  tenant: string,
  batches: ReadonlyMap<number, ReadonlyArray<Batch>>,
  rejections: Rejections,
): Effect.Effect<void> {
  return Effect.withFiber((fiber) => {
    const attributes = { tenant };
    for (const batch of [...batches.values()].flat()) {
      Metric.withAttributes(linesReceived, attributes).updateUnsafe(batch.rowCount, fiber.context);
      Metric.withAttributes(bytesReceived, attributes).updateUnsafe(
        batch.lines.length,
        fiber.context,
      );
    }
    for (const [reason, refused] of rejections.counts) {
      const labels = { tenant, reason };
      Metric.withAttributes(discardedSamples, labels).updateUnsafe(refused.lines, fiber.context);
      Metric.withAttributes(discardedBytes, labels).updateUnsafe(refused.bytes, fiber.context);
    }
    return Effect.void;
  });
}

const decoder = new TextDecoder();
