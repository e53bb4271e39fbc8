/** Sends pushes to one server as a client of the configuration says, again and again until the server has
 *  taken or refused them. Owns the headers, the retries and what a status means; Delivery.ts owns which
 *  pushes there are.
 *
 *  - 2xx: taken.
 *  - 429, 5xx, 408, no answer: sent again for as long as it takes, with growing pauses; the disk buffer holds
 *    what comes meanwhile.
 *  - 401, 403, 404, 407 and redirects: someone has to correct the configuration. Sent again max_retries times, then
 *    given up, so that one tenant's mistake does not stop the others for ever.
 *  - other 4xx: the server does not want these lines (of some, it has stored the rest). Given up.
 *
 *  A tenant may come out of lines, from anybody: what no header can carry is given up as well, and stops nobody else's lines. */
import { Effect, Result } from "effect";
import { systemNowMs } from "../../platform/clock.ts";
import { errorText } from "../../platform/files.ts";
import { type HttpAnswer, HttpSender } from "../../platform/httpPush.ts";
import { version } from "../../platform/version.ts";
import { authorizationOf } from "../authorization.ts";
import type { CollectorMetrics } from "../collectorMetrics.ts";
import type { ClientConfig } from "../config/clientConfig.ts";
import { LabelSet } from "../stages/labelSet.ts";
import type { PushBody } from "./bufferRecord.ts";

/** Requests of one client that are under way at once: they must arrive in order. */
const connectionsMax = 1;
/** A server that is being restarted should not be forgotten for longer. */
const retryAfterMsMax = 60_000;

export class PushClient {
  /** Names the client in positions and messages; the same after a restart. */
  readonly name: string;
  readonly external: LabelSet;
  readonly #config: ClientConfig;
  readonly #metrics: CollectorMetrics;
  readonly #sender: HttpSender;
  readonly #host: string;
  #failingSinceMs: number | undefined;

  /** `name`: see clientNames. Throws if a certificate cannot be read. */
  constructor(config: ClientConfig, metrics: CollectorMetrics, name: string) {
    this.#config = config;
    this.#metrics = metrics;
    this.#sender = new HttpSender(config.url, config.tls_config, connectionsMax);
    this.#host = new URL(config.url).host;
    this.name = name;
    this.external = LabelSet.of(config.external_labels);
  }

  /** Since when the server has not answered, ms; undefined if all is well. */
  get failingSinceMs(): number | undefined {
    return this.#failingSinceMs;
  }

  close(): void {
    this.#sender.close();
  }

