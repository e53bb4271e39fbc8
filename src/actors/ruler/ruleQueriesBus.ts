/** RuleQueries over NATS: a ruler asks, and one of all queriers answers. Questions are JSON, answers too, in frames. */
import type { Msg } from "@nats-io/transport-node";
import { Effect, Layer } from "effect";
import { answerInFrames, AnswerRefused, requestFrames } from "../../cluster/frames.ts";
import type { MicroService } from "../../cluster/microService.ts";
import { Nats } from "../../cluster/Nats.ts";
import { rulesSubject } from "../../cluster/subjects.ts";
import { limitsFor, type Settings } from "../../platform/config/mod.ts";
import { errorText } from "../../platform/files.ts";
import { QueryFailed } from "../querier/queryFailed.ts";
import { type LinesQuery, RuleQueries, type RuleQuery, type RuleSample } from "./RuleQueries.ts";

type Question =
  | { readonly kind: "instant"; readonly query: RuleQuery }
  | { readonly kind: "lines"; readonly query: LinesQuery };

const answerBytesMax = 64 * 1024 * 1024;
/** Beyond the query's own time limit. */
const graceMs = 5000;

/** For a ruler. */
export const ruleQueriesOverNats = (settings: Settings) =>
  Layer.effect(
    RuleQueries,
    Effect.map(Nats, (link) => {
      const ask = <A>(question: Question) =>
        Effect.tryPromise({
          try: async (signal) => {
            const parts = await requestFrames(link, {
              subject: rulesSubject,
              payload: JSON.stringify(question),
              idleMs: limitsFor(settings, question.query.tenant).query_timeout + graceMs,
              bytesMax: answerBytesMax,
              signal,
            });
            return JSON.parse(new TextDecoder().decode(parts[0])) as A;
          },
          catch: (error) =>
            new QueryFailed({
              reason: error instanceof AnswerRefused ? "Failed" : "Unavailable",
              message: error instanceof AnswerRefused
                ? error.message
                : `no querier answers: ${errorText(error)}`,
            }),
        });
      return RuleQueries.of({
        instant: (query) =>
          Effect.map(
            ask<ReadonlyArray<RuleSample & { readonly value: string }>>({ kind: "instant", query }),
            (samples) => samples.map(({ labels, value }) => ({ labels, value: Number(value) })),
          ),
        lines: (query) => ask<ReadonlyArray<string>>({ kind: "lines", query }),
      });
    }),
  );

/** For a querier: takes its share of the questions until the scope closes. */
export const serveRuleQueries = Effect.fnUntraced(function* (service: MicroService) {
  const link = yield* Nats;
  const queries = yield* RuleQueries;
  const run = Effect.runPromiseWith(yield* Effect.context<never>());
  const answer = (message: Msg) =>
    answerInFrames(link, message, async (signal) => {
      const { kind, query } = message.json<Question>();
      const found = kind === "lines"
        ? await run(queries.lines(query as LinesQuery), { signal })
        // JSON has no NaN and no infinities.
        : (await run(queries.instant(query), { signal })).map(({ labels, value }) => ({
          labels,
          value: String(value),
        }));
      return [new TextEncoder().encode(JSON.stringify(found))];
    });
  yield* Effect.acquireRelease(
    Effect.sync(() =>
      service.serve({ name: "rules", subject: rulesSubject, queue: "rules" }, answer)
    ),
    (stop) => Effect.sync(stop),
  );
});
