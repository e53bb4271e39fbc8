/** Reads runs of stored messages from any replica of a stream, without a consumer: JetStream's direct get. What a replica answers
 *  may lag behind the leader, so an answer that ends early proves nothing; leaderGet asks the leader for one message. */
import { errors, type MsgHdrs } from "@nats-io/transport-node";
import type { NatsLink } from "./Nats.ts";
import { requestTimeoutMs } from "./Nats.ts";

export interface StoredMessage {
  readonly subject: string;
  readonly sequence: number;
  readonly headers: MsgHdrs;
  readonly data: Uint8Array;
}

export interface DirectRequest {
  /** The least sequence wanted. */
  readonly seq: number;
  readonly batch: number;
  /** The server stops after about so many bytes. */
  readonly max_bytes?: number;
  /** Only messages of this subject, which may have wildcards. */
  readonly next_by_subj?: string;
}

/** Messages from `request.seq` on, in order; empty when the replica that answers has none. Rejects with TimeoutError when the
 *  replica stops in the middle, which is also how a missing permission shows. */
export function directGet(
  { connection, inbox: newInbox }: NatsLink,
  stream: string,
  request: DirectRequest,
): Promise<ReadonlyArray<StoredMessage>> {
  return new Promise((resolve, reject) => {
    const messages: StoredMessage[] = [];
    const inbox = newInbox();
    const end = (error?: Error) => {
      clearTimeout(timer);
      subscription.unsubscribe();
      if (error === undefined) resolve(messages);
      else reject(error);
    };
    const timedOut = () => end(new errors.TimeoutError());
    let timer = setTimeout(timedOut, requestTimeoutMs);
    const subscription = connection.subscribe(inbox, {
      callback: (error, message) => {
        if (error !== null) return end(error);
        const { headers } = message;
        const status = headers?.code ?? 0;
        // 204: the batch is complete. 404: there is nothing (more).
        if (status === 204 || status === 404) return end();
        if (status === 503) return end(new errors.NoRespondersError(`${stream} has no leader`));
        if (status !== 0 || headers === undefined) {
          return end(new Error(`direct get from ${stream}: ${status} ${headers?.description}`));
        }
        messages.push({
          subject: headers.last("Nats-Subject"),
          sequence: Number(headers.last("Nats-Sequence")),
          headers,
          data: message.data,
        });
        clearTimeout(timer);
        timer = setTimeout(timedOut, requestTimeoutMs);
      },
    });
    const payload = JSON.stringify(request);
    connection.publish(`$JS.API.DIRECT.GET.${stream}`, payload, { reply: inbox });
  });
}

/** One message as the stream's leader has it, or undefined if it has none. Costs a JSON answer with the data in base64. */
export async function leaderGet(
  { manager }: NatsLink,
  stream: string,
  query:
    | { readonly seq: number }
    | { readonly last_by_subj: string }
    | { readonly seq: number; readonly next_by_subj: string },
): Promise<StoredMessage | undefined> {
  const message = await manager.streams.getMessage(stream, query);
  if (message === null) return undefined;
  const { subject, seq: sequence, header: headers, data } = message;
  return { subject, sequence, headers, data };
}
