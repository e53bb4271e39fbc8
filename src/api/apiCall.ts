/** What a handler of the read API gets and gives; queryRoutes.ts makes routes of handlers. */
import { Effect, type Scope } from "effect";

/** A request, as handlers get it. */
export interface ApiCall {
  readonly tenant: string;
  readonly params: URLSearchParams;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly path: Readonly<Record<string, string | undefined>>;
}

/** JSON: a text, or pieces of UTF-8. */
export type Json = string | ReadonlyArray<Uint8Array>;

/** Answers with JSON. What it holds in its scope it needs no more when it has. */
export type Handler = (call: ApiCall) => Effect.Effect<Json, unknown, Scope.Scope>;

/** Turns what `body` throws into the effect's failure. */
export function attempt<A>(body: () => A): Effect.Effect<A, unknown> {
  return Effect.try({ try: body, catch: (error) => error });
}
