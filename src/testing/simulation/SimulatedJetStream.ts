/** JetStream on simulated servers: what NATS.md calls its traps, at will. Owns leaders, agreement and the answers of the API;
 *  SimulatedStream.ts owns what one replica has stored.
 *
 *  Faults it makes: acknowledgements that are lost though the message is stored; messages that are accepted and lost when the
 *  leader changes; a copy of a message whose first one is not decided (10158); conditions that fail for a message that is not
 *  decided (10164); replicas that lag, so that a direct get ends early; answers that stop in the middle; leaders that were
 *  frozen or cut off and answer as what they no longer are; new ones that republish what was republished before; duplicate ids
 *  that a restarted server has forgotten; entries whose time to live is over.
 *  Not modelled: consumers, mirrors, several accounts. */
import { headers as makeHeaders, type MsgHdrs } from "@nats-io/transport-node";
import type { Mutations } from "./mutations.ts";
import type { Message, SimulatedNetwork, SimulatedNode } from "./SimulatedNetwork.ts";
import {
  apiMessage,
  Replica,
  type StoredOp,
  type StreamMessage,
  subjectFits,
} from "./SimulatedStream.ts";

interface Accepted {
  readonly messages: ReadonlyArray<StreamMessage>;
  readonly node: SimulatedNode;
  readonly reply: string;
}

interface Stream {
  readonly name: string;
  config: Record<string, unknown> & { subjects: ReadonlyArray<string> };
  leader: SimulatedNode;
  /** Every operation that was agreed on, in order; replicas are at some place in it. */
  readonly ops: StoredOp[];
  readonly replicas: ReadonlyArray<Replica>;
  accepted: Accepted[];
  readonly batches: Map<string, StreamMessage[]>;
  lastSequence: number;
  isElecting: boolean;
}

/** As long as a leader that is cut off believes that it leads. */
const lostQuorumMs = 10_000;
/** How long a server that was frozen answers what it has in its sockets before it hears what happened. */
const unawareMs = 30;
const duplicateWindowMs = 120_000;

export class SimulatedJetStream {
  readonly network: SimulatedNetwork;
  readonly #mutations: Mutations;
  readonly streams = new Map<string, Stream>();
  /** Messages that were stored twice because a server forgot their ids: nobody could know. */
  readonly forgotten = new Set<string>();

  constructor(network: SimulatedNetwork, mutations: Mutations = {}) {
    this.network = network;
    this.#mutations = mutations;
    network.useJetStream((node, message) => this.#handle(node, message));
    network.onNode((node, event) => this.#nodeChanged(node, event));
  }

  #handle(node: SimulatedNode, message: Message): boolean {
    const { subject } = message;
    if (subject.startsWith("$JS.API.")) {
      this.#api(node, subject.slice("$JS.API.".length), message);
      return true;
    }
    const stream = this.#streamOf(subject);
    if (stream === undefined) return false;
    const leader = this.#leaderFor(node, stream);
    if (leader === undefined || leader.process.isDead) {
      if (message.reply !== "") this.network.refuse(node, message.reply);
    } else this.#at(node, leader, () => this.#publish(leader, stream, message));
    return true;
  }

  #streamOf(subject: string): Stream | undefined {
    for (const stream of this.streams.values()) {
      if (stream.config.subjects.some((each) => subjectFits(each, subject))) return stream;
    }
    return undefined;
  }

