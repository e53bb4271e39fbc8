/** Finds what a query may have to read, or what it asks of labels alone: head snapshots first, then the
 *  index, for each of its tenants, without what has expired. Owns how the two fit together; Querier.ts has
 *  the rest read. Invariant: whatever is flushed or merged meanwhile, each stored or unflushed row is in the answer once. */
import { Effect, Schedule } from "effect";
import { limitsFor, type Settings } from "../../platform/config/mod.ts";
import { systemNowNs } from "../../platform/clock.ts";
import { errorText } from "../../platform/files.ts";
import { inTurns } from "../../platform/turns.ts";
import type { ChunkRef, Index, IndexError, IndexQuery } from "../../storage/Index.ts";
import { parseLabels } from "../../streams/labels.ts";
import type { Matcher } from "../../streams/matcher.ts";
import type { TimeRange } from "../../streams/record.ts";
import type { Ingester } from "../ingester/Ingester.ts";
import { type PlannedUnit, planUnits } from "../policy/scanPlan.ts";
import type { HeadSnapshot } from "../protocol/head.ts";
import type { Direction } from "../protocol/scan.ts";
import { periodStart, type Retention, timeMin } from "../policy/retention.ts";
import type { HeadQuery } from "../protocol/ingester.ts";
import type { HeadRoom } from "./HeadRoom.ts";
import type { MissingParts } from "./MissingParts.ts";
import { QueryFailed } from "./queryFailed.ts";
import { tenantLabel, tenantParts, tenantsOf } from "./tenants.ts";

export interface StreamRequest {
  /** One, or several with `|` between. */
  readonly tenant: string;
  readonly matchers: ReadonlyArray<Matcher>;
  readonly range: TimeRange;
}

export interface FoundUnits {
  readonly units: ReadonlyArray<PlannedUnit>;
  readonly heads: ReadonlyArray<HeadSnapshot>;
}

/** Where it looks. */
export interface FinderParts {
  readonly settings: Settings;
  readonly index: Index["Service"];
  readonly ingester: Ingester["Service"];
  readonly retention: Retention;
}

/** For whom it looks. */
export interface FoundFor {
  /** Partitions that do not answer are left out, if there is a note to be taken of them. */
  readonly missing?: MissingParts | undefined;
  /** Where rows are counted that come from other processes; else they are not. */
  readonly room?: HeadRoom;
}

