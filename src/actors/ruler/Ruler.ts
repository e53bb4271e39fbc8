/** Evaluates the rule groups of this process's shards, each in a fiber of its own, at the moments that its interval and its name
 *  give, whichever process does. Owns when, and what is done with the results: first the state is written, on condition that
 *  nobody else has; only then Alertmanagers hear of it and samples are sent. So a ruler that was paused and wakes up changes
 *  nothing. evaluateGroup.ts owns what an evaluation is. */
import { Clock, Effect, Fiber, Layer, Metric, Schedule } from "effect";
import type { Settings } from "../../platform/config/mod.ts";
import { errorText } from "../../platform/files.ts";
import {
  ruleEvaluations,
  ruleFailures,
  ruleGroupSeconds,
  ruleGroupsOwned,
  ruleIterations,
  ruleIterationsMissed,
} from "../../platform/metrics.ts";
import { partText, RuleStore } from "../../storage/RuleStore.ts";
import { evaluateGroup, type EvaluationOptions, type GroupEvaluation } from "./evaluateGroup.ts";
import { firstSlot, nextSlot } from "./evaluationTimes.ts";
import {
  carriedOver,
  decodeRecord,
  encodeRecord,
  freshState,
  type GroupState,
  resumed,
} from "./groupState.ts";
import { externalUrlOf, Notifier } from "./Notifier.ts";
import { noReceiver, RemoteWrite, type SeriesOfGroup } from "./RemoteWrite.ts";
import { labelPairs } from "./requestHeaders.ts";
import type { PlacedGroup } from "./rule.ts";
import { groupKey, nameOf, RuleBook, stateKey } from "./RuleBook.ts";
import { RuleQueries } from "./RuleQueries.ts";
import { RuleShards } from "./RuleShards.ts";

/** How often it is looked which groups there are. */
const syncEveryMs = 1000;
/** Results of one rule: each becomes an alert with texts, or a sample. */
const resultsMax = 10_000;

interface RunningGroup {
  readonly placed: PlacedGroup;
  readonly fiber: Fiber.Fiber<void>;
}

/** Evaluates until the scope closes. */
export const evaluateRules = (settings: Settings) => Layer.effectDiscard(makeRuler(settings));

const makeRuler = Effect.fnUntraced(function* (settings: Settings) {
  const book = yield* RuleBook;
  const shards = yield* RuleShards;
  const store = yield* RuleStore;
  const running = new Map<string, RunningGroup>();
  const group = yield* makeGroupLoop(settings);

  const stop = Effect.fnUntraced(function* (key: string) {
    const found = running.get(key);
    running.delete(key);
    if (found !== undefined) yield* Fiber.interrupt(found.fiber);
  });

  /** States of groups that are gone, of this process's shards. */
  const forget = Effect.fnUntraced(function* (known: ReadonlySet<string>) {
    for (const { key } of yield* store.list("state.")) {
      const [, tenant = "", namespace = "", name = ""] = key.split(".");
      const named = {
        tenant: partText(tenant),
        namespace: partText(namespace),
        name: partText(name),
      };
      if (!known.has(groupKey(named)) && shards.owns(groupKey(named))) yield* store.remove(key);
    }
  });

  const sync = Effect.gen(function* () {
    const groups = yield* book.groups();
    const known = new Map(groups.map((placed) => [groupKey(nameOf(placed)), placed]));
    for (const [key, { placed, fiber }] of running) {
      const now = known.get(key);
      const isSame = now === placed || JSON.stringify(now) === JSON.stringify(placed);
      const isOver = fiber.pollUnsafe() !== undefined;
      if (!isSame || isOver || !shards.owns(key)) yield* stop(key);
    }
    for (const [key, placed] of known) {
      if (running.has(key) || !shards.owns(key)) continue;
      running.set(key, { placed, fiber: yield* Effect.forkScoped(group(placed)) });
    }
    yield* Metric.update(ruleGroupsOwned, running.size);
    yield* forget(new Set(known.keys()));
  });

  yield* sync.pipe(
    Effect.catch((error) => Effect.logWarning(`rules are not followed: ${error.message}`)),
    Effect.repeat(Schedule.spaced(syncEveryMs)),
    Effect.forkScoped,
  );
});

