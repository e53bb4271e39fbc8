/** Finds what a query may have to read, or what it asks of labels alone: head snapshots first, then the
 *  index, for each of its tenants. Owns how the two fit together; Querier.ts has the rest read.
 *  Invariant: whatever is flushed meanwhile, each stored or unflushed row is in the answer once. */
import { Effect, Schedule } from "effect";
import { limitsFor, type Settings } from "../../platform/config/mod.ts";
import type { Index, IndexError } from "../../storage/Index.ts";
import { type Labels, parseLabels } from "../../streams/labels.ts";
import type { Matcher } from "../../streams/matcher.ts";
import type { TimeRange } from "../../streams/record.ts";
import type { Ingester } from "../ingester/Ingester.ts";
import { type PlannedUnit, planUnits } from "../policy/scanPlan.ts";
import type { HeadSnapshot } from "../protocol/head.ts";
import type { Direction } from "../protocol/scan.ts";
import type { ChunkRef } from "../../storage/Index.ts";
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
}

export function makeStreamFinder({ settings, index, ingester }: FinderParts) {
  const snapshot = (request: StreamRequest) =>
    ingester.describe(request).pipe(
      // A partition that is restarting is back in a moment.
      Effect.retry({ times: 5, schedule: retrySchedule }),
      Effect.mapError(({ message }) => new QueryFailed({ reason: "Unavailable", message })),
    );

  /** Everything that may hold rows of the request, each row once, in the order of the direction. */
  const units = Effect.fnUntraced(function* (request: StreamRequest, direction: Direction) {
    const chunksMax = limitsFor(settings, request.tenant).max_chunks_per_query;
    const chunks: ChunkRef[] = [];
    const heads: HeadSnapshot[] = [];
    for (const { request: part, labelsOf } of tenantParts(request)) {
      const found = yield* snapshot(part);
      const stored = yield* index.findChunks({ ...part, coveredTo: coveredTo(found) }).pipe(
        Effect.mapError(indexFailure),
      );
      for (const chunk of stored) chunks.push(renamed(chunk, labelsOf));
      for (const head of found) {
        heads.push({ ...head, streams: head.streams.map((each) => renamed(each, labelsOf)) });
      }
      if (chunks.length > chunksMax) return yield* tooManyChunks(chunks.length, chunksMax);
    }
    return { units: planUnits(chunks, heads, direction), heads };
  });

  /** Label strings of streams that have rows in the range, sorted. */
  const streams = Effect.fnUntraced(function* (request: StreamRequest) {
    const found = new Set<string>();
    for (const { request: part, labelsOf } of tenantParts(request)) {
      const heads = yield* snapshot(part);
      const stored = yield* index.findStreams({ ...part, coveredTo: coveredTo(heads) }).pipe(
        Effect.mapError(indexFailure),
      );
      for (const labels of stored) found.add(labelsOf(labels));
      for (const head of heads) for (const { labels } of head.streams) found.add(labelsOf(labels));
    }
    return [...found].sort();
  });

  const labelNames = Effect.fnUntraced(function* (request: StreamRequest) {
    const names = new Set<string>();
    for (const { request: part } of tenantParts(request)) {
      const heads = yield* snapshot(part);
      const stored = yield* index.labelNames({ ...part, coveredTo: coveredTo(heads) }).pipe(
        Effect.mapError(indexFailure),
      );
      for (const name of stored) names.add(name);
      for (const labels of headLabels(heads)) for (const [name] of labels) names.add(name);
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
      const heads = yield* snapshot(part);
      const stored = yield* index.labelValues({ ...part, coveredTo: coveredTo(heads) }, name).pipe(
        Effect.mapError(indexFailure),
      );
      for (const value of stored) values.add(value);
      for (const labels of headLabels(heads)) {
        for (const [candidate, value] of labels) if (candidate === name) values.add(value);
      }
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

const allTime: TimeRange = { start: -(2n ** 63n), end: 2n ** 63n - 1n };

/** A partition that restarts is back within moments, or not at all. */
const retrySchedule = Schedule.spaced(200);

function renamed<A extends { readonly labels: string }>(
  item: A,
  labelsOf: (labels: string) => string,
): A {
  const labels = labelsOf(item.labels);
  return labels === item.labels ? item : { ...item, labels };
}

function* headLabels(heads: ReadonlyArray<HeadSnapshot>): Iterable<Labels> {
  for (const head of heads) for (const stream of head.streams) yield parseLabels(stream.labels);
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

function indexFailure(error: IndexError): QueryFailed {
  return new QueryFailed({ reason: "Failed", message: `the index failed: ${error.message}` });
}