export function makeStreamFinder({ settings, index, ingester, retention }: FinderParts) {
  const snapshot = (query: HeadQuery, { missing, room }: FoundFor) => {
    const described = Effect.suspend(() =>
      ingester.describe(query, {
        ...(missing && { leaveOut: missing.leaveOutPartition }),
        ...(room && { held: room.open() }),
      })
    );
    return (room?.attempt(described) ?? described).pipe(
      // A partition that is restarting is back in a moment.
      Effect.retry({
        times: 5,
        schedule: retrySchedule,
        while: ({ _tag }) => _tag === "IngesterUnavailable",
      }),
      Effect.mapError((error) =>
        error._tag === "QueryFailed"
          ? error
          : new QueryFailed({ reason: "Unavailable", message: error.message })
      ),
    );
  };

  /** What is unflushed, then what is stored up to there, from `question`. When segments were merged in between over the place
   *  where the one ends and the other begins, both are asked for again. */
  const together = <Stored>(
    query: HeadQuery,
    question: (query: IndexQuery) => Effect.Effect<Stored, IndexError>,
    found: FoundFor = {},
  ) => {
    const asked = Effect.gen(function* () {
      const heads = yield* snapshot(query, found);
      const stored = yield* question({ ...query, coveredTo: coveredTo(heads) });
      return { heads, stored };
    });
    return (found.room?.attempt(asked) ?? asked).pipe(
      Effect.retry({
        ...staleRetries,
        while: (error) => error._tag === "IndexError" && error.reason === "Stale",
      }),
      Effect.mapError((error) => error._tag === "IndexError" ? indexFailure(error) : error),
    );
  };

  /** Everything that may hold rows of the request, each row once, in the order of the direction. */
  const units = Effect.fnUntraced(function* (
    request: StreamRequest,
    direction: Direction,
    foundFor: FoundFor = {},
  ) {
    const chunksMax = limitsFor(settings, request.tenant).max_chunks_per_query;
    const chunks: ChunkRef[] = [];
    const heads: HeadSnapshot[] = [];
    const expiry = new StreamExpiry(retention);
    for (const { request: part, labelsOf } of tenantParts(request)) {
      const found = yield* together(part, index.findChunks, foundFor);
      const name = expiry.namer(part.tenant, labelsOf);
      for (const chunk of found.stored) chunks.push(renamed(chunk, name));
      for (const head of found.heads) {
        heads.push({ ...head, streams: head.streams.map((each) => renamed(each, name)) });
      }
      if (chunks.length > chunksMax) return yield* tooManyChunks(chunks.length, chunksMax);
    }
    const planned = yield* inTurns(() => planUnits(chunks, heads, direction), asFailed);
    return { units: expiry.apply(planned), heads };
  });

  /** Label strings of streams that have rows in the range, sorted. */
  const streams = Effect.fnUntraced(function* (request: StreamRequest) {
    const found = new Set<string>();
    for (const { request: part, labelsOf } of tenantParts(request)) {
      for (const labels of yield* streamsOf(part)) found.add(labelsOf(labels));
    }
    return [...found].sort();
  });

  /** Of one tenant. Streams that are kept for different times are asked for apart. */
  const streamsOf = Effect.fnUntraced(function* (part: StreamRequest) {
    const found = new Set<string>();
    const periods = retention.periodsOf(part.tenant);
    for (const periodMs of periods) {
      const range = unexpired(part.range, periodMs);
      // A chunk may reach over both ends of a range that has nothing between them.
      if (range.end <= range.start) continue;
      const { heads, stored } = yield* together(
        { ...part, range, labelsOnly: true },
        index.findStreams,
      );
      const all = [...stored, ...heads.flatMap((head) => head.streams.map(({ labels }) => labels))];
      for (const labels of all) {
        if (periods.length === 1 || retention.periodMs(part.tenant, labels) === periodMs) {
          found.add(labels);
        }
      }
    }
    return found;
  });

  /** What the index knows of labels, by `question`, and those of unflushed streams. Streams that are kept for different times have
   *  to be looked at one by one. */
  const labelsOf = Effect.fnUntraced(function* (
    part: StreamRequest,
    question: (query: IndexQuery) => Effect.Effect<ReadonlyArray<string>, IndexError>,
    take: (label: readonly [name: string, value: string]) => string | undefined,
  ) {
    const periods = retention.periodsOf(part.tenant);
    const found = new Set<string>();
    let texts: Iterable<string>;
    if (periods.length === 1) {
      const range = unexpired(part.range, periods[0]!);
      if (range.end <= range.start) return found;
      const { heads, stored } = yield* together({ ...part, range, labelsOnly: true }, question);
      for (const each of stored) found.add(each);
      texts = heads.flatMap((head) => head.streams.map(({ labels }) => labels));
    } else texts = yield* streamsOf(part);
    for (const text of texts) {
      for (const label of parseLabels(text)) {
        const taken = take(label);
        if (taken !== undefined) found.add(taken);
      }
    }
    return found;
  });

  const labelNames = Effect.fnUntraced(function* (request: StreamRequest) {
    const names = new Set<string>();
    for (const { request: part } of tenantParts(request)) {
      for (const name of yield* labelsOf(part, index.labelNames, ([name]) => name)) names.add(name);
    }
    if (names.size > 0 && tenantsOf(request.tenant).length > 1) names.add(tenantLabel);
    return [...names].sort();
  });

  const labelValues = Effect.fnUntraced(function* (request: StreamRequest, name: string) {
    const values = new Set<string>();
    const parts = tenantParts(request);
    if (tenantsOf(request.tenant).length > 1 && name === tenantLabel) {
      return parts.map((part) => part.request.tenant).sort();
    }
    for (const { request: part } of parts) {
      const question = (query: IndexQuery) => index.labelValues(query, name);
      const take = ([own, value]: readonly [string, string]) => own === name ? value : undefined;
      for (const value of yield* labelsOf(part, question, take)) values.add(value);
    }
    return [...values].sort();
  });

  /** Chunks of all time. */
  const storedChunks = Effect.fnUntraced(function* (tenant: string) {
    let chunks = 0;
    for (const one of tenantsOf(tenant)) {
      const query = { tenant: one, matchers: [], range: allTime, coveredTo: new Map() };
      chunks += (yield* index.stats(query).pipe(Effect.mapError(indexFailure))).chunks;
    }
    return chunks;
  });

  return { units, streams, labelNames, labelValues, storedChunks };
}

