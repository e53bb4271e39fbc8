/** Routes behind a real socket, in the test's own process. Owns the server's life; what the routes need is the caller's layer. */
import { Effect, Layer } from "effect";
import { HttpRouter, HttpServer } from "effect/http";
import { httpServerLayer } from "../platform/httpServer.ts";

type Provided = Layer.Success<ReturnType<typeof httpServerLayer>>;

/** Calls `body` with the base URL of a server on a free port of 127.0.0.1, and stops the server when it is done. */
export function withRoutes<E>(
  routes: Layer.Layer<
    never,
    E,
    HttpRouter.HttpRouter | Provided | HttpRouter.Request<"Requires", Provided>
  >,
  body: (baseUrl: string) => Promise<void>,
): Promise<void> {
  const server = httpServerLayer({
    host: "127.0.0.1",
    port: 0,
    readTimeoutMs: 10_000,
    idleTimeoutMs: 10_000,
    quietTimeoutMs: 60_000,
    shutdownTimeoutMs: 1000,
  });
  const app = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provideMerge(server),
  );
  return Effect.runPromise(
    Effect.gen(function* () {
      const { address } = yield* HttpServer.HttpServer;
      if (address._tag !== "InetAddressV4") throw new Error("want an address of IPv4");
      yield* Effect.promise(() => body(`http://127.0.0.1:${address.port}`));
    }).pipe(Effect.provide(app), Effect.scoped),
  );
}
