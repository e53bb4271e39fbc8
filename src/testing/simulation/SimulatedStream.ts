/** What one server has stored of one stream: the operations that all agreed on, up to some place. Owns sequences, subjects and
 *  ids of a replica, and damage to it. */
import type { MsgHdrs } from "@nats-io/transport-node";

export interface StreamMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: MsgHdrs | undefined;
  /** Its Nats-Msg-Id, or "". */
  readonly id: string;
  readonly sequence: number;
  readonly atMs: number;
}

export type StoredOp =
  | { readonly kind: "store"; readonly message: StreamMessage }
  | { readonly kind: "remove"; readonly sequence: number }
  | { readonly kind: "purge"; readonly below: number; readonly filter: string | undefined };

interface Range {
  readonly batch?: number;
  readonly max_bytes?: number;
  readonly next_by_subj?: string;
}

export class Replica {
  readonly #messages = new Map<number, StreamMessage>();
  readonly #lastBySubject = new Map<string, number>();
  readonly #keepsOne: boolean;
  #applied = 0;
  #first = 0;
  #last = 0;
  #bytes = 0;
  /** Ids of the messages it has seen, as long as its process remembers. */
  readonly ids = new Map<string, { readonly sequence: number; readonly atMs: number }>();
  wasLeaderWhenLost = false;

  /** @param keepsOne whether it keeps only the newest message of each subject. */
  constructor(keepsOne: boolean) {
    this.#keepsOne = keepsOne;
  }

  get first(): number {
    return this.#first;
  }

  get last(): number {
    return this.#last;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#messages.size;
  }

  get(sequence: number): StreamMessage | undefined {
    return this.#messages.get(sequence);
  }

  lastOf(subject: string): StreamMessage | undefined {
    return this.#messages.get(this.#lastBySubject.get(subject) ?? -1);
  }

  /** The subjects of its messages that fit, each with how many it has. */
  subjects(pattern: string): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const { subject } of this.#messages.values()) {
      if (subjectFits(pattern, subject)) counts[subject] = (counts[subject] ?? 0) + 1;
    }
    return counts;
  }

  /** Messages from `sequence` on. */
  from(sequence: number, { batch = 1, max_bytes: bytesMax, next_by_subj: subject }: Range) {
    const found: StreamMessage[] = [];
    let bytes = 0;
    const start = Math.max(sequence, this.#first);
    for (let at = start; at <= this.#last && found.length < batch; at++) {
      const message = this.#messages.get(at);
      if (message === undefined) continue;
      if (subject !== undefined && !subjectFits(subject, message.subject)) continue;
      found.push(message);
      bytes += message.data.length;
      if (bytesMax !== undefined && bytes >= bytesMax) break;
    }
    return found;
  }

  /** Does the operations that it has not done, up to `to`. */
  apply(ops: ReadonlyArray<StoredOp>, to: number): void {
    for (; this.#applied < to; this.#applied++) this.#do(ops[this.#applied]!);
  }

  /** A block of its store is damaged: messages that it should have are not there. */
  damage(share: (sequence: number) => boolean): number {
    const lost = [...this.#messages.keys()].filter(share);
    for (const sequence of lost) this.#messages.delete(sequence);
    return lost.length;
  }

  /** After a start a server knows the ids of what it still has stored. */
  forgetIds(): void {
    this.ids.clear();
    for (const { id, sequence, atMs } of this.#messages.values()) {
      if (id !== "") this.ids.set(id, { sequence, atMs });
    }
  }

  #do(op: StoredOp): void {
    switch (op.kind) {
      case "store": {
        const { message } = op;
        const { subject, sequence, id, atMs } = message;
        const before = this.#lastBySubject.get(subject);
        if (this.#keepsOne && before !== undefined) this.#remove(before);
        this.#messages.set(sequence, message);
        this.#lastBySubject.set(subject, sequence);
        this.#bytes += message.data.length;
        this.#last = sequence;
        if (this.#first === 0) this.#first = 1;
        if (id !== "") this.ids.set(id, { sequence, atMs });
        return;
      }
      case "remove":
        return this.#remove(op.sequence);
      case "purge": {
        const below = Math.min(op.below, this.#last + 1);
        for (const [sequence, { subject }] of this.#messages) {
          if (sequence >= below) break;
          if (op.filter === undefined || subjectFits(op.filter, subject)) this.#remove(sequence);
        }
        if (op.filter !== undefined) return;
        this.#first = Math.max(this.#first, below);
        return;
      }
    }
  }

  #remove(sequence: number): void {
    const message = this.#messages.get(sequence);
    if (message === undefined) return;
    this.#messages.delete(sequence);
    this.#bytes -= message.data.length;
    if (this.#lastBySubject.get(message.subject) === sequence) {
      this.#lastBySubject.delete(message.subject);
    }
  }
}

/** Whether a subject is one that a pattern with wildcards means. */
export function subjectFits(pattern: string, subject: string): boolean {
  if (pattern === subject) return true;
  const wanted = pattern.split(".");
  const parts = subject.split(".");
  for (const [at, token] of wanted.entries()) {
    if (token === ">") return parts.length > at;
    if (at >= parts.length || (token !== "*" && token !== parts[at])) return false;
  }
  return parts.length === wanted.length;
}

/** A message as a leader's answer has it. */
export function apiMessage({ subject, sequence, data, headers, atMs }: StreamMessage) {
  const lines = [...headers ?? []].map(([name, values]) => `${name}: ${values[0]}\r\n`);
  return {
    subject,
    seq: sequence,
    data: Buffer.from(data).toString("base64"),
    ...(headers === undefined
      ? {}
      : { hdrs: Buffer.from(`NATS/1.0\r\n${lines.join("")}\r\n`).toString("base64") }),
    time: new Date(Date.UTC(2026, 0, 1) + atMs).toISOString(),
  };
}