/** Takes rows that have expired, and are not deleted yet, out of a query's units. */
class StreamExpiry {
  readonly #retention: Retention;
  readonly #nowNs = systemNowNs();
  /** By the label string in the answer. */
  readonly #keptFrom = new Map<string, bigint>();

  constructor(retention: Retention) {
    this.#retention = retention;
  }

  /** As labelsOf, for the streams of a tenant; takes note of each stream that it names. */
  namer(tenant: string, labelsOf: (labels: string) => string): (labels: string) => string {
    if (!this.#retention.isEnabled) return labelsOf;
    return (labels) => {
      const name = labelsOf(labels);
      if (!this.#keptFrom.has(name)) {
        this.#keptFrom.set(name, this.#retention.keptFrom(tenant, labels, this.#nowNs));
      }
      return name;
    };
  }

  apply(units: ReadonlyArray<PlannedUnit>): ReadonlyArray<PlannedUnit> {
    if (!this.#retention.isEnabled) return units;
    return units.flatMap((unit) => {
      const keptFrom = this.#keptFrom.get(unit.labels) ?? timeMin;
      if (unit.maxTime < keptFrom) return [];
      return unit.minTime >= keptFrom ? [unit] : [{ ...unit, keptFrom }];
    });
  }
}

/** What of a range is younger than the period. */
function unexpired(range: TimeRange, periodMs: number): TimeRange {
  const start = periodStart(periodMs, systemNowNs());
  if (start <= range.start) return range;
  return { start, end: range.end < start ? start : range.end };
}

const allTime: TimeRange = { start: -(2n ** 63n), end: 2n ** 63n - 1n };

/** An owner that waits for NATS may show as unflushed for seconds what it has committed. */
const staleRetries = { times: 100, schedule: Schedule.spaced(50) };

/** A partition that restarts is back within moments, or not at all. */
const retrySchedule = Schedule.spaced(200);

function renamed<A extends { readonly labels: string }>(
  item: A,
  labelsOf: (labels: string) => string,
): A {
  const labels = labelsOf(item.labels);
  return labels === item.labels ? item : { ...item, labels };
}

function coveredTo(heads: ReadonlyArray<HeadSnapshot>): ReadonlyMap<number, number> {
  return new Map(heads.map((head) => [head.partition, head.logFrom]));
}

function tooManyChunks(found: number, most: number): QueryFailed {
  return new QueryFailed({
    reason: "TooLarge",
    message:
      `the query hit the max number of chunks limit (limit: ${most} chunks, found: ${found}), which is ` +
      "limits_config.max_chunks_per_query; add label matchers or shorten the time range",
  });
}

function asFailed(error: unknown): QueryFailed {
  return new QueryFailed({ reason: "Failed", message: errorText(error) });
}

function indexFailure(error: IndexError): QueryFailed {
  return new QueryFailed({ reason: "Failed", message: `the index failed: ${error.message}` });
}
