/** How long the object of a segment that was replaced must stay: a query that had chosen it may still read it. Pure. */
import { limitsFor, type Settings } from "../../platform/config/mod.ts";

/** A query is over after its tenant's time limit; this is for the answer to be known everywhere. */
const marginMs = 30_000;

/** compactor.retention_delete_delay, or as long as the longest query of any tenant if that is more; milliseconds. */
export function graceMs(settings: Settings): number {
  const tenants = ["", ...Object.keys(settings.overrides)];
  const longest = Math.max(...tenants.map((one) => limitsFor(settings, one).query_timeout));
  return Math.max(settings.compactor.retention_delete_delay, longest + marginMs);
}
