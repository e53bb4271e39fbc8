/** Sends messages over a WebSocket so that each is counted among what answers hold until it is written out. HeldAnswers.ts owns
 *  the account, webSocket.ts how messages travel. */
import { Effect } from "effect";
import { growing, type HeldAnswer, holdInScope } from "../actors/HeldAnswers.ts";
import type { WebSocketConnection } from "../platform/webSocket.ts";
import { bytesOf, utf8Of } from "./utf8.ts";

/** Sends a message, of texts and UTF-8 one after another, when there is room for it; one at a time. Fails with QueryFailed, Busy,
 *  if there is none, or when the connection is gone. */
export type SendHeld = (pieces: ReadonlyArray<string | Uint8Array>) => Effect.Effect<void, unknown>;

/** What sends over a connection until the scope closes. */
export const sendingHeld = (connection: WebSocketConnection) =>
  Effect.map(
    holdInScope(connection),
    (held): SendHeld => (pieces) => sendCounted(connection, held, pieces),
  );

function sendCounted(
  connection: WebSocketConnection,
  held: HeldAnswer,
  pieces: ReadonlyArray<string | Uint8Array>,
): Effect.Effect<void, unknown> {
  return Effect.suspend(() => {
    const encoded = utf8Of(pieces);
    const bytes = bytesOf(encoded);
    held.resize(bytes);
    return growing(held, bytes).pipe(
      Effect.andThen(
        Effect.tryPromise({ try: () => connection.send(encoded), catch: (error) => error }),
      ),
      Effect.ensuring(Effect.sync(() => held.resize(0))),
    );
  });
}
