/** Watches what a cluster stores, beside its own processes: that no record is in a partition's log
 *  twice, and that the committed segments of each partition are one chain without gap or overlap.
 *  Queries would hide a double, since they remove exact duplicates. */
import { jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { createHash } from "node:crypto";

interface Segment {
  readonly key: string;
  readonly partition: number;
  readonly logFrom: number;
  readonly logTo: number;
}

export class LogAudit {
  readonly #connection: NatsConnection;
  /** Offsets by partition and content. */
  readonly #seen = new Map<string, number>();
  readonly problems: string[] = [];
  records = 0;
  /** Records that JetStream told of more than once. */
  retold = 0;

  private constructor(connection: NatsConnection) {
    this.#connection = connection;
    connection.subscribe("tail.>", {
      callback: (error, { subject, data, headers }) => {
        if (error !== null) return;
        this.records++;
        const partition = subject.slice(subject.lastIndexOf(".") + 1);
        const offset = Number(headers?.get("Nats-Sequence"));
        const key = `${partition} ${createHash("sha256").update(data).digest("base64")}`;
        const first = this.#seen.get(key);
        if (first !== undefined && first !== offset) {
          this.problems.push(`partition ${partition} has one record at ${first} and ${offset}`);
        }
        if (first === offset) this.retold++;
        this.#seen.set(key, offset);
      },
    });
  }

  static async start(urls: string): Promise<LogAudit> {
    const connection = await connect({
      servers: urls.split(","),
      maxReconnectAttempts: -1,
      reconnectTimeWait: 100,
      pingInterval: 1000,
      maxPingOut: 2,
      timeout: 1500,
    });
    await connection.flush();
    return new LogAudit(connection);
  }

  /** What is wrong with the committed segments. While they are merged, one reading may see some before and some after. */
  async segmentProblems(): Promise<ReadonlyArray<string>> {
    let problems = await this.#readChain();
    for (let again = 0; again < 5 && problems.length > 0; again++) {
      problems = await this.#readChain();
    }
    return problems;
  }

  async #readChain(): Promise<ReadonlyArray<string>> {
    const manager = await jetstreamManager(this.#connection, { checkAPI: false });
    const info = await manager.streams.info("KV_tailrace_index", {
      subjects_filter: "$KV.tailrace_index.segment.>",
    });
    const segments: Segment[] = [];
    for (const subject of Object.keys(info.state.subjects ?? {})) {
      const message = await manager.streams.getMessage("KV_tailrace_index", {
        last_by_subj: subject,
      });
      // An empty one marks a segment that was replaced.
      if (message === null || message.data.length === 0) continue;
      segments.push(JSON.parse(new TextDecoder().decode(message.data)) as Segment);
    }
    return [...Map.groupBy(segments, ({ partition }) => partition)].flatMap(([partition, some]) =>
      chainProblems(partition, some)
    );
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }
}

function chainProblems(
  partition: number,
  segments: ReadonlyArray<Segment>,
): ReadonlyArray<string> {
  const sorted = [...segments].sort((a, b) => a.logFrom - b.logFrom || a.logTo - b.logTo);
  let next = 1;
  const problems: string[] = [];
  for (const { logFrom, logTo, key } of sorted) {
    if (logFrom !== next) {
      problems.push(`partition ${partition}: ${key} begins at ${logFrom}, not at ${next}`);
    }
    if (logTo <= next - 1) problems.push(`partition ${partition}: ${key} is within another`);
    next = Math.max(next, logTo);
  }
  return problems;
}
