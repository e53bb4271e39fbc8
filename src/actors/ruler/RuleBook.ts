/** All rule groups there are, from the API and from files, and what their evaluations have come to. Owns the keys of the rule
 *  store: `group.<tenant>.<namespace>.<name>` is a group's YAML, `state.…` its record (groupState.ts). Every process that answers
 *  for rules has one; Ruler.ts evaluates. */
import { Context, Effect, Layer, Result, Schedule, Schema } from "effect";
import { limitsFor, type Settings } from "../../platform/config/mod.ts";
import { errorText } from "../../platform/files.ts";
import { keyPart, partText, RuleStore, type RuleStoreError } from "../../storage/RuleStore.ts";
import { decodeRecord, type GroupRecord } from "./groupState.ts";
import { nameProblem, parseRuleGroup } from "./parseRules.ts";
import { printRuleGroup } from "./printRules.ts";
import type { PlacedGroup, RuleGroup } from "./rule.ts";
import { RuleFiles } from "./RuleFiles.ts";

/** Rules are not taken, or there are none of that name. The message says why. */
export class RulesRefused extends Schema.TaggedError<RulesRefused>()("RulesRefused", {
  reason: Schema.Literals(["Invalid", "Limit", "ReadOnly", "NotFound"]),
  message: Schema.String,
}) {}

export interface GroupName {
  readonly tenant: string;
  readonly namespace: string;
  readonly name: string;
}

/** A group and its state, if it was ever evaluated. */
export interface GroupView {
  readonly placed: PlacedGroup;
  readonly record: GroupRecord | undefined;
}

type Failure = RulesRefused | RuleStoreError;

export class RuleBook extends Context.Service<RuleBook, {
  /** Groups of a tenant, or of all, in the order of their keys. */
  readonly groups: (tenant?: string) => Effect.Effect<ReadonlyArray<PlacedGroup>, RuleStoreError>;
  /** The same with states, and groups from files that only other processes have. */
  readonly views: (tenant: string) => Effect.Effect<ReadonlyArray<GroupView>, RuleStoreError>;
  /** Stores a group; one of that name is replaced. */
  readonly put: (
    tenant: string,
    namespace: string,
    group: RuleGroup,
  ) => Effect.Effect<void, Failure>;
  readonly removeGroup: (name: GroupName) => Effect.Effect<void, Failure>;
  readonly removeNamespace: (tenant: string, namespace: string) => Effect.Effect<void, Failure>;
}>()("tailrace/actors/RuleBook") {
  static readonly layer = (settings: Settings) => Layer.effect(RuleBook, makeBook(settings));
}

export function groupKey({ tenant, namespace, name }: GroupName): string {
  return `group.${[tenant, namespace, name].map(keyPart).join(".")}`;
}

export function stateKey({ tenant, namespace, name }: GroupName): string {
  return `state.${[tenant, namespace, name].map(keyPart).join(".")}`;
}

export function nameOf({ tenant, namespace, group }: PlacedGroup): GroupName {
  return { tenant, namespace, name: group.name };
}

/** Parsed values of the store, so that only what changed is parsed again. */
class Parsed<A> {
  readonly #values = new Map<string, { readonly revision: number; readonly value: A }>();

  get(key: string, revision: number, parse: () => A): A {
    const known = this.#values.get(key);
    if (known?.revision === revision) return known.value;
    const value = parse();
    this.#values.set(key, { revision, value });
    return value;
  }

  delete(key: string): void {
    this.#values.delete(key);
  }
}