  /** Whom a server takes for the leader, if it can reach it. */
  #leaderFor(node: SimulatedNode, stream: Stream): SimulatedNode | undefined {
    if (!node.isIsolated) return stream.leader.isIsolated ? undefined : stream.leader;
    const { replicas } = stream;
    const isSure = this.network.world.nowMs - (node.silentSinceMs ?? 0) < lostQuorumMs;
    return isSure && replicas[node.index]!.wasLeaderWhenLost ? node : undefined;
  }

  /** Does something at another server, if the way there is open. */
  #at(from: SimulatedNode, to: SimulatedNode, work: () => void): void {
    if (from === to) return work();
    if (this.network.reaches(from, to)) this.network.between(from, to, work);
  }

  #answer(node: SimulatedNode, reply: string, body: unknown, headers?: MsgHdrs): void {
    if (reply === "") return;
    const data = body instanceof Uint8Array
      ? body
      : new TextEncoder().encode(body === "" ? "" : JSON.stringify(body));
    this.network.deliver(node, { subject: reply, data, headers, reply: "" });
  }

  #fail(node: SimulatedNode, reply: string, code: number, description: string): void {
    this.#answer(node, reply, { error: { code: 400, err_code: code, description } });
  }

  /** Whether it acts as the leader: because it is, or because it has not heard otherwise. */
  #acts(node: SimulatedNode, stream: Stream): boolean {
    if (stream.leader === node && !stream.isElecting) return true;
    const { nowMs } = this.network.world;
    const replica = stream.replicas[node.index]!;
    if (!replica.wasLeaderWhenLost) return false;
    if (node.isIsolated) return nowMs - (node.silentSinceMs ?? 0) < lostQuorumMs;
    return nowMs - node.backSinceMs < unawareMs;
  }

  #publish(node: SimulatedNode, stream: Stream, message: Message): void {
    if (!this.#acts(node, stream)) {
      if (message.reply !== "") this.network.refuse(node, message.reply);
      return;
    }
    const { headers, subject, data, reply } = message;
    const stored: StreamMessage = {
      subject,
      data,
      headers,
      id: headers?.get("Nats-Msg-Id") ?? "",
      sequence: 0,
      atMs: 0,
    };
    const batch = headers?.get("Nats-Batch-Id") ?? "";
    if (batch === "") return this.#accept(node, stream, [stored], reply);
    const place = Number(headers!.get("Nats-Batch-Sequence"));
    const open = place === 1 ? [] : stream.batches.get(batch);
    if (open === undefined || open.length !== place - 1) {
      return this.#fail(node, reply, 10176, "batch publish is incomplete and was abandoned");
    }
    open.push(stored);
    stream.batches.set(batch, open);
    if ((headers!.get("Nats-Batch-Commit") ?? "") === "") return this.#answer(node, reply, "");
    stream.batches.delete(batch);
    this.#accept(node, stream, open, reply);
  }

  /** Checks messages and, if they may be stored, has the servers agree on them. */
  #accept(
    node: SimulatedNode,
    stream: Stream,
    messages: ReadonlyArray<StreamMessage>,
    reply: string,
  ): void {
    const { random, world } = this.network;
    const replica = stream.replicas[node.index]!;
    for (const { id, subject, headers } of messages) {
      if (id !== "" && this.#mutations.ignoreIds !== true) {
        const known = replica.ids.get(id);
        if (known !== undefined && world.nowMs - known.atMs < duplicateWindowMs) {
          const ack = { stream: stream.name, seq: known.sequence, duplicate: true };
          return this.#answer(node, reply, ack);
        }
        if (stream.accepted.some((some) => some.messages.some((each) => each.id === id))) {
          return this.#fail(node, reply, 10158, "duplicate message id is in process");
        }
      }
      const expected = headers?.get("Nats-Expected-Last-Subject-Sequence") ?? "";
      if (expected !== "" && this.#mutations.ignoreConditions !== true) {
        const isOpen = stream.accepted.some((some) =>
          some.messages.some((each) => each.subject === subject)
        );
        if (isOpen) return this.#fail(node, reply, 10164, "sequence by subject is being decided");
        if (Number(expected) !== (replica.lastOf(subject)?.sequence ?? 0)) {
          return this.#fail(node, reply, 10071, "wrong last sequence");
        }
      }
    }
    const size = messages.reduce((sum, { data }) => sum + data.length, 0);
    const bytesMax = Number(stream.config["max_bytes"] ?? -1);
    if (bytesMax > 0 && replica.bytes + size > bytesMax) {
      return this.#fail(node, reply, 10077, "maximum bytes exceeded");
    }
    // What is not the leader any more proposes to nobody.
    if (stream.leader !== node || stream.isElecting) return;
    const accepted: Accepted = { messages, node, reply };
    stream.accepted.push(accepted);
    const decide = () => {
      if (!stream.accepted.includes(accepted)) return;
      if (stream.leader === node && !stream.isElecting && this.#hasQuorum(node)) {
        this.#commit(stream, accepted, this.#mutations.tellAll === true || !random.oneIn(30));
      } else if (stream.leader === node) world.later(node.process, 50, decide);
    };
    world.later(node.process, 1 + random.fraction() * 8, decide);
  }

  #hasQuorum(node: SimulatedNode): boolean {
    const { nodes } = this.network;
    return nodes.filter((each) => this.network.isUp(each) && this.network.reaches(node, each))
      .length >= 2;
  }

  #commit(stream: Stream, accepted: Accepted, isTold: boolean): void {
    const { node, reply, messages } = accepted;
    const { world } = this.network;
    stream.accepted = stream.accepted.filter((each) => each !== accepted);
    const placed = messages.map((message) => ({
      ...message,
      sequence: ++stream.lastSequence,
      atMs: world.nowMs,
    }));
    for (const message of placed) this.#noteForgotten(stream, message);
    for (const message of placed) stream.ops.push({ kind: "store", message });
    const leader = stream.leader;
    this.#apply(stream, leader, stream.ops.length);
    this.#replicate(stream);
    for (const message of placed) {
      this.#expireLater(stream, message);
      this.#republish(stream, leader, message);
    }
    const last = placed.at(-1)!;
    if (isTold && leader === node) {
      this.#answer(node, reply, { stream: stream.name, seq: last.sequence });
    }
  }

  #noteForgotten(stream: Stream, { id }: StreamMessage): void {
    if (id === "") return;
    const { nowMs } = this.network.world;
    const isKnown = stream.ops.some((op) =>
      op.kind === "store" && op.message.id === id && nowMs - op.message.atMs < duplicateWindowMs
    );
    // With ids switched off it is not the server that forgot.
    if (isKnown && this.#mutations.ignoreIds !== true) this.forgotten.add(id);
  }

  #republish(stream: Stream, node: SimulatedNode, message: StreamMessage): void {
    const rule = stream.config["republish"] as { readonly dest: string } | undefined;
    if (rule === undefined) return;
    const tokens = message.subject.split(".");
    const subject = rule.dest.replace("{{wildcard(1)}}", tokens[1]!)
      .replace("{{wildcard(2)}}", tokens[2] ?? "");
    const headers = makeHeaders();
    for (const [name, values] of message.headers ?? []) headers.set(name, values[0]!);
    headers.set("Nats-Sequence", String(message.sequence));
    this.network.deliver(node, { subject, data: message.data, headers, reply: "" });
  }

  #expireLater(stream: Stream, { subject, sequence, headers }: StreamMessage): void {
    const ttl = /^(\d+)(ms|s)$/.exec(headers?.get("Nats-TTL") ?? "");
    if (ttl === null) return;
    const ms = Number(ttl[1]) * (ttl[2] === "s" ? 1000 : 1);
    this.network.world.later(this.network.nature, ms, () => {
      if (stream.replicas[stream.leader.index]!.lastOf(subject)?.sequence !== sequence) return;
      stream.ops.push({ kind: "remove", sequence });
      this.#apply(stream, stream.leader, stream.ops.length);
      this.#replicate(stream);
    });
  }

  #apply(stream: Stream, node: SimulatedNode, to: number): void {
    stream.replicas[node.index]!.apply(stream.ops, to);
  }

  /** Followers get everything up to now, each when it gets it. */
  #replicate(stream: Stream): void {
    const { world, random, nodes } = this.network;
    const to = stream.ops.length;
    for (const node of nodes) {
      if (node === stream.leader || node.process.isDead) continue;
      const lagMs = random.oneIn(8) ? random.fraction() * 400 : 1 + random.fraction() * 5;
      world.later(node.process, lagMs, () => {
        if (!node.isIsolated) this.#apply(stream, node, to);
      });
    }
  }

  #nodeChanged(node: SimulatedNode, event: "lost" | "back" | "restarted"): void {
    const { world, random } = this.network;
    for (const stream of this.streams.values()) {
      const replica = stream.replicas[node.index]!;
      if (event === "lost") {
        replica.wasLeaderWhenLost = stream.leader === node && !stream.isElecting;
        if (node.process.isDead) replica.wasLeaderWhenLost = false;
        if (stream.leader === node) {
          // Servers wait for as long without a word from it: if it came back and was lost again, from then on.
          const { silentSinceMs } = node;
          world.later(this.network.nature, random.between(4000, 9000), () => {
            if (node.silentSinceMs === silentSinceMs) this.#elect(stream);
          });
        }
        continue;
      }
      if (event === "restarted") {
        replica.forgetIds();
        if (stream.leader === node && !stream.isElecting) this.#decideAll(stream);
      }
      world.later(node.process, random.between(50, 1500), () => {
        if (node.isIsolated) return;
        this.#apply(stream, node, stream.ops.length);
      });
    }
  }

  /** A new leader, if the old one still is away and two servers are there. What was not decided is now, unknown to its sender. */
  #elect(stream: Stream): void {
    const { world, random, nodes, nature } = this.network;
    const isThere = (node: SimulatedNode) => this.network.isUp(node) && !node.isIsolated;
    if (isThere(stream.leader) && !stream.isElecting) return;
    const candidates = nodes.filter(isThere);
    stream.isElecting = true;
    if (candidates.length < 2) return void world.later(nature, 500, () => this.#elect(stream));
    stream.leader = random.pick(candidates);
    stream.isElecting = false;
    this.#apply(stream, stream.leader, stream.ops.length);
    this.#republishAgain(stream);
    this.#decideAll(stream);
  }

  /** A new leader does not know what the old one told of last. */
  #republishAgain(stream: Stream): void {
    const { random } = this.network;
    const stored = stream.ops.flatMap((op) => op.kind === "store" ? [op.message] : []);
    for (const message of stored.slice(-random.between(1, 4))) {
      this.#republish(stream, stream.leader, message);
    }
  }

  /** What a leader had accepted and could not tell of is stored or not. */
  #decideAll(stream: Stream): void {
    stream.batches.clear();
    for (const accepted of stream.accepted.splice(0)) {
      if (this.network.random.oneIn(2)) this.#commit(stream, accepted, false);
    }
  }

  /** Has another server lead, as an operator or a balancer might ask for. */
  stepDown(stream: Stream): void {
    const { world, nature, random } = this.network;
    if (stream.isElecting) return;
    stream.isElecting = true;
    world.later(nature, random.between(50, 500), () => this.#elect(stream));
  }

  #api(node: SimulatedNode, verb: string, message: Message): void {
    const match = /^(STREAM\.(?:INFO|CREATE|UPDATE|PURGE|MSG\.GET)|DIRECT\.GET)\.(.+)$/.exec(verb);
    if (verb === "STREAM.NAMES") return this.#names(node, message);
    if (match === null) return;
    const [, what, name] = match as unknown as [string, string, string];
    const stream = this.streams.get(name);
    if (what === "STREAM.CREATE") return this.#create(node, message);
    if (stream === undefined) {
      return this.#fail(node, message.reply, 10059, "stream not found");
    }
    if (what === "DIRECT.GET") return this.#directGet(node, stream, message);
    const leader = this.#leaderFor(node, stream);
    // Without a leader nobody answers.
    if (leader === undefined || leader.process.isDead) return;
    this.#at(node, leader, () => this.#atLeader(leader, stream, what, message));
  }

  #atLeader(node: SimulatedNode, stream: Stream, what: string, { data, reply }: Message): void {
    if (!this.#acts(node, stream)) return;
    const replica = stream.replicas[node.index]!;
    const request = data.length === 0 ? {} : JSON.parse(new TextDecoder().decode(data));
    switch (what) {
      case "STREAM.INFO":
        return this.#answer(node, reply, this.#info(node, stream, request.subjects_filter));
      case "STREAM.UPDATE":
        // The servers agree on it, or nothing is changed.
        if (stream.leader !== node || stream.isElecting || !this.#hasQuorum(node)) return;
        stream.config = { ...stream.config, ...request };
        return this.#answer(node, reply, this.#info(node, stream));
      case "STREAM.MSG.GET": {
        const found = request.last_by_subj === undefined
          ? replica.get(request.seq)
          : replica.lastOf(request.last_by_subj);
        if (found === undefined) return this.#fail(node, reply, 10037, "no message found");
        return this.#answer(node, reply, { message: apiMessage(found) });
      }
      case "STREAM.PURGE": {
        if (stream.leader !== node || stream.isElecting || !this.#hasQuorum(node)) return;
        stream.ops.push({ kind: "purge", below: request.seq ?? Infinity, filter: request.filter });
        this.#apply(stream, node, stream.ops.length);
        this.#replicate(stream);
        return this.#answer(node, reply, { success: true, purged: 0 });
      }
    }
  }

  #info(node: SimulatedNode, stream: Stream, filter?: string) {
    const { nodes, world } = this.network;
    const replica = stream.replicas[node.index]!;
    const contact = (other: SimulatedNode): number => {
      const isHeard = this.network.isUp(other) && this.network.reaches(node, other);
      const since = isHeard
        ? world.nowMs - node.backSinceMs < unawareMs ? node.silentSinceMs : undefined
        : other.silentSinceMs ?? node.silentSinceMs ?? 0;
      const sinceMs = node.isIsolated ? node.silentSinceMs ?? 0 : since;
      return sinceMs === undefined ? 100e6 : Math.max(1, (world.nowMs - sinceMs) * 1e6);
    };
    return {
      type: "io.nats.jetstream.api.v1.stream_info_response",
      config: stream.config,
      created: "2026-01-01T00:00:00Z",
      state: {
        messages: replica.count,
        bytes: replica.bytes,
        first_seq: replica.first,
        last_seq: replica.last,
        consumer_count: 0,
        ...(filter === undefined || this.#mutations.hideSubjects === true
          ? {}
          : { subjects: replica.subjects(filter) }),
      },
      cluster: {
        leader: node.process.name,
        replicas: nodes.filter((other) => other !== node).map((other) => ({
          name: other.process.name,
          current: true,
          offline: false,
          active: contact(other),
        })),
      },
    };
  }

  #names(node: SimulatedNode, { reply }: Message): void {
    if (node.isIsolated) return;
    const streams = [...this.streams.keys()].sort();
    const page = { total: streams.length, offset: 0, limit: 1024, streams };
    this.#answer(node, reply, { type: "io.nats.jetstream.api.v1.stream_names_response", ...page });
  }

  #create(node: SimulatedNode, { data, reply }: Message): void {
    if (node.isIsolated || !this.#hasQuorum(node)) return;
    const config = JSON.parse(new TextDecoder().decode(data));
    let stream = this.streams.get(config.name);
    if (stream === undefined) {
      const up = this.network.nodes.filter((each) => this.network.isUp(each) && !each.isIsolated);
      const defaults = { max_age: 0, max_msgs: -1, max_msgs_per_subject: -1, max_bytes: -1 };
      stream = {
        name: config.name,
        config: { ...defaults, ...config },
        leader: this.#firstLeader(up),
        ops: [],
        replicas: this.network.nodes.map(() => new Replica(config.max_msgs_per_subject === 1)),
        accepted: [],
        batches: new Map(),
        lastSequence: 0,
        isElecting: false,
      };
      this.streams.set(config.name, stream);
    }
    this.#answer(node, reply, this.#info(stream.leader, stream));
  }

  /** Often one server leads all, which is when it can do most harm. */
  #firstLeader(up: ReadonlyArray<SimulatedNode>): SimulatedNode {
    const { random } = this.network;
    const [other] = this.streams.values();
    return other !== undefined && up.includes(other.leader) && random.oneIn(2)
      ? other.leader
      : random.pick(up);
  }

  /** Answered by any server that has a copy, with what it has. */
  #directGet(node: SimulatedNode, stream: Stream, { data, reply }: Message): void {
    const { nodes, random } = this.network;
    const reachable = nodes.filter((each) => this.network.reaches(node, each));
    const chosen = random.pick(reachable);
    const request = JSON.parse(new TextDecoder().decode(data));
    this.#at(node, chosen, () => {
      const replica = stream.replicas[chosen.index]!;
      const found = replica.from(request.seq, request);
      const isCut = random.oneIn(60);
      const sent = isCut ? found.slice(0, random.below(found.length + 1)) : found;
      sent.forEach((message, at) => {
        const headers = makeHeaders();
        for (const [name, values] of message.headers ?? []) headers.set(name, values[0]!);
        const sequence = this.#mutations.hideHoles === true && stream.name.startsWith("LOGS_")
          ? request.seq + at
          : message.sequence;
        headers.set("Nats-Subject", message.subject);
        headers.set("Nats-Sequence", String(sequence));
        this.#answer(chosen, reply, message.data, headers);
      });
      if (isCut) return;
      const end = found.length === 0
        ? makeHeaders(404, "Message Not Found")
        : makeHeaders(204, "EOB");
      this.#answer(chosen, reply, "", end);
    });
  }
}
