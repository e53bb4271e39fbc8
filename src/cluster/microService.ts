/** This process as a NATS micro service (ADR-32), so that `nats micro ls|info|stats` show what it
 *  serves. Owns discovery and the counting of requests; what an endpoint answers is its owner's
 *  business. */
import type { Msg, Subscription } from "@nats-io/transport-node";
import { version } from "../platform/version.ts";
import type { NatsLink } from "./Nats.ts";

interface Endpoint {
  readonly name: string;
  readonly subject: string;
  readonly queue_group: string;
  num_requests: number;
  num_errors: number;
  last_error: string;
  /** Nanoseconds, all requests together. */
  processing_time: number;
}

export class MicroService {
  readonly #link: NatsLink;
  readonly #name: string;
  readonly #started = new Date().toISOString();
  readonly #endpoints = new Map<Subscription, Endpoint>();
  readonly #discovery: Subscription[] = [];
  readonly id: string;

  /** `name` is that of all processes that serve the same; letters, digits, "-" and "_". */
  constructor(link: NatsLink, name: string, id: string) {
    this.#link = link;
    this.#name = name;
    this.id = id;
    for (const verb of ["PING", "INFO", "STATS"] as const) {
      for (const suffix of ["", `.${name}`, `.${name}.${id}`]) {
        const callback = (error: Error | null, message: Msg) => {
          if (error === null) message.respond(JSON.stringify(this.#answer(verb)));
        };
        this.#discovery.push(link.connection.subscribe(`$SRV.${verb}${suffix}`, { callback }));
      }
    }
  }

  /** Serves a subject until the result is called. With a queue, one of all processes gets each
   *  request. The handler answers the message itself; its failure is only counted. */
  serve(
    endpoint: { readonly name: string; readonly subject: string; readonly queue?: string },
    handle: (message: Msg) => Promise<void>,
  ): () => void {
    const { name, subject, queue = "" } = endpoint;
    const counted: Endpoint = {
      name,
      subject,
      queue_group: queue,
      num_requests: 0,
      num_errors: 0,
      last_error: "",
      processing_time: 0,
    };
    const subscription = this.#link.connection.subscribe(subject, {
      ...(queue === "" ? {} : { queue }),
      callback: (error, message) => {
        if (error !== null) return;
        const startMs = performance.now();
        counted.num_requests++;
        void handle(message).catch((failure) => {
          counted.num_errors++;
          counted.last_error = failure instanceof Error ? failure.message : String(failure);
        }).finally(() => {
          counted.processing_time += Math.round((performance.now() - startMs) * 1e6);
        });
      },
    });
    this.#endpoints.set(subscription, counted);
    return () => {
      subscription.unsubscribe();
      this.#endpoints.delete(subscription);
    };
  }

  close(): void {
    for (const subscription of [...this.#discovery, ...this.#endpoints.keys()]) {
      subscription.unsubscribe();
    }
    this.#endpoints.clear();
  }

  #answer(verb: "PING" | "INFO" | "STATS") {
    const identity = { name: this.#name, id: this.id, version, metadata: {} };
    const endpoints = [...this.#endpoints.values()];
    switch (verb) {
      case "PING":
        return { type: "io.nats.micro.v1.ping_response", ...identity };
      case "INFO":
        return {
          type: "io.nats.micro.v1.info_response",
          ...identity,
          description: "Tailrace",
          endpoints: endpoints.map(({ name, subject, queue_group }) => ({
            name,
            subject,
            queue_group,
            metadata: {},
          })),
        };
      case "STATS":
        return {
          type: "io.nats.micro.v1.stats_response",
          ...identity,
          started: this.#started,
          endpoints: endpoints.map((endpoint) => ({
            ...endpoint,
            average_processing_time: endpoint.num_requests === 0
              ? 0
              : Math.round(endpoint.processing_time / endpoint.num_requests),
          })),
        };
    }
  }
}