const makeBook = Effect.fnUntraced(function* (settings: Settings) {
  const store = yield* RuleStore;
  const files = new RuleFiles(settings.ruler.storage.local.directory);
  const readFiles = Effect.promise(() => files.read().catch((error) => [errorText(error)])).pipe(
    Effect.flatMap((problems) =>
      Effect.forEach(problems, (problem) => Effect.logError(`rules are not read: ${problem}`), {
        discard: true,
      })
    ),
  );
  yield* readFiles;
  yield* readFiles.pipe(
    Effect.repeat(Schedule.spaced(settings.ruler.poll_interval)),
    Effect.forkScoped,
  );
  const groupsParsed = new Parsed<PlacedGroup | undefined>();
  const recordsParsed = new Parsed<GroupRecord | undefined>();

  const stored = Effect.fnUntraced(function* (prefix: string) {
    const records = yield* store.list(prefix);
    const found: PlacedGroup[] = [];
    for (const { key, value, revision } of records) {
      const placed = groupsParsed.get(key, revision, () => placedOf(key, value));
      if (placed !== undefined) found.push(placed);
      else yield* Effect.logDebug(`the rules under ${key} cannot be read by this version`);
    }
    return found;
  });

  /** Files win: whoever mounts them expects them to be what counts. */
  const groups = Effect.fn("RuleBook.groups")(function* (tenant?: string) {
    const ofFiles = files.groups.filter((placed) =>
      tenant === undefined || placed.tenant === tenant
    );
    const known = new Set(ofFiles.map((placed) => groupKey(nameOf(placed))));
    const ofStore = yield* stored(tenant === undefined ? "group." : `group.${keyPart(tenant)}.`);
    const others = ofStore.filter((placed) => !known.has(groupKey(nameOf(placed))));
    return sorted([...ofFiles, ...others]);
  });

  const views = Effect.fn("RuleBook.views")(function* (tenant: string) {
    const placed = yield* groups(tenant);
    const records = new Map<string, GroupRecord>();
    for (const { key, value, revision } of yield* store.list(`state.${keyPart(tenant)}.`)) {
      const record = recordsParsed.get(key, revision, () => decodeRecord(value));
      if (record !== undefined) records.set(key, record);
    }
    const found = placed.map((one): GroupView => ({
      placed: one,
      record: records.get(stateKey(nameOf(one))),
    }));
    const known = new Set(placed.map((one) => stateKey(nameOf(one))));
    for (const [key, record] of records) {
      // A group that was given to the API and is not there was removed a moment ago.
      if (!known.has(key) && record.placed.file !== null) {
        found.push({ placed: record.placed, record });
      }
    }
    return found;
  });

  const refuseFiles = (tenant: string, namespace: string) => {
    const file = files.groups.find((placed) =>
      placed.tenant === tenant && placed.namespace === namespace
    )?.file;
    if (file === undefined || file === null) return Effect.void;
    const message =
      `the rules of namespace ${JSON.stringify(namespace)} are in the file ${file}: ` +
      "change them there";
    return Effect.fail(new RulesRefused({ reason: "ReadOnly", message }));
  };

  const put = Effect.fn("RuleBook.put")(
    function* (tenant: string, namespace: string, group: RuleGroup) {
      const problem = nameProblem(namespace);
      if (problem !== undefined) {
        const message = `the namespace ${problem}`;
        return yield* new RulesRefused({ reason: "Invalid", message });
      }
      yield* refuseFiles(tenant, namespace);
      const limits = limitsFor(settings, tenant);
      const rulesMax = limits.ruler_max_rules_per_rule_group;
      if (rulesMax > 0 && group.rules.length > rulesMax) {
        const message = `per-user rules per rule group limit (limit: ${rulesMax} actual: ` +
          `${group.rules.length}) exceeded; spread them over groups, or raise ` +
          "limits_config.ruler_max_rules_per_rule_group";
        return yield* new RulesRefused({ reason: "Limit", message });
      }
      const key = groupKey({ tenant, namespace, name: group.name });
      const groupsMax = limits.ruler_max_rule_groups_per_tenant;
      const existing = yield* store.list(`group.${keyPart(tenant)}.`);
      const isNew = !existing.some((record) => record.key === key);
      if (groupsMax > 0 && isNew && existing.length >= groupsMax) {
        const message = `per-user rule groups limit (limit: ${groupsMax} actual: ` +
          `${existing.length + 1}) exceeded; put rules into fewer groups, or raise ` +
          "limits_config.ruler_max_rule_groups_per_tenant";
        return yield* new RulesRefused({ reason: "Limit", message });
      }
      yield* store.put(key, new TextEncoder().encode(printRuleGroup(group)));
    },
  );

  const removeKey = Effect.fnUntraced(function* (key: string) {
    groupsParsed.delete(key);
    return yield* store.remove(key);
  });

  const removeGroup = Effect.fn("RuleBook.removeGroup")(function* (name: GroupName) {
    yield* refuseFiles(name.tenant, name.namespace);
    if (yield* removeKey(groupKey(name))) return;
    return yield* new RulesRefused({ reason: "NotFound", message: "group does not exist" });
  });

  const removeNamespace = Effect.fn("RuleBook.removeNamespace")(
    function* (tenant: string, namespace: string) {
      yield* refuseFiles(tenant, namespace);
      const records = yield* store.list(`group.${keyPart(tenant)}.${keyPart(namespace)}.`);
      for (const { key } of records) yield* removeKey(key);
      if (records.length > 0) return;
      const message = "group namespace does not exist";
      return yield* new RulesRefused({ reason: "NotFound", message });
    },
  );

  return RuleBook.of({ groups, views, put, removeGroup, removeNamespace });
});

function placedOf(key: string, value: Uint8Array): PlacedGroup | undefined {
  const [, tenant = "", namespace = ""] = key.split(".");
  const parsed = parseRuleGroup(new TextDecoder().decode(value));
  if (Result.isFailure(parsed)) return undefined;
  return {
    tenant: partText(tenant),
    namespace: partText(namespace),
    group: parsed.success,
    file: null,
  };
}

function sorted(groups: ReadonlyArray<PlacedGroup>): ReadonlyArray<PlacedGroup> {
  const keyOf = new Map(groups.map((placed) => [placed, groupKey(nameOf(placed))]));
  return [...groups].sort((a, b) => keyOf.get(a)! < keyOf.get(b)! ? -1 : 1);
}
