/** NATS servers and their clients without JetStream: subjects, subscriptions, connections that move to another server when theirs
 *  dies, and servers that are killed, frozen and cut off. Owns how long things take and what gets lost on the way; a message for
 *  JetStream goes to the handler, which is SimulatedJetStream.ts.
 *
 *  As with real servers: one connection delivers in order; a dead server takes what was on its way with it; a frozen one holds
 *  it and does it all when it goes on; a server that is cut off still serves its own clients; a client that is cut off goes on
 *  by itself; requests that nobody takes get a 503. */
import { headers as makeHeaders, type MsgHdrs } from "@nats-io/transport-node";
import type { Random } from "../random.ts";
import { type Direction, SimulatedConnection } from "./SimulatedConnection.ts";
import type { Process, SimulatedWorld } from "./SimulatedWorld.ts";

export interface Message {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: MsgHdrs | undefined;
  readonly reply: string;
}

export interface SimulatedNode {
  readonly index: number;
  process: Process;
  isIsolated: boolean;
  /** When others heard of it last, if they do not hear of it now; and when it was thawed or started. */
  silentSinceMs: number | undefined;
  backSinceMs: number;
}

/** Takes a message if it is JetStream's. */
export type JetStreamHandler = (node: SimulatedNode, message: Message) => boolean;

/** A frozen server is noticed by its clients' pings. */
const pingLostMs = [4000, 6000] as const;

export class SimulatedNetwork {
  readonly world: SimulatedWorld;
  readonly nodes: ReadonlyArray<SimulatedNode>;
  /** Where things happen that no process does, such as time running out. */
  readonly nature: Process;
  readonly #connections = new Set<SimulatedConnection>();
  /** How often a connection's way was mended. */
  readonly #cuts = new WeakMap<SimulatedConnection, number>();
  #jetStream: JetStreamHandler = () => false;
  /** When the last message from one server to another arrives. */
  readonly #arrivalMs: number[] = [];
  #listeners: Array<(node: SimulatedNode, event: "lost" | "back" | "restarted") => void> = [];

  constructor(world: SimulatedWorld) {
    this.world = world;
    this.nature = world.process("nature");
    this.nodes = [0, 1, 2].map((index) => ({
      index,
      process: world.process(`n${index + 1}`),
      isIsolated: false,
      silentSinceMs: undefined,
      backSinceMs: 0,
    }));
  }

  get random(): Random {
    return this.world.random;
  }

  useJetStream(handler: JetStreamHandler): void {
    this.#jetStream = handler;
  }

  /** Hears of servers that the others lose and find again. */
  onNode(listener: (node: SimulatedNode, event: "lost" | "back" | "restarted") => void): void {
    this.#listeners.push(listener);
  }

  /** A connection of a process that has its turn. */
  connect(process: Process): SimulatedConnection {
    const connection = new SimulatedConnection(this, process, this.random.pick(this.nodes));
    this.#connections.add(connection);
    return connection;
  }

  /** A short time on the way, seldom a long one. */
  delayMs(): number {
    const { random } = this;
    return random.oneIn(50) ? 5 + random.fraction() * 60 : 0.2 + random.fraction() * 1.5;
  }

  isUp({ process }: SimulatedNode): boolean {
    return !process.isDead && !process.isFrozen;
  }

  /** Whether what one server sends now reaches the other. */
  reaches(from: SimulatedNode, to: SimulatedNode): boolean {
    return from === to ||
      (!from.isIsolated && !to.isIsolated && !from.process.isDead && !to.process.isDead);
  }

  /** A message at a server, from a client of it or from the server itself. */
  route(node: SimulatedNode, message: Message): void {
    if (this.#jetStream(node, message)) return;
    const count = this.deliver(node, message);
    if (count === 0 && message.reply !== "") this.refuse(node, message.reply);
  }

  /** Hands a message to every subscription that can be reached; the result is how many. */
  deliver(node: SimulatedNode, message: Message): number {
    let count = 0;
    for (const connection of this.#connections) {
      const at = connection.node;
      if (at === undefined || connection.process.isDead || !this.reaches(node, at)) continue;
      const found = connection.subscriptionsOf(message.subject);
      if (found === 0) continue;
      count += found;
      if (at === node) connection.receive(message);
      else {
        this.between(node, at, () => {
          if (connection.node === at) connection.receive(message);
        });
      }
    }
    return count;
  }

  refuse(node: SimulatedNode, reply: string): void {
    const headers = makeHeaders(503, "No Responders");
    this.deliver(node, { subject: reply, data: new Uint8Array(0), headers, reply: "" });
  }

  kill(node: SimulatedNode): void {
    this.world.kill(node.process);
    this.#lost(node);
    for (const connection of this.#connections) {
      if (connection.node === node) connection.lose();
    }
  }

  /** Starts a server that was killed, with what it had stored. */
  restart(node: SimulatedNode): void {
    node.process = this.world.process(node.process.name);
    node.backSinceMs = this.world.nowMs;
    node.silentSinceMs = undefined;
    for (const listener of this.#listeners) listener(node, "restarted");
  }

  freeze(node: SimulatedNode): void {
    this.world.freeze(node.process);
    this.#lost(node);
    const frozen = node.process;
    const [least, most] = pingLostMs;
    this.world.later(this.nature, this.random.between(least, most), () => {
      if (!frozen.isFrozen || node.process !== frozen) return;
      for (const connection of this.#connections) {
        if (connection.node === node) connection.lose();
      }
    });
  }

  thaw(node: SimulatedNode): void {
    node.backSinceMs = this.world.nowMs;
    this.world.thaw(node.process);
    this.#back(node);
  }

  /** Cuts a process off from the servers, in one direction or both; its clients' pings notice it. */
  cut(process: Process, directions: ReadonlyArray<Direction>): void {
    const [least, most] = pingLostMs;
    for (const connection of this.#connectionsOf(process)) {
      for (const direction of directions) connection.cut(direction);
      const cut = this.#cuts.get(connection) ?? 0;
      this.world.later(this.nature, this.random.between(least, most), () => {
        if (connection.isCut && (this.#cuts.get(connection) ?? 0) === cut) connection.lose();
      });
    }
  }

  mend(process: Process): void {
    for (const connection of this.#connectionsOf(process)) {
      this.#cuts.set(connection, (this.#cuts.get(connection) ?? 0) + 1);
      connection.mend();
    }
  }

  #connectionsOf(process: Process): ReadonlyArray<SimulatedConnection> {
    return [...this.#connections].filter((connection) => connection.process === process);
  }

  isolate(node: SimulatedNode): void {
    node.isIsolated = true;
    this.#lost(node);
  }

  heal(node: SimulatedNode): void {
    node.isIsolated = false;
    node.backSinceMs = this.world.nowMs;
    this.#back(node);
  }

  /** Has another server do something; what goes from one to another keeps its order. */
  between(from: SimulatedNode, to: SimulatedNode, work: () => void): void {
    const { nowMs } = this.world;
    const key = from.index * this.nodes.length + to.index;
    const atMs = Math.max(this.#arrivalMs[key] ?? 0, nowMs + this.delayMs());
    this.#arrivalMs[key] = atMs;
    this.world.later(to.process, atMs - nowMs, work);
  }

  #lost(node: SimulatedNode): void {
    node.silentSinceMs ??= this.world.nowMs;
    for (const listener of this.#listeners) listener(node, "lost");
  }

  #back(node: SimulatedNode): void {
    for (const listener of this.#listeners) listener(node, "back");
    node.silentSinceMs = undefined;
  }
}
