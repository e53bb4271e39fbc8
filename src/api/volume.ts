/** Puts the volumes of streams together as Loki's index/volume wants them: by the values of some
 *  labels, or by the names of labels. Pure. */
import type { StreamVolume } from "../actors/querier/runMeasure.ts";
import { parseLabels } from "../streams/labels.ts";
import type { Matcher } from "../streams/matcher.ts";

export interface VolumeQuestion {
  /** The labels that count; null for all of them. */
  readonly names: ReadonlySet<string> | null;
  readonly aggregateBy: "series" | "labels";
  /** Groups wanted, the largest. */
  readonly limit: number;
}

export interface VolumeGroup {
  readonly metric: Readonly<Record<string, string>>;
  readonly total: number;
  /** Bytes by bucket, those with none left out, in order. */
  readonly buckets: ReadonlyArray<readonly [bucket: number, bytes: number]>;
}

/** The largest groups first, equal ones by their labels. */
export function groupVolumes(
  volumes: ReadonlyArray<StreamVolume>,
  question: VolumeQuestion,
): ReadonlyArray<VolumeGroup> {
  const groups = new Map<string, Map<number, number>>();
  for (const { labels, buckets } of volumes) {
    for (const key of keysOf(labels, question)) {
      let sums = groups.get(key);
      if (sums === undefined) groups.set(key, sums = new Map());
      for (const [bucket, { bytes }] of buckets) sums.set(bucket, (sums.get(bucket) ?? 0) + bytes);
    }
  }
  const sized = [...groups].map(([key, sums]) => {
    let total = 0;
    for (const bytes of sums.values()) total += bytes;
    return { key, sums, total };
  });
  sized.sort((a, b) => b.total - a.total || (a.key < b.key ? -1 : 1));
  return sized.slice(0, question.limit).map(({ key, sums, total }) => ({
    metric: Object.fromEntries(JSON.parse(key) as ReadonlyArray<readonly [string, string]>),
    total,
    buckets: [...sums].sort(([a], [b]) => a - b),
  }));
}

/** The groups that a stream counts in, each as the JSON of its labels. */
function keysOf(
  labels: string,
  { names, aggregateBy }: VolumeQuestion,
): ReadonlyArray<string> {
  const wanted = parseLabels(labels).filter(([name]) => names === null || names.has(name));
  if (aggregateBy === "labels") return wanted.map(([name]) => JSON.stringify([[name, ""]]));
  return [JSON.stringify(wanted)];
}

/** The labels that a volume is by: those asked for, else those that the selector names, else all. */
export function volumeNames(
  targets: ReadonlyArray<string>,
  matchers: ReadonlyArray<Matcher>,
): ReadonlySet<string> | null {
  if (targets.length > 0) return new Set(targets);
  return matchers.length === 0 ? null : new Set(matchers.map(({ name }) => name));
}
