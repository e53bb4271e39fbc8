/** What the compactor knows of which rows have expired: the classes of each segment, read from its footer once, and the
 *  times that size limits come to. policy/expiry.ts owns the choices. Holds a few numbers for each tenant of each
 *  segment, and only of segments that may have expired rows. */
import { Effect } from "effect";
import type { ObjectStore } from "../../storage/ObjectStore.ts";
import { readSegmentRecord } from "../../storage/rebuildIndex.ts";
import type { SegmentSummary } from "../../streams/record.ts";
import {
  classesOf,
  type ExpiryClass,
  isEmpty,
  reachesFuture,
  type SizeCut,
  sizeCut,
  sizedTime,
  verdictOf,
} from "../policy/expiry.ts";
import { periodStart, type Retention, timeMax, timeMin } from "../policy/retention.ts";

export type Verdict = "keep" | "rewrite" | "drop";

const noCut: SizeCut = { from: timeMin, splits: false };

export class ExpiryView {
  readonly #objectStore: ObjectStore["Service"];
  readonly #retention: Retention;
  readonly #bytesMax: number;
  #classes = new Map<string, ReadonlyArray<ExpiryClass>>();
  #segments: ReadonlyArray<SegmentSummary> = [];
  #nowNs = 0n;
  /** What has expired for size: of all tenants together, and of each. */
  #cut = noCut;
  #tenantCuts = new Map<string, SizeCut>();

  /** `bytesMax` is for all tenants together, 0 for no limit. */
  constructor(objectStore: ObjectStore["Service"], retention: Retention, bytesMax: number) {
    this.#objectStore = objectStore;
    this.#retention = retention;
    this.#bytesMax = bytesMax;
  }

  /** Takes note of all segments that there are, and of the time. */
  look(segments: ReadonlyArray<SegmentSummary>, nowNs: bigint): void {
    this.#nowNs = nowNs;
    this.#segments = segments;
    const known = segments.flatMap(({ key }) => {
      const classes = this.#classes.get(key);
      return classes === undefined ? [] : [[key, classes] as const];
    });
    this.#classes = new Map(known);
    if (!this.#retention.isEnabled) return;
    this.#cut = sizeCut(segments.filter((one) => !isEmpty(one)), this.#bytesMax, nowNs);
    const byTenant = Map.groupBy([...this.#classes.values()].flat(), ({ tenant }) => tenant);
    this.#tenantCuts = new Map(
      [...byTenant].map(([tenant, pieces]) => [
        tenant,
        sizeCut(pieces, this.#retention.bytesMax(tenant), nowNs),
      ]),
    );
  }

  /** Rows of the stream before it, ns, have expired; those of `only`, if it is given. */
  keptFrom(tenant: string, labels: string, only?: SegmentSummary): bigint {
    const periodMs = this.#retention.periodMs(tenant, labels);
    const own = only === undefined
      ? undefined
      : this.#classes.get(only.key)?.find((each) =>
        each.tenant === tenant && each.periodMs === periodMs
      );
    return own === undefined ? this.#keptFrom(tenant, periodMs) : this.#keptFromOf(own);
  }

  /** What retention asks of each of some segments, by key. Reads the footers of those that it has to know more of. */
  readonly verdicts = Effect.fnUntraced(
    { self: this },
    function* (this: ExpiryView, segments: ReadonlyArray<SegmentSummary>) {
      const verdicts = new Map<string, Verdict>();
      if (!this.#retention.isEnabled) return verdicts;
      for (const segment of segments) yield* this.#learn(segment);
      // A tenant's bytes are known when all segments are.
      if (this.#retention.limitsBytes) this.look(this.#segments, this.#nowNs);
      for (const segment of segments) {
        if (isEmpty(segment)) continue;
        const classes = this.#classes.get(segment.key);
        const verdict = this.#isOld(segment) ? "drop" : verdictOf(
          classes ?? [],
          (each) => this.#keptFromOf(each),
          ({ tenant, minTime }) =>
            this.#cuts(tenant).some(({ from, splits }) => splits && minTime < from),
        );
        verdicts.set(segment.key, verdict);
      }
      return verdicts;
    },
  );

  /** Reads a segment's classes if they may matter and are not known. One that cannot be read has none, and is kept. */
  readonly #learn = Effect.fnUntraced(
    { self: this },
    function* (this: ExpiryView, segment: SegmentSummary) {
      const { shortestMs, limitsBytes } = this.#retention;
      const earliest = shortestMs === 0 ? timeMin : periodStart(shortestMs, this.#nowNs);
      const mayHaveExpired = segment.minTime < earliest || segment.minTime < this.#cut.from;
      if (isEmpty(segment) || this.#isOld(segment) || this.#classes.has(segment.key)) return;
      if (!mayHaveExpired && !limitsBytes) return;
      const { streams } = yield* readSegmentRecord(this.#objectStore, segment).pipe(
        Effect.catchTag(
          "SegmentUnreadable",
          ({ message }) =>
            Effect.as(Effect.logWarning(`what expires of it is kept: ${message}`), { streams: [] }),
        ),
      );
      const periodMs = (tenant: string, labels: string) => this.#retention.periodMs(tenant, labels);
      this.#classes.set(segment.key, classesOf(streams, segment.createdAt, periodMs));
    },
  );

  /** Whether all of a segment goes for what all tenants together may have. */
  #isOld(segment: SegmentSummary): boolean {
    return sizedTime(segment, this.#nowNs) < this.#cut.from;
  }

  /** What reaches into the future goes as a whole, by when it was written. */
  #keptFromOf(each: ExpiryClass): bigint {
    const written = sizedTime(each, this.#nowNs);
    const goes = reachesFuture(each, this.#nowNs) &&
      this.#cuts(each.tenant).some(({ from }) => written < from);
    return goes ? timeMax : this.#keptFrom(each.tenant, each.periodMs);
  }

  #keptFrom(tenant: string, periodMs: number): bigint {
    let from = periodStart(periodMs, this.#nowNs);
    for (const cut of this.#cuts(tenant)) {
      if (cut.from > from) from = cut.from;
    }
    return from;
  }

  #cuts(tenant: string): ReadonlyArray<SizeCut> {
    return [this.#cut, this.#tenantCuts.get(tenant) ?? noCut];
  }
}
