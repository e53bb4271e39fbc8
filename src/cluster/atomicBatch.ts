/** Publishes several messages to one stream so that all of them are stored or none: JetStream's atomic batch (ADR-50). The client
 *  library has one too, which loses the expectations of all but the first message and the server's reason for a refusal. */
import { JetStreamApiError } from "@nats-io/jetstream";
import { errors, headers as makeHeaders } from "@nats-io/transport-node";
import { type NatsLink, requestTimeoutMs } from "./Nats.ts";

export interface BatchMessage {
  readonly subject: string;
  readonly data: Uint8Array | string;
  /** The batch is stored only if this is the sequence of the last message of the subject; 0 if there is none. */
  readonly lastSubjectSequence?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Messages that the servers take in one batch. */
export const batchMessagesMax = 1000;

/** Stores all of them and returns the sequence of the last. Rejects as a publish does; after a timeout the outcome is unknown. */
export async function publishAtomically(
  { connection }: NatsLink,
  messages: ReadonlyArray<BatchMessage>,
): Promise<number> {
  const id = crypto.randomUUID();
  for (let index = 0;; index++) {
    const { subject, data, lastSubjectSequence, headers: more = {} } = messages[index]!;
    const headers = makeHeaders();
    for (const [name, value] of Object.entries(more)) headers.set(name, value);
    headers.set("Nats-Batch-Id", id);
    headers.set("Nats-Batch-Sequence", String(index + 1));
    if (lastSubjectSequence !== undefined) {
      headers.set("Nats-Expected-Last-Subject-Sequence", String(lastSubjectSequence));
    }
    const isLast = index === messages.length - 1;
    if (isLast) headers.set("Nats-Batch-Commit", "1");
    // The first answer says whether the server takes the batch at all, the last whether it is stored.
    if (index > 0 && !isLast) connection.publish(subject, data, { headers });
    else {
      const options = { headers, timeout: requestTimeoutMs };
      const answer = await connection.request(subject, data, options);
      if (answer.data.length > 0) {
        const sequence = sequenceOf(answer.data);
        if (isLast) return sequence;
      }
      if (isLast) throw new errors.TimeoutError();
    }
  }
}

function sequenceOf(data: Uint8Array): number {
  const answer = JSON.parse(new TextDecoder().decode(data));
  if (answer.error !== undefined) throw new JetStreamApiError(answer.error);
  return answer.seq;
}
