/** The value of otlp_config: which attributes of OpenTelemetry's logs become labels, which structured metadata, and which are
 *  dropped. Keys and meaning are Loki's. src/api/otlpAttributes.ts compiles it. */
import { Result, Schema } from "effect";
import { membersOf, structured } from "./structured.ts";

const actions = ["index_label", "structured_metadata", "drop"] as const;

export type AttributeAction = typeof actions[number];

/** Names one by one or with a regular expression, which a name must match as a whole. */
export interface AttributeRule {
  readonly action: AttributeAction;
  readonly attributes?: ReadonlyArray<string>;
  readonly regex?: string;
}

/** Of the rules that match an attribute's name the first counts; without one it becomes structured metadata. */
export interface OtlpConfig {
  readonly resource_attributes: {
    /** Otherwise distributor.otlp_config.default_resource_attributes_as_index_labels come before all rules. */
    readonly ignore_defaults: boolean;
    readonly attributes_config: ReadonlyArray<AttributeRule>;
  };
  readonly scope_attributes: ReadonlyArray<AttributeRule>;
  readonly log_attributes: ReadonlyArray<AttributeRule>;
  /** A record's severity_text is a label, too. */
  readonly severity_text_as_label: boolean;
}

const Rules: Schema.Codec<ReadonlyArray<AttributeRule>> = Schema.Array(Schema.Struct({
  action: Schema.Literals(actions),
  attributes: Schema.optionalKey(Schema.Array(Schema.String)),
  regex: Schema.optionalKey(Schema.String),
}));

const Config: Schema.Codec<OtlpConfig> = Schema.Struct({
  resource_attributes: Schema.Struct({
    ignore_defaults: Schema.Boolean,
    attributes_config: Rules,
  }),
  scope_attributes: Rules,
  log_attributes: Rules,
  severity_text_as_label: Schema.Boolean,
});

export const OtlpConfig = structured<OtlpConfig>(Config, (value) => {
  try {
    return Result.succeed(configOf(value));
  } catch (error) {
    if (error instanceof Wrong) return Result.fail(error.message);
    throw error;
  }
});

/** What tells streams apart and has few values, as Loki has it. */
export const defaultLabelAttributes: ReadonlyArray<string> = [
  "service.name",
  "service.namespace",
  "service.instance.id",
  "deployment.environment",
  "deployment.environment.name",
  "cloud.region",
  "cloud.availability_zone",
  "container.name",
  ...["cluster", "namespace", "pod", "container", "replicaset", "deployment", "statefulset"]
    .concat("daemonset", "cronjob", "job").map((kind) => `k8s.${kind}.name`),
];

/** Names with commas between, or a list of them. */
export const AttributeNames = structured<ReadonlyArray<string>>(
  Schema.Array(Schema.String),
  (value) => {
    const names = typeof value === "string" ? value.split(",").map((name) => name.trim()) : value;
    return isNames(names) ? Result.succeed(names) : Result.fail("is not a list of names");
  },
);

class Wrong extends Error {}

function configOf(value: unknown): OtlpConfig {
  const config = members(value, "otlp_config", [
    "resource_attributes",
    "scope_attributes",
    "log_attributes",
    "severity_text_as_label",
  ]);
  const resource = members(config.resource_attributes ?? {}, "resource_attributes", [
    "ignore_defaults",
    "attributes_config",
  ]);
  return {
    resource_attributes: {
      ignore_defaults: toggle(resource.ignore_defaults, "ignore_defaults"),
      attributes_config: rulesOf(resource.attributes_config, "attributes_config", actions),
    },
    // A scope's attributes say which library it was, which is no stream.
    scope_attributes: rulesOf(config.scope_attributes, "scope_attributes", actions.slice(1)),
    log_attributes: rulesOf(config.log_attributes, "log_attributes", actions),
    severity_text_as_label: toggle(config.severity_text_as_label, "severity_text_as_label"),
  };
}

function rulesOf(
  value: unknown,
  at: string,
  allowed: ReadonlyArray<AttributeAction>,
): ReadonlyArray<AttributeRule> {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) {
    throw new Wrong(`${at} is not a list of action and attributes or regex`);
  }
  return value.map((each, index) => ruleOf(each, `${at}[${index}]`, allowed));
}

function ruleOf(
  value: unknown,
  at: string,
  allowed: ReadonlyArray<AttributeAction>,
): AttributeRule {
  const { action: given = "structured_metadata", attributes, regex } = members(value, at, [
    "action",
    "attributes",
    "regex",
  ]);
  const action = allowed.find((name) => name === given);
  if (action === undefined) {
    throw new Wrong(
      `${at} has the action ${JSON.stringify(given)}: write one of ${allowed.join(", ")}`,
    );
  }
  if ((attributes === undefined) === (regex === undefined)) {
    throw new Wrong(`${at} must have either attributes or regex`);
  }
  if (attributes === undefined) {
    if (typeof regex !== "string") throw new Wrong(`${at} has a regex that is no text`);
    return { action, regex };
  }
  if (!isNames(attributes)) throw new Wrong(`${at} has attributes that are no list of names`);
  return { action, attributes };
}

function members<Key extends string>(value: unknown, at: string, known: ReadonlyArray<Key>) {
  const found = membersOf(value, known);
  if (typeof found === "string") throw new Wrong(`${at} ${found}`);
  return found;
}

function toggle(value: unknown, at: string): boolean {
  if (value === undefined || value === null) return false;
  if (typeof value === "boolean") return value;
  throw new Wrong(`${at} is ${JSON.stringify(value)}, neither true nor false`);
}

function isNames(value: unknown): value is ReadonlyArray<string> {
  return Array.isArray(value) && value.every((name) => typeof name === "string" && name !== "");
}
