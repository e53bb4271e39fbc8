/** Answers that are too large for one message: a list of byte strings, sent as a run of frames to
 *  the asker's inbox. Every few frames the sender waits until the asker has them, so that a slow
 *  asker is not cut off by its server and a dead one stops the work. All requests of a connection
 *  share one subscription: servers tell one another of each new one.
 *  Invariant: an answer arrives whole or its request fails; it is never short. */
import {
  errors,
  headers as makeHeaders,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
} from "@nats-io/transport-node";
import type { NatsLink } from "./Nats.ts";
import { joinBytes } from "../platform/joinBytes.ts";

/** The other side said why it cannot answer. `reason` is a word that its protocol defines. */
export class AnswerRefused extends Error {
  override readonly name = "AnswerRefused";
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Bytes of a frame; a server takes 1 MB if it was not told otherwise. */
const frameBytesMax = 512 * 1024;
/** Frames on their way at once. */
const window = 8;
const receiptMs = 5000;

const header = {
  sequence: "Tailrace-Frame",
  more: "Tailrace-More",
  end: "Tailrace-Frames",
  reason: "Tailrace-Refused",
  message: "Tailrace-Message",
  /** Instead of a receipt: the request was given up. */
  gone: "Tailrace-Gone",
  /** Where the answer should have gone of a request that is given up, told to whom it was asked. */
  cancel: "Tailrace-Cancel",
};

/** The answers that are being made, by where they go. */
const running = new Map<string, AbortController>();

interface Frame {
  readonly data: Uint8Array;
  readonly headers: MsgHdrs;
}

/** The asker is gone, or has given the request up. */
class NobodyWaits extends Error {
  override readonly name = "NobodyWaits";
}

/** Sends what `produce` makes as the answer to `message`; its failure becomes the asker's AnswerRefused. The signal aborts when
 *  the asker gives the request up. */
export async function answerInFrames(
  link: NatsLink,
  message: Msg,
  produce: (signal: AbortSignal) => Promise<Iterable<Uint8Array>>,
): Promise<void> {
  const { reply } = message;
  running.get(message.headers?.get(header.cancel) ?? "")?.abort(new NobodyWaits());
  if (reply === undefined || reply === "") return;
  const stop = new AbortController();
  running.set(reply, stop);
  try {
    await sendFrames(link, reply, () => produce(stop.signal), stop.signal);
  } finally {
    running.delete(reply);
  }
}

async function sendFrames(
  { connection }: NatsLink,
  reply: string,
  produce: () => Promise<Iterable<Uint8Array>>,
  signal: AbortSignal,
): Promise<void> {
  let count = 0;
  const frameHeaders = (hasMore: boolean) => {
    const headers = makeHeaders();
    headers.set(header.sequence, String(count++));
    if (hasMore) headers.set(header.more, "1");
    return headers;
  };
  const send = async ({ data, headers }: Frame) => {
    if (count % window !== 0) return connection.publish(reply, data, { headers });
    const receipt = await connection.request(reply, data, { headers, timeout: receiptMs }).catch(
      () => undefined,
    );
    if (receipt === undefined || receipt.headers?.has(header.gone)) throw new NobodyWaits();
  };
  // One is kept back: the last says that it is the last.
  let kept: Frame | undefined;
  try {
    for (const part of await produce()) {
      for (let at = 0; at === 0 || at < part.length; at += frameBytesMax) {
        if (kept !== undefined) await send(kept);
        const headers = frameHeaders(at + frameBytesMax < part.length);
        kept = { data: part.subarray(at, at + frameBytesMax), headers };
      }
    }
  } catch (error) {
    if (error instanceof NobodyWaits || signal.aborted) return;
    const isRefusal = error instanceof AnswerRefused;
    const text = error instanceof Error ? error.message : String(error);
    kept = { data: new Uint8Array(0), headers: makeHeaders() };
    kept.headers.set(header.reason, isRefusal ? error.reason : "Failed");
    kept.headers.set(header.message, text.replace(/[\r\n]+/g, " ").slice(0, 1000));
  }
  const { data, headers } = kept ?? { data: new Uint8Array(0), headers: makeHeaders() };
  headers.set(header.end, String(count));
  if (!connection.isClosed()) connection.publish(reply, data, { headers });
}

export interface FramesRequest {
  readonly subject: string;
  readonly payload: Uint8Array | string;
  /** Time without a frame after which the request fails. */
  readonly idleMs: number;
  /** Bytes of an answer at which the request fails. */
  readonly bytesMax: number;
  readonly signal?: AbortSignal;
  /** Gets each byte string as soon as it is there; then none is kept for the result. What it throws ends the request. */
  readonly take?: (part: Uint8Array) => void;
  /** Called when the first bytes have come. */
  readonly onBegin?: () => void;
}

/** The byte strings that answerInFrames was given. Rejects with AnswerRefused, NoRespondersError
 *  when nobody serves the subject, or TimeoutError. */
export function requestFrames(
  link: NatsLink,
  { subject, payload, idleMs, bytesMax, signal, take, onBegin }: FramesRequest,
): Promise<ReadonlyArray<Uint8Array>> {
  const inbox = AnswerInbox.of(link);
  return new Promise((resolve, reject) => {
    const parts: Uint8Array[] = [];
    let open: Uint8Array[] = [];
    let [count, bytes] = [0, 0];
    const end = (error?: unknown) => {
      clearTimeout(timer);
      inbox.close(reply);
      signal?.removeEventListener("abort", onAbort);
      if (error === undefined) resolve(parts);
      else reject(error);
    };
    /** What is still being done for it is in vain. */
    const giveUp = (error: unknown) => {
      const headers = makeHeaders();
      headers.set(header.cancel, reply);
      if (!link.connection.isClosed()) link.connection.publish(subject, undefined, { headers });
      end(error);
    };
    const onAbort = () => giveUp(signal?.reason);
    const timedOut = () => giveUp(new errors.TimeoutError());
    let timer = setTimeout(timedOut, idleMs);
    const reply = inbox.open((error, message) => {
      if (error !== null) return end(error);
      const { headers } = message;
      if (headers?.code === 503) return end(new errors.NoRespondersError(subject));
      const reason = headers?.get(header.reason) ?? "";
      if (reason !== "") {
        return end(new AnswerRefused(reason, headers?.get(header.message) ?? ""));
      }
      const [sequence, total] = [headers?.get(header.sequence), headers?.get(header.end) ?? ""];
      if (sequence !== undefined && sequence !== "") {
        if (Number(sequence) !== count) return end(incomplete(subject, count, "more"));
        if (count++ === 0) onBegin?.();
        bytes += message.data.length;
        if (bytes > bytesMax) return giveUp(tooLarge(subject, bytesMax));
        open.push(message.data);
        if (headers?.get(header.more) !== "1") {
          const part = joinBytes(open);
          open = [];
          try {
            if (take === undefined) parts.push(part);
            else take(part);
          } catch (error) {
            return giveUp(error);
          }
        }
      }
      if (total !== "") {
        return Number(total) === count ? end() : end(incomplete(subject, count, total));
      }
      if (message.reply !== undefined && message.reply !== "") message.respond();
      clearTimeout(timer);
      timer = setTimeout(timedOut, idleMs);
    });
    if (signal?.aborted) return end(signal.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    inbox.connection.publish(subject, payload, { reply });
  });
}

type Listener = (error: Error | null, message: Msg) => void;

/** The subjects on which the answers of one connection come. */
class AnswerInbox {
  static readonly #inboxes = new WeakMap<NatsConnection, AnswerInbox>();

  static of(link: NatsLink): AnswerInbox {
    let inbox = this.#inboxes.get(link.connection);
    if (inbox === undefined) this.#inboxes.set(link.connection, inbox = new AnswerInbox(link));
    return inbox;
  }

  readonly connection: NatsConnection;
  readonly #prefix: string;
  readonly #listeners = new Map<string, Listener>();
  #last = 0;

  constructor({ connection, inbox }: NatsLink) {
    this.connection = connection;
    this.#prefix = inbox();
    connection.subscribe(`${this.#prefix}.*`, {
      callback: (error, message) => {
        if (error === null) return this.#take(message);
        // The subscription is over; the next request makes a new one.
        AnswerInbox.#inboxes.delete(connection);
        for (const listener of [...this.#listeners.values()]) listener(error, message);
      },
    });
  }

  #take(message: Msg): void {
    const listener = this.#listeners.get(message.subject);
    if (listener !== undefined) return listener(null, message);
    if (message.reply === undefined || message.reply === "") return;
    const headers = makeHeaders();
    headers.set(header.gone, "1");
    message.respond(new Uint8Array(0), { headers });
  }

  /** A new subject; what comes on it is given to `listener` until it is closed. */
  open(listener: Listener): string {
    const subject = `${this.#prefix}.${++this.#last}`;
    this.#listeners.set(subject, listener);
    return subject;
  }

  close(subject: string): void {
    this.#listeners.delete(subject);
  }
}

function incomplete(subject: string, count: number, total: string): AnswerRefused {
  return new AnswerRefused("Incomplete", `${subject} answered ${count} of ${total} frames`);
}

function tooLarge(subject: string, bytesMax: number): AnswerRefused {
  return new AnswerRefused("TooLarge", `the answer of ${subject} exceeds ${bytesMax} bytes`);
}
