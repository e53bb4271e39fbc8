/** Tells Alertmanagers of alerts by their v2 API. Each has a queue of its own, so that one that is away holds up no other.
 *  Alerts are told again every resend_delay anyway, so a batch is tried for a while only. */
import { Context, Effect, Layer, Metric } from "effect";
import type { Settings } from "../../platform/config/mod.ts";
import { errorText } from "../../platform/files.ts";
import { hostName } from "../../platform/system.ts";
import { HttpSender } from "../../platform/httpPush.ts";
import {
  notificationsDropped,
  notificationsFailed,
  notificationsQueued,
  notificationsSent,
} from "../../platform/metrics.ts";
import { BoundedSender, type SendResult } from "./BoundedSender.ts";
import type { SentAlert } from "./evaluateGroup.ts";
import { exploreLink } from "./exploreLink.ts";
import { authorization, labelPairs, tlsOf } from "./requestHeaders.ts";

/** An alert as Alertmanager's API has it. */
export interface PostedAlert {
  readonly startsAt: string;
  readonly endsAt: string;
  readonly generatorURL: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Alerts of one request. */
const batchMax = 64;
const attemptsMax = 6;

export class Notifier extends Context.Service<Notifier, {
  readonly notify: (tenant: string, alerts: ReadonlyArray<SentAlert>) => Effect.Effect<void>;
}>()("tailrace/actors/Notifier") {
  static readonly layer = (settings: Settings) => Layer.effect(Notifier, makeNotifier(settings));
}

const makeNotifier = Effect.fnUntraced(function* (settings: Settings) {
  const { ruler } = settings;
  const urls = ruler.alertmanager_url.split(",").map((url) => url.trim().replace(/\/+$/, ""))
    .filter((url) => url !== "");
  const senders = yield* Effect.forEach(urls, (url) => openSender(ruler, url));
  const externalLabels = labelPairs(ruler.external_labels);
  const notify = (tenant: string, alerts: ReadonlyArray<SentAlert>) => {
    if (alerts.length === 0 || senders.length === 0) return Effect.void;
    const posted = alerts.map((alert) =>
      postedAlert(alert, externalLabels, externalUrlOf(settings))
    );
    return Effect.logDebug(
      `${posted.length} alerts of ${tenant} for ${senders.length} Alertmanagers`,
    )
      .pipe(
        Effect.andThen(Effect.forEach(senders, (sender) => sender.add(posted), { discard: true })),
      );
  };
  return Notifier.of({ notify });
});

/** Where alerts link to. */
export function externalUrlOf({ ruler, server }: Settings): string {
  if (ruler.external_url !== "") return ruler.external_url.replace(/\/+$/, "");
  return `http://${systemHost(server.http_listen_address)}:${server.http_listen_port}`;
}

function systemHost(address: string): string {
  return address === "0.0.0.0" || address === "" || address === "::" ? hostName() : address;
}

const openSender = Effect.fnUntraced(function* (ruler: Settings["ruler"], url: string) {
  const http = yield* Effect.acquireRelease(
    Effect.try({
      try: () => new HttpSender(`${url}/api/v2/alerts`, tlsOf(ruler.alertmanager_client), 1),
      catch: (error) => new Error(`ruler.alertmanager_url "${url}": ${errorText(error)}`),
    }),
    (sender) => Effect.sync(() => sender.close()),
  );
  const shown = new URL(url);
  shown.password = "";
  const attributes = { alertmanager: shown.href };
  const count = (counter: Metric.Counter<number>) => (items: number) =>
    Metric.update(Metric.withAttributes(counter, attributes), items);
  for (const counter of [notificationsSent, notificationsFailed, notificationsDropped]) {
    yield* count(counter)(0);
  }
  const stopping = new AbortController();
  yield* Effect.addFinalizer(() => Effect.sync(() => stopping.abort()));
  const sender = new BoundedSender<PostedAlert>({
    name: `Alertmanager ${shown.href}`,
    capacity: ruler.notification_queue_capacity,
    batchOf: (items) => Math.min(items.length, batchMax),
    attemptsMax,
    send: (batch) => post(http, ruler, batch, stopping.signal),
    onDropped: count(notificationsDropped),
    onFailed: count(notificationsFailed),
    onSent: count(notificationsSent),
    onLength: (length) =>
      Metric.update(Metric.withAttributes(notificationsQueued, attributes), length),
  });
  yield* Effect.forkScoped(sender.run);
  return sender;
});

async function post(
  http: HttpSender,
  ruler: Settings["ruler"],
  batch: ReadonlyArray<PostedAlert>,
  signal: AbortSignal,
): Promise<SendResult> {
  try {
    const headers = {
      "content-type": "application/json",
      "user-agent": "tailrace",
      ...authorization(ruler.alertmanager_client),
    };
    const body = new TextEncoder().encode(JSON.stringify(batch));
    const { status, text } = await http.post(headers, body, ruler.notification_timeout, signal);
    if (status >= 200 && status < 300) return { kind: "sent" };
    const why = `status ${status}: ${text.trim().slice(0, 300)}`;
    return status >= 500 || status === 429 || status === 408
      ? { kind: "again", why }
      : { kind: "refused", why };
  } catch (error) {
    return { kind: "again", why: errorText(error) };
  }
}

/** Labels of the outside are added where an alert has none of that name. */
export function postedAlert(
  { alert, expr }: SentAlert,
  externalLabels: Readonly<Record<string, string>>,
  externalUrl: string,
): PostedAlert {
  return {
    startsAt: new Date(alert.firedAtMs ?? alert.activeAtMs).toISOString(),
    endsAt: new Date(alert.resolvedAtMs ?? alert.validUntilMs ?? alert.activeAtMs).toISOString(),
    generatorURL: exploreLink(externalUrl, expr),
    labels: { ...externalLabels, ...Object.fromEntries(alert.labels) },
    annotations: alert.annotations,
  };
}