  /** Sends `body` until the server has taken it, it is given up, or it is not wanted any more. */
  readonly deliver = Effect.fnUntraced(
    { self: this },
    function* (this: PushClient, body: PushBody, isWanted: () => boolean) {
      if (!isHeaderValue(body.tenant)) return yield* this.#giveUpTenant(body);
      const { min_period, max_period, max_retries } = this.#config.backoff_config;
      let delayMs = min_period;
      for (let attempt = 0; isWanted(); attempt++) {
        const sent = yield* Effect.result(this.#attempt(body));
        const problem = Result.isFailure(sent) ? sent.failure : problemOf(sent.success);
        if (problem === undefined) return yield* this.#taken(body);
        const fate = fateOf(problem.status, this.#config.drop_rate_limited_batches);
        if (fate === "refused" || (fate === "misdirected" && attempt >= max_retries)) {
          return yield* this.#giveUp(body, problem);
        }
        yield* this.#noteFailure(problem, attempt);
        this.#metrics.series(this.#metrics.batchRetries, this.#labels(body)).value++;
        const pauseMs = Math.max(problem.retryAfterMs, delayMs * (0.75 + Math.random() / 2));
        yield* Effect.sleep(pauseMs);
        delayMs = Math.min(max_period, delayMs * 2);
      }
    },
  );

  #attempt(body: PushBody): Effect.Effect<HttpAnswer, Problem> {
    const startedMs = systemNowMs();
    return Effect.tryPromise({
      try: (signal) =>
        this.#sender.post(this.#headers(body), body.bytes, this.#config.timeout, signal),
      catch: (cause): Problem => ({ status: 0, text: errorText(cause), retryAfterMs: 0 }),
    }).pipe(
      Effect.tap((answer) => this.#observe(answer.status, startedMs)),
      Effect.tapError(() => this.#observe(0, startedMs)),
    );
  }

  #observe(status: number, startedMs: number): Effect.Effect<void> {
    return Effect.sync(() => {
      const labels = { status_code: String(status), host: this.#host };
      const seconds = Math.max(0, systemNowMs() - startedMs) / 1000;
      this.#metrics.series(this.#metrics.requestSeconds, labels).observe(seconds);
    });
  }

  #taken(body: PushBody): Effect.Effect<void> {
    const metrics = this.#metrics;
    metrics.series(metrics.sentBytes, { host: this.#host }).value += body.bytes.byteLength;
    metrics.series(metrics.sentEntries, { host: this.#host }).value += body.lines;
    const since = this.#failingSinceMs;
    this.#failingSinceMs = undefined;
    if (since === undefined) return Effect.void;
    const seconds = Math.round((systemNowMs() - since) / 1000);
    return Effect.logInfo(`${this.#host} takes pushes again, after ${seconds} s`);
  }

  /** Counts lines that this client's server will not have. */
  countDropped(body: PushBody, reason: string): void {
    const metrics = this.#metrics;
    const labels = { ...this.#labels(body), reason };
    metrics.series(metrics.droppedEntries, labels).value += body.lines;
    metrics.series(metrics.droppedBytes, labels).value += body.lineBytes;
  }

  #giveUp(body: PushBody, problem: Problem): Effect.Effect<void> {
    this.countDropped(body, problem.status === 429 ? "rate_limited" : "ingester_error");
    return Effect.logError(
      `${this.#host} refused a push of ${body.lines} lines (some of which it may have stored) ` +
        `with status ${problem.status}; it is not sent again: ${problem.text}`,
    );
  }

  #giveUpTenant(body: PushBody): Effect.Effect<void> {
    this.countDropped(body, "ingester_error");
    const tenant = JSON.stringify(body.tenant.slice(0, 200));
    return Effect.logError(
      `${body.lines} lines are not sent to ${this.#host}: no server takes the tenant ${tenant}, which a stage or a rule gave them`,
    );
  }

  /** Says it the first time, and then each time that the pauses have become long. */
  #noteFailure(problem: Problem, attempt: number): Effect.Effect<void> {
    this.#failingSinceMs ??= systemNowMs();
    if (attempt !== 0 && attempt < 6) return Effect.void;
    const status = problem.status === 0 ? "" : ` (status ${problem.status})`;
    return Effect.logWarning(
      `${this.#host} does not take pushes${status}; they are kept and sent again: ${problem.text}`,
    );
  }

  #labels(body: PushBody): Readonly<Record<string, string>> {
    return { host: this.#host, tenant: body.tenant || this.#config.tenant_id };
  }

  #headers({ tenant }: PushBody): Record<string, string> {
    const config = this.#config;
    const headers: Record<string, string> = {
      "content-type": "application/x-protobuf",
      "user-agent": `tailrace/${version}`,
    };
    const scope = tenant || config.tenant_id;
    if (scope !== "") headers["x-scope-orgid"] = scope;
    const authorization = authorizationOf(config);
    if (authorization !== undefined) headers["authorization"] = authorization;
    for (const [name, value] of Object.entries(config.headers)) headers[name.toLowerCase()] = value;
    return headers;
  }
}

interface Problem {
  /** 0 if there was no answer. */
  readonly status: number;
  readonly text: string;
  readonly retryAfterMs: number;
}

function problemOf({ status, text, retryAfter, location }: HttpAnswer): Problem | undefined {
  if (status >= 200 && status < 300) return undefined;
  const retryAfterMs = Math.min(retryAfterMsMax, Number(retryAfter) * 1000 || 0);
  const reason = isRedirect(status) && location !== undefined
    ? `it redirects to "${location}": give that URL to the client`
    : text.trim();
  return { status, text: reason.slice(0, 1024), retryAfterMs };
}

/** Whether HTTP can carry a text as a header's value. */
function isHeaderValue(text: string): boolean {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(text);
}

function isRedirect(status: number): boolean {
  return status >= 300 && status < 400;
}

function fateOf(
  status: number,
  dropsRateLimited: boolean,
): "passing" | "misdirected" | "refused" {
  if (status === 429) return dropsRateLimited ? "refused" : "passing";
  if (status === 0 || status >= 500 || status === 408) return "passing";
  if (isRedirect(status)) return "misdirected";
  return [401, 403, 404, 407].includes(status) ? "misdirected" : "refused";
}
