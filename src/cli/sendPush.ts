/** Sending one push request, again and again while the reason for failing can pass. Owns retries and their waits; push.ts and
 *  import.ts own what is sent. */
import { Effect, Result } from "effect";
import { type Connection, refusalMessage, send } from "./connection.ts";
import { failed } from "./failure.ts";

const retriesMax = 10;
const delayMillisMax = 30_000;

/** Sends one request, a PushRequest in protobuf, until the server takes it. The result is its words if it takes only a part;
 *  fails when it is no use to go on. A server that never answered is no use; one that did may be starting again. */
export const sendPush = Effect.fnUntraced(
  function* (connection: Connection, bytes: Uint8Array, hasAnswered: boolean) {
    // Loaded here: it is native code, which the server's sandbox does not allow.
    const { compress } = yield* Effect.promise(() => import("snappy"));
    const body = new Uint8Array(yield* Effect.promise(() => compress(bytes)));
    let delayMillis = 500;
    for (let attempt = 0;; attempt++) {
      const sent = yield* Effect.result(send(connection, "/loki/api/v1/push", {
        method: "POST",
        headers: { "content-type": "application/x-protobuf" },
        body,
      }));
      if (Result.isFailure(sent) && !hasAnswered) return yield* sent.failure;
      const reply = Result.isFailure(sent)
        ? { status: 503, text: sent.failure.message, retryAfter: null }
        : sent.success;
      if (reply.status < 300) return undefined;
      const message = refusalMessage(reply.status, reply.text, undefined);
      // Of a request with some wrong lines the server stores the others and answers 400.
      if (reply.status === 400) return message;
      if (reply.status !== 429 && reply.status < 500) return yield* failed(message);
      if (attempt === retriesMax) {
        return yield* failed(`${message}\nGave up after ${attempt} retries`);
      }
      const asked = Number(reply.retryAfter) * 1000;
      yield* Effect.sleep(Math.min(delayMillisMax, asked > 0 ? asked : delayMillis));
      delayMillis *= 2;
    }
  },
);
