/** A client of the live tail (Loki's WebSocket protocol). Owns the connection and the order in which lines came;
 *  what should have come is the test's business. Bounded by the caller: it keeps what it received until closed. */
import WebSocket from "ws";
import type { FoundEntry, ValueExtra } from "./queryClient.ts";

/** A line that the server says it did not send. */
export interface DroppedEntry {
  readonly labels: Readonly<Record<string, string>>;
  readonly timestamp: string;
}

export interface TailOptions {
  readonly query: string;
  /** Inclusive, ns; without it the server's default (an hour ago) holds. */
  readonly start?: bigint;
  readonly limit?: number;
  readonly delayForSeconds?: number;
  readonly tenant?: string;
  /** Called for each line in order, with the arrival time in ms of performance.now(). */
  readonly onEntry?: (entry: FoundEntry, receivedAtMs: number) => void;
}

interface TailFrame {
  readonly streams?: ReadonlyArray<{
    readonly stream: Readonly<Record<string, string>>;
    readonly values: ReadonlyArray<readonly [string, string, ValueExtra?]>;
  }>;
  readonly dropped_entries?: ReadonlyArray<DroppedEntry> | null;
  readonly dropped?: { readonly count: number; readonly first: string; readonly last: string };
}

/** How a connection ended. */
export interface TailClose {
  readonly code: number;
  readonly reason: string;
}

/** An open tail. */
export class TailClient {
  readonly entries: FoundEntry[] = [];
  readonly dropped: DroppedEntry[] = [];
  /** All lines left out, also those that are not named. */
  droppedCount = 0;
  readonly closed: Promise<TailClose>;
  readonly #socket: WebSocket;
  #frameCount = 0;

  private constructor(socket: WebSocket, options: TailOptions) {
    this.#socket = socket;
    this.closed = new Promise((resolve) =>
      socket.once("close", (code, reason) => resolve({ code, reason: reason.toString() }))
    );
    socket.on("message", (data: Buffer) => this.#receive(data.toString(), options));
  }

  /** Connects; rejects with the status and body when the server refuses the upgrade. */
  static open(baseUrl: string, options: TailOptions): Promise<TailClient> {
    const parameters = new URLSearchParams({ query: options.query });
    if (options.start !== undefined) parameters.set("start", String(options.start));
    if (options.limit !== undefined) parameters.set("limit", String(options.limit));
    if (options.delayForSeconds !== undefined) {
      parameters.set("delay_for", String(options.delayForSeconds));
    }
    const socket = new WebSocket(
      `${baseUrl.replace(/^http/, "ws")}/loki/api/v1/tail?${parameters}`,
      options.tenant === undefined ? {} : { headers: { "x-scope-orgid": options.tenant } },
    );
    return new Promise((resolve, reject) => {
      const client = new TailClient(socket, options);
      socket.once("open", () => resolve(client));
      socket.once("unexpected-response", (_request, response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.on("end", () => {
          reject(new TailRefused(response.statusCode ?? 0, Buffer.concat(parts).toString()));
          socket.terminate();
        });
      });
      socket.on("error", reject);
    });
  }

  /** Frames received so far. */
  get frameCount(): number {
    return this.#frameCount;
  }

  /** Stops reading from the socket, so that the server sees a slow client. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  async close(): Promise<void> {
    this.#socket.close();
    await this.closed;
  }

  #receive(text: string, options: TailOptions): void {
    const receivedAtMs = performance.now();
    const frame = JSON.parse(text) as TailFrame;
    this.#frameCount++;
    for (const stream of frame.streams ?? []) {
      for (const [timestamp, line, extra] of stream.values) {
        const entry = { labels: stream.stream, timestamp: BigInt(timestamp), line, extra };
        if (options.onEntry === undefined) this.entries.push(entry);
        else options.onEntry(entry, receivedAtMs);
      }
    }
    for (const dropped of frame.dropped_entries ?? []) this.dropped.push(dropped);
    this.droppedCount += frame.dropped?.count ?? 0;
  }
}

/** The server answered the upgrade with a plain HTTP reply. */
export class TailRefused extends Error {
  readonly status: number;
  readonly body: string;

  constructor(status: number, body: string) {
    super(`Tail refused with ${status}: ${body.slice(0, 300)}`);
    this.status = status;
    this.body = body;
  }
}
