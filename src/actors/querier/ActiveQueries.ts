/** The queries that run in this process: what they ask, how far they are, and how to end one. Whoever takes a query from a client
 *  asks a querier that this one watches. Invariant: a query is listed exactly while it waits for its turn or runs. */
import { Context, Deferred, Effect, Layer } from "effect";
import type { WorkProgress } from "./progress.ts";
import { type Querier, QueryFailed } from "./Querier.ts";

/** A query as clients see it. */
export interface ActiveQuery {
  readonly id: string;
  readonly tenant: string;
  readonly query: string;
  /** Milliseconds since 1970. */
  readonly startedAtMs: number;
  /** What the last report said; undefined before the first. */
  readonly progress: WorkProgress | undefined;
}

export class ActiveQueries extends Context.Service<ActiveQueries, {
  /** The querier, its queries for lines and samples listed under `text`. They fail with QueryFailed, Cancelled, when someone
   *  ends them. */
  readonly watch: (querier: Querier["Service"], text: string) => Querier["Service"];
  /** The tenant's queries, oldest first. */
  readonly list: (tenant: string) => ReadonlyArray<ActiveQuery>;
  /** Ends a query of the tenant; false if there is none with this id. */
  readonly cancel: (tenant: string, id: string) => boolean;
}>()("tailrace/actors/ActiveQueries") {
  static readonly layer = Layer.sync(ActiveQueries, () => {
    const running = new Map<string, Running>();
    let count = 0;
    const track = <A, E, R>(
      tenant: string,
      query: string,
      work: (report: (progress: WorkProgress) => void) => Effect.Effect<A, E, R>,
    ): Effect.Effect<A, E | QueryFailed, R> =>
      Effect.suspend(() => {
        const id = String(++count);
        const one: Running = {
          query: { id, tenant, query, startedAtMs: Date.now(), progress: undefined },
          cancelled: Deferred.makeUnsafe<never, QueryFailed>(),
        };
        running.set(id, one);
        return work((progress) => one.query.progress = progress).pipe(
          Effect.raceFirst(Deferred.await(one.cancelled)),
          Effect.ensuring(Effect.sync(() => running.delete(id))),
        );
      });
    return ActiveQueries.of({
      watch: (querier, text) => ({
        ...querier,
        selectLogs: (request, watcher = {}) =>
          track(request.tenant, text, (report) =>
            querier.selectLogs(request, {
              ...watcher,
              onProgress: (progress) => {
                report(progress);
                watcher.onProgress?.(progress);
              },
            })),
        selectMetrics: (request, onProgress) =>
          track(request.tenant, text, (report) =>
            querier.selectMetrics(request, (progress) => {
              report(progress);
              onProgress?.(progress);
            })),
      }),
      list: (tenant) =>
        [...running.values()].map(({ query }) => query).filter((query) => query.tenant === tenant),
      cancel: (tenant, id) => {
        const one = running.get(id);
        if (one === undefined || one.query.tenant !== tenant) return false;
        const failure = new QueryFailed({
          reason: "Cancelled",
          message: "the query was cancelled by another request",
        });
        Deferred.doneUnsafe(one.cancelled, Effect.fail(failure));
        return true;
      },
    });
  });
}

interface Running {
  readonly query: { -readonly [Key in keyof ActiveQuery]: ActiveQuery[Key] };
  readonly cancelled: Deferred.Deferred<never, QueryFailed>;
}
