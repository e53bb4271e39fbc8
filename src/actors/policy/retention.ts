/** Decides how long the lines of a stream are kept. Pure but for the clock that callers give. The order is Loki's: the tenant's own
 *  retention_stream, that of limits_config, the tenant's own retention_period, that of limits_config. */
import { Result } from "effect";
import { matchAll, type Matcher } from "../../streams/matcher.ts";
import { parseLabels } from "../../streams/labels.ts";
import { parseMatchers } from "../../logql/mod.ts";
import { limitsFor, type Settings, SettingsInvalid } from "../../platform/config/mod.ts";

/** What no row is older than. */
export const timeMin = -(2n ** 63n);
export const timeMax = 2n ** 63n - 1n;

interface CompiledRule {
  readonly matchers: ReadonlyArray<Matcher>;
  readonly periodMs: number;
}

/** The rules of one tenant. */
interface TenantRules {
  /** The one that counts first. */
  readonly rules: ReadonlyArray<CompiledRule>;
  readonly periodMs: number;
}

export class Retention {
  readonly isEnabled: boolean;
  readonly #settings: Settings;
  readonly #tenants = new Map<string, TenantRules>();
  readonly #everybody: TenantRules;

  /** Throws SettingsInvalid for a selector that cannot be read. */
  constructor(settings: Settings) {
    this.isEnabled = settings.compactor.retention_enabled;
    this.#settings = settings;
    this.#everybody = this.#compile(undefined);
    for (const tenant of Object.keys(settings.overrides)) {
      this.#tenants.set(tenant, this.#compile(tenant));
    }
  }

  /** Milliseconds that the lines of a stream are kept; 0 for ever. */
  periodMs(tenant: string, labels: string): number {
    if (!this.isEnabled) return 0;
    const { rules, periodMs } = this.#rulesOf(tenant);
    if (rules.length === 0) return periodMs;
    const parsed = parseLabels(labels);
    return rules.find(({ matchers }) => matchAll(matchers, parsed))?.periodMs ?? periodMs;
  }

  /** Every period that a tenant's streams may have. */
  periodsOf(tenant: string): ReadonlyArray<number> {
    if (!this.isEnabled) return [0];
    const { rules, periodMs } = this.#rulesOf(tenant);
    return [...new Set([periodMs, ...rules.map((rule) => rule.periodMs)])];
  }

  /** Lines of the stream that are older, ns, have expired. */
  keptFrom(tenant: string, labels: string, nowNs: bigint): bigint {
    return periodStart(this.periodMs(tenant, labels), nowNs);
  }

  /** The shortest period of anybody, 0 if everything is kept for ever. */
  get shortestMs(): number {
    const tenants = [this.#everybody, ...this.#tenants.values()];
    const all = tenants.flatMap(({ rules, periodMs }) => [
      periodMs,
      ...rules.map((rule) => rule.periodMs),
    ]).filter((period) => period > 0);
    return this.isEnabled && all.length > 0 ? Math.min(...all) : 0;
  }

  /** Stored bytes that a tenant may have; 0 for no limit. */
  bytesMax(tenant: string): number {
    return this.isEnabled ? limitsFor(this.#settings, tenant).retention_bytes : 0;
  }

  /** Whether some tenant's bytes are limited. */
  get limitsBytes(): boolean {
    const { limits_config, overrides } = this.#settings;
    return this.isEnabled && [limits_config, ...Object.values(overrides)]
      .some(({ retention_bytes: bytes = 0 }) => bytes > 0);
  }

  #rulesOf(tenant: string): TenantRules {
    return this.#tenants.get(tenant) ?? this.#everybody;
  }

  #compile(tenant: string | undefined): TenantRules {
    const { limits_config, overrides } = this.#settings;
    const own = tenant === undefined ? undefined : overrides[tenant];
    const place = `overrides.${tenant}.retention_stream`;
    return {
      rules: [
        ...compileRules(own?.retention_stream ?? [], place),
        ...compileRules(limits_config.retention_stream, "limits_config.retention_stream"),
      ],
      periodMs: own?.retention_period ?? limits_config.retention_period,
    };
  }
}

/** The first time, ns, that has not expired. */
export function periodStart(periodMs: number, nowNs: bigint): bigint {
  return periodMs === 0 ? timeMin : nowNs - BigInt(Math.round(periodMs * 1e6));
}

/** Highest priority first; of equal ones, as Loki does, the first that is written. */
function compileRules(
  rules: Settings["limits_config"]["retention_stream"],
  place: string,
): ReadonlyArray<CompiledRule> {
  return rules.toSorted((a, b) => b.priority - a.priority).map(({ selector, period }) => {
    const matchers = parseMatchers(selector);
    if (Result.isSuccess(matchers)) return { matchers: matchers.success, periodMs: period };
    throw new SettingsInvalid({
      problems: [`${place}: the selector ${selector} cannot be read: ${matchers.failure.message}`],
    });
  });
}
