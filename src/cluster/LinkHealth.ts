/** Whether what this connection answers can be believed to be of now.
 *  A server that was frozen answers, when it goes on, what waited in its sockets before it hears
 *  that it is not a leader any more: then it tells of a log that ended before its freeze, and
 *  lines that were acknowledged meanwhile would be missing from an answer. An election takes at
 *  least 4 seconds, so a server that was not silent for a second is still what it was; one that
 *  was is believed again a second after it speaks. */
import type { NatsConnection } from "@nats-io/transport-node";

const pingEveryMs = 250;
const silenceMs = 1000;
const settleMs = 1000;

export class LinkHealth {
  readonly #connection: NatsConnection;
  readonly #timer: ReturnType<typeof setInterval>;
  #lastPongMs = performance.now();
  #believedFromMs = 0;
  #isPinging = false;

  constructor(connection: NatsConnection) {
    this.#connection = connection;
    this.#timer = setInterval(() => this.#ping(), pingEveryMs);
  }

  /** Resolves once the connection is believed. Rejects after `limitMs`. */
  async steady(limitMs: number): Promise<void> {
    const endMs = performance.now() + limitMs;
    while (!this.#isSteady()) {
      if (performance.now() > endMs) throw new Error("the connection to NATS is not steady");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #isSteady(): boolean {
    const nowMs = performance.now();
    // This process may have been frozen itself: then the silence is noticed here first.
    if (nowMs - this.#lastPongMs > silenceMs) this.#believedFromMs = Infinity;
    return nowMs >= this.#believedFromMs;
  }

  #ping(): void {
    if (this.#isPinging || this.#connection.isClosed()) return;
    this.#isPinging = true;
    void this.#connection.flush().then(() => {
      this.#isSteady();
      this.#lastPongMs = performance.now();
      if (this.#believedFromMs === Infinity) this.#believedFromMs = this.#lastPongMs + settleMs;
    }, () => {}).finally(() => this.#isPinging = false);
  }
}
