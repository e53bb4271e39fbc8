/** What becomes of each of OTLP's attributes, as the tenant's otlp_config says: compiled rules, and the names that labels get.
 *  otlpLogs.ts asks; src/platform/config/otlpConfig.ts owns the setting. */
import {
  type AttributeAction,
  type AttributeRule,
  limitsFor,
  type OtlpConfig,
  type Settings,
  SettingsInvalid,
} from "../platform/config/mod.ts";
import { compileValueRegex, RegexInvalid, type ValueRegex } from "../streams/regex.ts";

/** Names whose action is remembered, so that a usual push asks no regex twice. */
const namesMax = 1000;

/** The actions of one kind of attribute: a resource's, a scope's or a record's. */
export class AttributeActions {
  readonly #rules: ReadonlyArray<CompiledRule>;
  readonly #known = new Map<string, AttributeAction>();

  /** Throws RegexInvalid. */
  constructor(rules: ReadonlyArray<AttributeRule>) {
    this.#rules = rules.map(compileRule);
  }

  /** Whether all attributes become structured metadata. */
  get isEmpty(): boolean {
    return this.#rules.length === 0;
  }

  get hasLabels(): boolean {
    return this.#rules.some(({ action }) => action === "index_label");
  }

  /** What becomes of an attribute; of a map, of all that is in it. */
  of(name: string): AttributeAction {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const rule = this.#rules.find(({ names, regex }) => names?.has(name) ?? regex?.matches(name));
    const action = rule?.action ?? "structured_metadata";
    if (this.#known.size >= namesMax) this.#known.clear();
    this.#known.set(name, action);
    return action;
  }
}

/** What a tenant's otlp_config says. */
export interface OtlpActions {
  readonly resource: AttributeActions;
  readonly scope: AttributeActions;
  readonly record: AttributeActions;
  readonly severityTextAsLabel: boolean;
}

/** The actions for each tenant. */
export class OtlpRules {
  readonly #settings: Settings;
  readonly #compiled = new Map<OtlpConfig, OtlpActions>();

  /** Throws SettingsInvalid if some tenant's rules have a regular expression that cannot be compiled. */
  constructor(settings: Settings) {
    this.#settings = settings;
    const { limits_config, overrides } = settings;
    this.#compile(limits_config.otlp_config, "limits_config");
    for (const [tenant, { otlp_config }] of Object.entries(overrides)) {
      if (otlp_config !== undefined) this.#compile(otlp_config, `overrides.${tenant}`);
    }
  }

  of(tenant: string): OtlpActions {
    return this.#compiled.get(limitsFor(this.#settings, tenant).otlp_config)!;
  }

  #compile(config: OtlpConfig, place: string): void {
    try {
      this.#compiled.set(config, compileConfig(config, defaultsOf(this.#settings)));
    } catch (error) {
      if (!(error instanceof RegexInvalid)) throw error;
      throw new SettingsInvalid({ problems: [`${place}.otlp_config: ${error.message}`] });
    }
  }
}

/** The name that a label gets for an attribute, as structured metadata gets it: what names do not have becomes "_". */
export function labelNameOf(attribute: string): string {
  const name = attribute.replace(/[^a-zA-Z0-9_]/gu, "_");
  return name === "" ? "_" : /^[0-9]/.test(name) ? `key_${name}` : name;
}

interface CompiledRule {
  readonly action: AttributeAction;
  readonly names?: ReadonlySet<string>;
  readonly regex?: ValueRegex;
}

function compileRule({ action, attributes, regex }: AttributeRule): CompiledRule {
  return regex === undefined
    ? { action, names: new Set(attributes) }
    : { action, regex: compileValueRegex(regex) };
}

function compileConfig(
  { resource_attributes, scope_attributes, log_attributes, severity_text_as_label }: OtlpConfig,
  defaults: ReadonlyArray<string>,
): OtlpActions {
  const { ignore_defaults, attributes_config } = resource_attributes;
  const before: ReadonlyArray<AttributeRule> = ignore_defaults
    ? []
    : [{ action: "index_label", attributes: defaults }];
  return {
    resource: new AttributeActions([...before, ...attributes_config]),
    scope: new AttributeActions(scope_attributes),
    record: new AttributeActions(log_attributes),
    severityTextAsLabel: severity_text_as_label,
  };
}

function defaultsOf({ distributor }: Settings): ReadonlyArray<string> {
  return distributor.otlp_config.default_resource_attributes_as_index_labels;
}
