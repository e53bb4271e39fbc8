/** The storage ports in memory: the smallest things that keep the ports' promises. Other folders' tests use them where files would
 *  only be slow; the contract suites run on them too, so they show what a port says without any disk.
 *  The stores outlive their layers, so that a test can open one again. */
import { Effect, Layer } from "effect";
import {
  type ChunkRef,
  Index,
  IndexError,
  type IndexQuery,
  staleQuestion,
} from "../storage/Index.ts";
import { coverProblem } from "../storage/segmentChoice.ts";
import { keyProblem, ObjectStore, ObjectStoreError } from "../storage/ObjectStore.ts";
import { WriteLog, WriteLogError } from "../storage/WriteLog.ts";
import { joinBytes } from "../platform/joinBytes.ts";
import { parseLabels } from "../streams/labels.ts";
import { matchAll } from "../streams/matcher.ts";
import { type SegmentRecord, segmentSummary } from "../streams/record.ts";

/** A write log whose records live as long as the layer value. */
export function memoryWriteLog(recordBytesMax = 64 * 1024 * 1024): Layer.Layer<WriteLog> {
  const partitions = new Map<number, { first: number; next: number; records: Uint8Array[] }>();
  const partitionOf = (partition: number) => {
    const found = partitions.get(partition) ?? { first: 1, next: 1, records: [] };
    partitions.set(partition, found);
    return found;
  };
  return Layer.sync(WriteLog, () =>
    WriteLog.of({
      recordBytesMax,
      append: (partition, ...parts) =>
        Effect.suspend(() => {
          const bytes = joinBytes(parts).slice();
          if (bytes.byteLength > recordBytesMax) {
            const message = `a record of ${bytes.byteLength} bytes exceeds ${recordBytesMax}`;
            return Effect.fail(new WriteLogError({ reason: "TooLarge", partition, message }));
          }
          const log = partitionOf(partition);
          log.records.push(bytes);
          return Effect.succeed(log.next++);
        }),
      read: (partition, offset, bytesMax) =>
        Effect.sync(() => {
          const log = partitionOf(partition);
          const from = Math.max(offset, log.first);
          const found = [];
          let size = 0;
          for (let at = from; at < log.next && (at === from || size < bytesMax); at++) {
            const bytes = log.records[at - log.first] as Uint8Array;
            found.push({ offset: at, bytes });
            size += bytes.byteLength;
          }
          return found;
        }),
      release: (partition, offset) =>
        Effect.sync(() => {
          const log = partitionOf(partition);
          if (offset <= log.first) return;
          log.records.splice(0, offset - log.first);
          log.first = offset;
          log.next = Math.max(log.next, offset);
        }),
      bounds: (partition) =>
        Effect.sync(() => {
          const { first, next } = partitionOf(partition);
          return { first, next };
        }),
      partitions: Effect.sync(() => [...partitions.keys()].sort((a, b) => a - b)),
    }));
}

/** An object store whose objects live as long as the layer value. */
export function memoryObjectStore(): Layer.Layer<ObjectStore> {
  const objects = new Map<string, Uint8Array>();
  const fail = (reason: ObjectStoreError["reason"], key: string) =>
    Effect.fail(new ObjectStoreError({ reason, key, message: `${reason}: object "${key}"` }));
  const find = (
    key: string,
    use: (bytes: Uint8Array) => Effect.Effect<Uint8Array, ObjectStoreError>,
  ) =>
    Effect.suspend(() => {
      const problem = keyProblem(key);
      if (problem !== undefined) return Effect.fail(problem);
      const bytes = objects.get(key);
      return bytes === undefined ? fail("NotFound", key) : use(bytes);
    });
  return Layer.succeed(
    ObjectStore,
    ObjectStore.of({
      put: (key, parts) =>
        Effect.suspend(() => {
          const problem = keyProblem(key);
          if (problem !== undefined) return Effect.fail(problem);
          const bytes = new Uint8Array(Buffer.concat(parts));
          const existing = objects.get(key);
          if (existing !== undefined && Buffer.compare(existing, bytes) !== 0) {
            return fail("Exists", key);
          }
          objects.set(key, bytes);
          return Effect.void;
        }),
      get: (key) => find(key, (bytes) => Effect.succeed(bytes.slice())),
      getRange: (key, offset, length) =>
        find(
          key,
          (bytes) =>
            offset >= 0 && length >= 0 && offset + length <= bytes.byteLength
              ? Effect.succeed(bytes.slice(offset, offset + length))
              : fail("BadRange", key),
        ),
      list: (prefix) =>
        Effect.sync(() =>
          [...objects].filter(([key]) => key.startsWith(prefix))
            .map(([key, bytes]) => ({ key, bytes: bytes.byteLength }))
            .sort((a, b) => a.key < b.key ? -1 : 1)
        ),
      remove: (key) =>
        Effect.suspend(() => {
          objects.delete(key);
          const problem = keyProblem(key);
          return problem === undefined ? Effect.void : Effect.fail(problem);
        }),
    }),
  );
}

