/** What is remembered of a rule group between evaluations and restarts, and its bytes in the rule store: zstd of JSON after four
 *  bytes of length. Pure. Rules are told apart by name and labels, so that an edited query keeps its alerts. */
import { zstdCompress, zstdDecompress } from "../../platform/zstd.ts";
import { afterOutage, type Alert, type OutageTimes } from "./alertStates.ts";
import { labelsOfRule, type PlacedGroup, type Rule } from "./rule.ts";

export interface RuleState {
  readonly health: "unknown" | "ok" | "err";
  readonly lastError: string;
  /** 0 if there was none. */
  readonly lastEvaluationMs: number;
  readonly evaluationSeconds: number;
  readonly alerts: ReadonlyArray<Alert>;
}

export interface GroupState {
  readonly lastEvaluationMs: number;
  readonly evaluationSeconds: number;
  /** In the group's order. */
  readonly rules: ReadonlyArray<RuleState>;
}

/** What the store has under a group's name: the state and the group that it is of. */
export interface GroupRecord {
  readonly placed: PlacedGroup;
  readonly state: GroupState;
  /** Who wrote it. */
  readonly evaluator: string;
}

const freshRule: RuleState = {
  health: "unknown",
  lastError: "",
  lastEvaluationMs: 0,
  evaluationSeconds: 0,
  alerts: [],
};

/** The state of a group that was never evaluated. */
export function freshState({ group }: PlacedGroup): GroupState {
  return {
    lastEvaluationMs: 0,
    evaluationSeconds: 0,
    rules: group.rules.map(() => freshRule),
  };
}

/** The state for a group that was `record.placed` before: rules that are the same keep theirs. */
export function carriedOver(record: GroupRecord, placed: PlacedGroup): GroupState {
  const before = new Map<string, RuleState[]>();
  record.placed.group.rules.forEach((rule, index) => {
    const key = identity(record.placed, rule);
    const states = before.get(key) ?? [];
    states.push(record.state.rules[index] ?? freshRule);
    before.set(key, states);
  });
  const rules = placed.group.rules.map((rule) =>
    before.get(identity(placed, rule))?.shift() ?? freshRule
  );
  return { ...record.state, rules };
}

/** The state when evaluations go on after a time without. */
export function resumed(state: GroupState, times: OutageTimes, atMs: number): GroupState {
  if (state.lastEvaluationMs === 0) return state;
  return {
    ...state,
    rules: state.rules.map((rule) => ({
      ...rule,
      alerts: afterOutage(rule.alerts, times, state.lastEvaluationMs, atMs),
    })),
  };
}

export function encodeRecord(record: GroupRecord): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(record));
  const packed = zstdCompress(json, 3);
  const bytes = new Uint8Array(4 + packed.length);
  new DataView(bytes.buffer).setUint32(0, json.length, true);
  bytes.set(packed, 4);
  return bytes;
}

/** Undefined for what cannot be read: the group then begins anew. */
export function decodeRecord(bytes: Uint8Array): GroupRecord | undefined {
  try {
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    if (length > recordBytesMax) return undefined;
    const json = zstdDecompress(bytes.subarray(4), length);
    return JSON.parse(new TextDecoder().decode(json)) as GroupRecord;
  } catch {
    return undefined;
  }
}

const recordBytesMax = 64 * 1024 * 1024;

function identity({ group }: PlacedGroup, rule: Rule): string {
  const labels = Object.entries(labelsOfRule(group, rule)).sort(([a], [b]) => a < b ? -1 : 1);
  return JSON.stringify([rule.kind, rule.name, labels]);
}
