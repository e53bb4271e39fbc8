/** What a handler of the read API gets and gives; queryRoutes.ts makes routes of handlers. */
import { Effect } from "effect";

/** A request, as handlers get it. */
export interface ApiCall {
  readonly tenant: string;
  readonly params: URLSearchParams;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly path: Readonly<Record<string, string | undefined>>;
}

/** Answers with JSON, as text or as UTF-8. */
export type Handler = (call: ApiCall) => Effect.Effect<string | Uint8Array, unknown>;

/** Turns what `body` throws into the effect's failure. */
export function attempt<A>(body: () => A): Effect.Effect<A, unknown> {
  return Effect.try({ try: body, catch: (error) => error });
}