/** An index that tries every chunk: what the others are compared with. */
export function memoryIndex(): Layer.Layer<Index> {
  let segments: SegmentRecord[] = [];
  const checkpoints = new Map<number, number>();
  const add = (record: SegmentRecord) => {
    segments.push(record);
    const { partition, logTo } = record;
    checkpoints.set(partition, Math.max(logTo, checkpoints.get(partition) ?? 1));
  };
  const conflict = Effect.fail(new IndexError({ reason: "Conflict", message: "Conflict" }));
  const asked = <Result>(answer: () => Result) =>
    Effect.try({ try: answer, catch: (error) => error as IndexError });
  const chunks = (query: IndexQuery) => [...chunksOf(segments, query)];
  const labels = (query: IndexQuery) =>
    [...new Set(chunks(query).map((chunk) => chunk.labels))].sort();
  return Layer.succeed(
    Index,
    Index.of({
      commit: (record) =>
        Effect.suspend(() => {
          const known = segments.find((segment) => segment.key === record.key);
          const { partition, logFrom, logTo } = record;
          if (known !== undefined) {
            const isSame = known.partition === partition && known.logFrom === logFrom;
            return isSame && known.logTo === logTo ? Effect.void : conflict;
          }
          if ((checkpoints.get(partition) ?? 1) !== logFrom) return conflict;
          return Effect.sync(() => add(record));
        }),
      replace: (keys, record) =>
        Effect.suspend(() => {
          if (segments.some(({ key }) => key === record.key)) {
            return keys.some((key) => segments.some((one) => one.key === key))
              ? conflict
              : Effect.void;
          }
          const old = keys.map((key) => segments.find((one) => one.key === key));
          const places = old.filter((one) => one !== undefined);
          if (places.length < keys.length || coverProblem(places, record) !== undefined) {
            return conflict;
          }
          segments = segments.filter(({ key }) => !keys.includes(key));
          return Effect.sync(() => add(record));
        }),
      discard: (key) => Effect.sync(() => !segments.some((one) => one.key === key)),
      restore: (record) =>
        Effect.sync(() => {
          const { partition, logFrom, logTo } = record;
          const ofPartition = segments.filter((one) => one.partition === partition);
          if (
            ofPartition.some((one) =>
              one.logFrom <= logFrom && one.logTo >= logTo &&
              one.logTo - one.logFrom > logTo - logFrom
            )
          ) return;
          segments = segments.filter((one) =>
            one.partition !== partition || one.logTo <= logFrom || one.logFrom >= logTo
          );
          add(record);
        }),
      checkpoint: (partition) => Effect.sync(() => checkpoints.get(partition) ?? 1),
      claim: (partition) => Effect.sync(() => checkpoints.get(partition) ?? 1),
      findChunks: (query) => asked(() => chunks(query)),
      findStreams: (query) => asked(() => labels(query)),
      labelNames: (query) =>
        asked(() => {
          const names = labels(query).flatMap((text) => parseLabels(text).map(([name]) => name));
          return [...new Set(names)].sort();
        }),
      labelValues: (query, name) =>
        asked(() => {
          const pairs = labels(query).flatMap(parseLabels).filter((pair) => pair[0] === name);
          return [...new Set(pairs.map((pair) => pair[1]))].sort();
        }),
      stats: (query) =>
        asked(() => {
          const found = chunks(query);
          return {
            streams: labels(query).length,
            chunks: found.length,
            bytes: found.reduce((sum, chunk) => sum + chunk.rawBytes, 0),
            entries: found.reduce((sum, chunk) => sum + chunk.rowCount, 0),
          };
        }),
      segments: () =>
        Effect.sync(() =>
          segments.map(segmentSummary)
            .sort((a, b) => a.partition - b.partition || a.logFrom - b.logFrom)
        ),
    }),
  );
}

function* chunksOf(segments: ReadonlyArray<SegmentRecord>, query: IndexQuery): Generator<ChunkRef> {
  const { tenant, matchers, range, coveredTo } = query;
  for (const segment of segments) {
    const { key, partition, logFrom, logTo, streams } = segment;
    const summary = segmentSummary(segment);
    const covered = coveredTo.get(partition) ?? Infinity;
    if (logTo > covered) {
      const isInRange = streams.some(({ chunks }) => chunks.length > 0) &&
        summary.minTime < range.end && summary.maxTime >= range.start;
      if (logFrom < covered && isInRange) throw staleQuestion(key, covered);
      continue;
    }
    for (const stream of streams) {
      if (stream.tenant !== tenant || !matchAll(matchers, parseLabels(stream.labels))) continue;
      for (const chunk of stream.chunks) {
        if (chunk.minTime >= range.end || chunk.maxTime < range.start) continue;
        yield { ...chunk, segmentKey: key, partition, logFrom, labels: stream.labels };
      }
    }
  }
}
