/** The life of a rule's alerts from one evaluation to the next, as Prometheus has it: pending while the condition has not held
 *  for `for`, then firing, then inactive, which is told to Alertmanagers for a while before it is forgotten. Pure; times are
 *  milliseconds of the evaluation, not of the clock. evaluateGroup.ts asks the queries. */
import { formatLabels, type Labels } from "../../streams/labels.ts";

export interface Alert {
  readonly labels: Labels;
  readonly annotations: Readonly<Record<string, string>>;
  readonly value: number;
  readonly state: "pending" | "firing" | "inactive";
  /** When its condition began to hold. */
  readonly activeAtMs: number;
  readonly firedAtMs: number | null;
  readonly resolvedAtMs: number | null;
  /** Since when it fires although its condition does not hold. */
  readonly keepFiringSinceMs: number | null;
  readonly lastSentAtMs: number | null;
  /** Alertmanagers resolve it then, if they hear no more. */
  readonly validUntilMs: number | null;
}

/** What an evaluation found: an alert whose condition holds. */
export interface FoundAlert {
  readonly labels: Labels;
  readonly annotations: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface AlertTimes {
  readonly forMs: number;
  readonly keepFiringForMs: number;
}

/** How long a resolved alert is remembered, and told of again. */
export const resolvedRetentionMs = 15 * 60_000;

/** The alerts after an evaluation at `atMs`, in the order of their labels. */
export function nextAlerts(
  before: ReadonlyArray<Alert>,
  found: ReadonlyArray<FoundAlert>,
  times: AlertTimes,
  atMs: number,
): ReadonlyArray<Alert> {
  const known = new Map(before.map((alert) => [formatLabels(alert.labels), alert]));
  const next = new Map<string, Alert>();
  for (const one of found) {
    const key = formatLabels(one.labels);
    const alert = known.get(key);
    known.delete(key);
    next.set(key, fired(alert, one, times, atMs));
  }
  for (const [key, alert] of known) {
    const left = ceased(alert, times, atMs);
    if (left !== undefined) next.set(key, left);
  }
  return [...next].sort(([a], [b]) => a < b ? -1 : 1).map(([, alert]) => alert);
}

/** An alert whose condition holds. */
function fired(
  before: Alert | undefined,
  found: FoundAlert,
  { forMs }: AlertTimes,
  atMs: number,
): Alert {
  const isNew = before === undefined || before.state === "inactive";
  const alert: Alert = isNew
    ? {
      ...found,
      state: "pending",
      activeAtMs: atMs,
      firedAtMs: null,
      resolvedAtMs: null,
      keepFiringSinceMs: null,
      lastSentAtMs: null,
      validUntilMs: null,
    }
    : { ...before, ...found, keepFiringSinceMs: null };
  if (alert.state !== "pending" || atMs - alert.activeAtMs < forMs) return alert;
  return { ...alert, state: "firing", firedAtMs: atMs };
}

/** An alert whose condition does not hold any more; undefined if it is to be forgotten. */
function ceased(alert: Alert, { keepFiringForMs }: AlertTimes, atMs: number): Alert | undefined {
  if (alert.state === "pending") return undefined;
  if (alert.state === "inactive") {
    return atMs - (alert.resolvedAtMs ?? 0) > resolvedRetentionMs ? undefined : alert;
  }
  if (keepFiringForMs > 0) {
    const since = alert.keepFiringSinceMs ?? atMs;
    if (atMs - since < keepFiringForMs) return { ...alert, keepFiringSinceMs: since };
  }
  return { ...alert, state: "inactive", resolvedAtMs: atMs };
}

export interface SendTimes {
  readonly resendDelayMs: number;
  readonly intervalMs: number;
}

/** The alerts with those marked as sent that Alertmanagers should hear of now, and these. */
export function alertsToSend(
  alerts: ReadonlyArray<Alert>,
  { resendDelayMs, intervalMs }: SendTimes,
  atMs: number,
): { readonly alerts: ReadonlyArray<Alert>; readonly toSend: ReadonlyArray<Alert> } {
  const toSend: Alert[] = [];
  // Two evaluations or sendings may fail before an Alertmanager thinks that the alert is over.
  const validUntilMs = atMs + 4 * Math.max(resendDelayMs, intervalMs);
  const marked = alerts.map((alert) => {
    if (!needsSending(alert, resendDelayMs, atMs)) return alert;
    const sent = { ...alert, lastSentAtMs: atMs, validUntilMs };
    toSend.push(sent);
    return sent;
  });
  return { alerts: marked, toSend };
}

function needsSending(alert: Alert, resendDelayMs: number, atMs: number): boolean {
  if (alert.state === "pending") return false;
  const { lastSentAtMs, resolvedAtMs } = alert;
  if (lastSentAtMs === null) return true;
  if (resolvedAtMs !== null && resolvedAtMs > lastSentAtMs) return true;
  return lastSentAtMs + resendDelayMs < atMs;
}

export interface OutageTimes {
  /** After a longer time without evaluations, all begins anew. */
  readonly toleranceMs: number;
  readonly intervalMs: number;
}

/** The alerts of a rule when evaluations that ended at `downAtMs` go on at `atMs`: evaluations that did not take place do not
 *  count towards `for`, since nobody looked. An alert that had fired fires on. */
export function afterOutage(
  alerts: ReadonlyArray<Alert>,
  { toleranceMs, intervalMs }: OutageTimes,
  downAtMs: number,
  atMs: number,
): ReadonlyArray<Alert> {
  const missedMs = atMs - downAtMs - intervalMs;
  if (missedMs <= 0) return alerts;
  if (missedMs > toleranceMs) return [];
  return alerts.map((alert) =>
    alert.state === "pending" ? { ...alert, activeAtMs: alert.activeAtMs + missedMs } : alert
  );
}
