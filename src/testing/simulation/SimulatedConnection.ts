/** A client's connection to simulated servers: as much of the client library's NatsConnection as production code uses. Owns the
 *  client's side of requests, its moving to another server, and the way there: it may be cut in one direction or both. What was
 *  sent meanwhile arrives late, as by TCP, or never, if it is cut for so long that the client gives the connection up. */
import { errors, type Msg, type MsgHdrs, type NatsConnection } from "@nats-io/transport-node";
import type { Message, SimulatedNetwork, SimulatedNode } from "./SimulatedNetwork.ts";
import { subjectFits } from "./SimulatedStream.ts";
import type { Process } from "./SimulatedWorld.ts";

interface Subscription {
  readonly pattern: string;
  readonly callback: (error: Error | null, message: Msg) => void;
}

/** To the server, or from it. */
export type Direction = "up" | "down";

interface RequestOptions {
  readonly headers?: MsgHdrs;
  readonly timeout?: number;
}

export class SimulatedConnection {
  readonly process: Process;
  readonly #network: SimulatedNetwork;
  /** Subscriptions by subject; those with wildcards apart. */
  readonly #exact = new Map<string, Set<Subscription>>();
  readonly #wild = new Set<Subscription>();
  #node: SimulatedNode | undefined;
  /** What waits for a server. */
  #pending: Message[] = [];
  #pings: Array<{ readonly resolve: () => void; readonly reject: (error: Error) => void }> = [];
  /** When the last message of each direction arrives: a connection keeps its order. */
  #upMs = 0;
  #downMs = 0;
  #isClosed = false;
  #inboxCount = 0;
  /** What is on the way in a direction that is cut; undefined for one that is not. */
  readonly #stuck: Record<Direction, Array<() => void> | undefined> = {
    up: undefined,
    down: undefined,
  };

  constructor(network: SimulatedNetwork, process: Process, node: SimulatedNode) {
    this.#network = network;
    this.process = process;
    if (network.isUp(node)) this.#node = node;
    else this.#reconnect();
  }

  /** The same as the client library's type, for production code. */
  get asNatsConnection(): NatsConnection {
    return this as unknown as NatsConnection;
  }

  /** The server it is connected to. */
  get node(): SimulatedNode | undefined {
    return this.#node;
  }

  readonly options = { inboxPrefix: "_INBOX" };
  readonly info = { max_payload: 1024 * 1024 };

  isClosed(): boolean {
    return this.#isClosed;
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#node = undefined;
    return Promise.resolve();
  }

  newInbox(): string {
    // Not the library's, which would be another one in each run.
    return `_INBOX.${this.process.name}.${this.#inboxCount++}`;
  }

  publish(
    subject: string,
    data: Uint8Array | string = "",
    options: { readonly headers?: MsgHdrs; readonly reply?: string } = {},
  ): void {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data.slice();
    this.#send({ subject, data: bytes, headers: options.headers, reply: options.reply ?? "" });
  }

  request(
    subject: string,
    data: Uint8Array | string = "",
    { headers, timeout = 5000 }: RequestOptions = {},
  ): Promise<Msg> {
    return new Promise((resolve, reject) => {
      const reply = this.newInbox();
      const timer = setTimeout(() => {
        subscription.unsubscribe();
        reject(new errors.TimeoutError());
      }, timeout);
      const subscription = this.subscribe(reply, {
        callback: (_, message) => {
          clearTimeout(timer);
          subscription.unsubscribe();
          if (message.headers?.code !== 503) return resolve(message);
          const cause = new errors.NoRespondersError(subject);
          reject(new errors.RequestError(cause.message, { cause }));
        },
      });
      this.publish(subject, data, { reply, ...(headers === undefined ? {} : { headers }) });
    });
  }

  subscribe(
    subject: string,
    { callback }: { readonly callback: Subscription["callback"] },
  ): { readonly unsubscribe: () => void } {
    const subscription = { pattern: subject, callback };
    const isWild = /[*>]/.test(subject);
    const set = isWild ? this.#wild : this.#exact.get(subject) ?? new Set<Subscription>();
    set.add(subscription);
    if (!isWild) this.#exact.set(subject, set);
    return {
      unsubscribe: () => {
        set.delete(subscription);
        if (!isWild && set.size === 0) this.#exact.delete(subject);
      },
    };
  }

  /** Resolves when the server has answered a ping. */
  flush(): Promise<void> {
    const { world } = this.#network;
    return new Promise((resolve, reject) => {
      const node = this.#node;
      if (node === undefined) return reject(new Error("disconnected"));
      const ping = { resolve, reject };
      this.#pings.push(ping);
      const answered = () => {
        this.#pings = this.#pings.filter((each) => each !== ping);
        resolve();
      };
      this.#way("up", () => {
        world.later(node.process, this.#upIn(), () => {
          this.#way("down", () => world.later(this.process, this.#downIn(), answered));
        });
      });
    });
  }

  /** How many subscriptions a message of this subject has here. */
  subscriptionsOf(subject: string): number {
    return (this.#exact.get(subject)?.size ?? 0) +
      [...this.#wild].filter(({ pattern }) => subjectFits(pattern, subject)).length;
  }

  /** A message that its server has for it. */
  receive(message: Message): void {
    const { world } = this.#network;
    const from = this.#node;
    const arrive = () => {
      if (this.#node !== from && !this.process.isFrozen) return;
      const { subject, data, headers, reply } = message;
      const received = {
        subject,
        data,
        headers,
        ...(reply === "" ? {} : { reply }),
        respond: (answer: Uint8Array | string = "", options?: { headers?: MsgHdrs }) => {
          if (reply === "") return false;
          this.publish(reply, answer, options ?? {});
          return true;
        },
        json: () => JSON.parse(new TextDecoder().decode(data)),
      } as unknown as Msg;
      const wild = [...this.#wild].filter(({ pattern }) => subjectFits(pattern, subject));
      for (const { callback } of [...this.#exact.get(subject) ?? [], ...wild]) {
        callback(null, received);
      }
    };
    this.#way("down", () => world.later(this.process, this.#downIn(), arrive));
  }

  get isCut(): boolean {
    return this.#stuck.up !== undefined || this.#stuck.down !== undefined;
  }

  /** Nothing gets through in this direction any more. */
  cut(direction: Direction): void {
    this.#stuck[direction] ??= [];
  }

  /** The way is open again in both directions. */
  mend(): void {
    for (const direction of ["up", "down"] as const) {
      const stuck = this.#stuck[direction] ?? [];
      this.#stuck[direction] = undefined;
      for (const go of stuck) go();
    }
  }

  /** Sends something on its way, or keeps it where the way is cut. */
  #way(direction: Direction, go: () => void): void {
    const stuck = this.#stuck[direction];
    if (stuck === undefined) go();
    else stuck.push(go);
  }

  /** Its server is gone, and what was on the way. */
  lose(): void {
    this.#node = undefined;
    for (const stuck of Object.values(this.#stuck)) stuck?.splice(0);
    const pings = this.#pings.splice(0);
    this.#network.world.later(this.process, 0, () => {
      for (const { reject } of pings) reject(new Error("disconnected"));
    });
    this.#reconnect();
  }

  #reconnect(): void {
    const { world, random, nodes } = this.#network;
    world.later(this.#network.nature, random.between(20, 800), () => {
      if (this.#isClosed) return;
      const up = nodes.filter((node) => this.#network.isUp(node));
      if (up.length === 0 || this.isCut) return this.#reconnect();
      this.#node = random.pick(up);
      this.#upMs = this.#downMs = world.nowMs;
      for (const message of this.#pending.splice(0)) this.#send(message);
    });
  }

  #send(message: Message): void {
    const node = this.#node;
    if (this.#isClosed) return;
    if (node === undefined) return void this.#pending.push(message);
    const { world } = this.#network;
    const arrive = () => this.#network.route(node, message);
    this.#way("up", () => world.later(node.process, this.#upIn(), arrive));
  }

  #upIn(): number {
    const { nowMs } = this.#network.world;
    this.#upMs = Math.max(this.#upMs, nowMs + this.#network.delayMs());
    return this.#upMs - nowMs;
  }

  #downIn(): number {
    const { nowMs } = this.#network.world;
    this.#downMs = Math.max(this.#downMs, nowMs + this.#network.delayMs());
    return this.#downMs - nowMs;
  }
}