/** What evaluates one group until it is interrupted, or ends because another ruler does. */
const makeGroupLoop = Effect.fnUntraced(function* (settings: Settings) {
  const store = yield* RuleStore;
  const shards = yield* RuleShards;
  const queries = yield* RuleQueries;
  const notifier = yield* Notifier;
  const remoteWrite = yield* RemoteWrite;
  const { ruler } = settings;

  const load = Effect.fnUntraced(function* (placed: PlacedGroup) {
    const key = stateKey(nameOf(placed));
    const stored = (yield* store.list(key)).find((record) => record.key === key);
    const record = stored === undefined ? undefined : decodeRecord(stored.value);
    const state = record === undefined ? freshState(placed) : carriedOver(record, placed);
    return { key, state, revision: stored?.revision ?? 0 };
  });

  /** The new revision; "lost" if another ruler wrote meanwhile. A store that fails must not keep alerts from being sent. */
  const save = Effect.fnUntraced(
    function* (key: string, placed: PlacedGroup, state: GroupState, revision: number) {
      const value = encodeRecord({ placed, state, evaluator: shards.evaluator });
      const saved = yield* store.replace(key, value, revision);
      if (saved !== undefined) return saved;
      const now = (yield* store.list(key)).find((record) => record.key === key);
      // A write whose acknowledgement was lost is this process's own.
      const isOwn = now !== undefined && decodeRecord(now.value)?.evaluator === shards.evaluator;
      return isOwn ? (yield* store.replace(key, value, now.revision)) ?? "lost" : "lost";
    },
    (saving, key, _placed, _state, revision) =>
      Effect.catch(
        saving,
        (error) =>
          Effect.as(
            Effect.logError(`the state of ${key} is not saved: ${error.message}`),
            revision,
          ),
      ),
  );

  return Effect.fnUntraced(function* (placed: PlacedGroup) {
    const intervalMs = placed.group.intervalMs ?? ruler.evaluation_interval;
    const options: EvaluationOptions = {
      queries,
      intervalMs,
      resultsMax,
      resendDelayMs: ruler.resend_delay,
      externalLabels: labelPairs(ruler.external_labels),
      externalUrl: externalUrlOf(settings),
      recordingProblem: remoteWrite.isConfigured ? null : noReceiver,
    };
    yield* warnOfRecording(placed, options);
    const loaded = yield* load(placed);
    let { state, revision } = loaded;
    const series: SeriesOfGroup = [];
    const publish = (evaluation: GroupEvaluation, atMs: number) =>
      Effect.andThen(
        notifier.notify(placed.tenant, evaluation.toSend),
        remoteWrite.write(placed.tenant, evaluation, atMs, series),
      );
    const outage = { toleranceMs: ruler.for_outage_tolerance, intervalMs };
    const nowMs = yield* Clock.currentTimeMillis;
    let slot = firstSlot(loaded.key, intervalMs, Math.max(nowMs, state.lastEvaluationMs + 1));
    state = resumed(state, outage, slot);
    for (;;) {
      yield* Effect.sleep(Math.max(0, slot - (yield* Clock.currentTimeMillis)));
      const evaluation = yield* evaluateGroup(placed, state, slot, options);
      // What is marked as sent must be sent, also when this ruler stops now.
      const saved = yield* Effect.uninterruptible(
        save(loaded.key, placed, evaluation.state, revision).pipe(
          Effect.tap((outcome) => outcome === "lost" ? Effect.void : publish(evaluation, slot)),
        ),
      );
      if (saved === "lost") {
        yield* Effect.logInfo(`another ruler evaluates ${loaded.key}`);
        return;
      }
      [state, revision] = [evaluation.state, saved];
      const next = nextSlot(slot, intervalMs, yield* Clock.currentTimeMillis);
      yield* count(placed, evaluation, next.missed);
      slot = next.slot;
    }
  }, (loop, placed) =>
    Effect.catch(loop, (error) =>
      Effect.logWarning(
        `rules of ${groupKey(nameOf(placed))} are not evaluated: ${errorText(error)}`,
      )));
});

const warnOfRecording = ({ tenant, namespace, group }: PlacedGroup, options: EvaluationOptions) =>
  options.recordingProblem !== null && group.rules.some(({ kind }) => kind === "recording")
    ? Effect.logWarning(
      `recording rules of ${tenant}/${namespace}/${group.name} do nothing: ${options.recordingProblem}`,
    )
    : Effect.void;

const count = ({ tenant }: PlacedGroup, { state, failures }: GroupEvaluation, missed: number) => {
  const add = (counter: Metric.Counter<number>, amount: number) =>
    Metric.update(Metric.withAttributes(counter, { user: tenant }), amount);
  return Effect.all([
    add(ruleEvaluations, state.rules.length),
    add(ruleFailures, failures),
    add(ruleIterations, 1 + missed),
    add(ruleIterationsMissed, missed),
    Metric.update(ruleGroupSeconds, state.evaluationSeconds),
  ], { discard: true });
};
