/** The tenant's limits on how much time a query may cover. params.ts reads the range. */
import { formatDuration } from "../logql/units.ts";
import { systemNowNs } from "../platform/clock.ts";
import { limitsFor, type Settings } from "../platform/config/mod.ts";
import type { TimeRange } from "../streams/record.ts";
import { BadRequest } from "./params.ts";

/** Applies the tenant's limits on how much time a query may cover. */
export function limitedRange(settings: Settings, tenant: string, range: TimeRange): TimeRange {
  const { max_query_length: lengthMs } = limitsFor(settings, tenant);
  const length = range.end - range.start;
  if (lengthMs > 0 && length > BigInt(lengthMs) * 1_000_000n) {
    throw new BadRequest(
      `the query time range exceeds the limit (query length: ${length / 1_000_000_000n}s, limit: ${
        lengthMs / 1000
      }s); ` +
        "ask for a shorter range, or raise limits_config.max_query_length",
    );
  }
  const oldest = oldestVisible(settings, tenant);
  if (oldest === null || range.start >= oldest) return range;
  return { start: oldest, end: range.end < oldest ? oldest : range.end };
}

/** Refuses a metric query whose range aggregations look back further than max_query_range. Throws BadRequest. */
export function checkRanges(
  settings: Settings,
  tenant: string,
  leaves: ReadonlyArray<{ readonly range: { readonly rangeNs: bigint } }>,
): void {
  const { max_query_range: rangeMs } = limitsFor(settings, tenant);
  if (rangeMs === 0) return;
  const most = BigInt(rangeMs) * 1_000_000n;
  for (const { range: { rangeNs } } of leaves) {
    if (rangeNs <= most) continue;
    throw new BadRequest(
      `[interval] value exceeds limit: [${formatDuration(rangeNs)}] > [${
        formatDuration(most)
      }]; write a shorter ` +
        "range, or raise limits_config.max_query_range",
    );
  }
}

/** The time that a tenant's queries do not see beyond; null without such a limit. */
export function oldestVisible(settings: Settings, tenant: string): bigint | null {
  const { max_query_lookback: lookbackMs } = limitsFor(settings, tenant);
  return lookbackMs === 0 ? null : systemNowNs() - BigInt(lookbackMs) * 1_000_000n;
}
