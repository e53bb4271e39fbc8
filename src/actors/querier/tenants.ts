/** Reads over several tenants at once: a request for `a|b` is one for each, and each tenant's streams
 *  get the label __tenant_id__, which matchers can choose by. Pure. */
import { formatLabels, parseLabels } from "../../streams/labels.ts";
import type { Matcher } from "../../streams/matcher.ts";

export const tenantLabel = "__tenant_id__";

/** What a request is for one of its tenants. */
export interface TenantPart<Request> {
  readonly request: Request;
  /** The label string that a stream of the tenant has in the answer. */
  readonly labelsOf: (labels: string) => string;
}

/** Tenants of `a|b`; tenant ids hold no `|`. */
export function tenantsOf(tenant: string): ReadonlyArray<string> {
  return tenant.split("|");
}

export function tenantParts<
  Request extends { readonly tenant: string; readonly matchers: ReadonlyArray<Matcher> },
>(request: Request): ReadonlyArray<TenantPart<Request>> {
  const tenants = tenantsOf(request.tenant);
  if (tenants.length === 1) return [{ request, labelsOf: (labels) => labels }];
  const choosing = request.matchers.filter(({ name }) => name === tenantLabel);
  const matchers = request.matchers.filter(({ name }) => name !== tenantLabel);
  return tenants
    .filter((tenant) => choosing.every((matcher) => matcher.matches(tenant)))
    .map((tenant) => ({
      request: { ...request, tenant, matchers },
      labelsOf: (labels) => withTenant(labels, tenant),
    }));
}

/** A label of that name that the stream has itself is hidden. */
function withTenant(labels: string, tenant: string): string {
  const own = parseLabels(labels).filter(([name]) => name !== tenantLabel);
  const all = [...own, [tenantLabel, tenant] as const];
  return formatLabels(all.sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0));
}
