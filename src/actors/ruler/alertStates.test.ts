/** The life of alerts: a table written by hand, and random rules against a reference that knows nothing but the history of the
 *  condition and reads the answer off it anew at each evaluation. */
import fc from "fast-check";
import t from "tap";
import {
  afterOutage,
  type Alert,
  alertsToSend,
  nextAlerts,
  resolvedRetentionMs,
} from "./alertStates.ts";

const minute = 60_000;
const found = (name: string, value = 1) => ({
  labels: [["app", name]] as const,
  annotations: { text: `value ${value}` },
  value,
});

/** A row for each rule; `1` and `0` say whether the condition holds, a minute apart, and below what becomes of the alert:
 *  `.` none, `p` pending, `F` firing, `r` resolved. */
const table = `
for  keep  condition / state
0m   0m    0 1 1 0 0 1
           . F F r r F
2m   0m    1 1 1 1 0 0
           p p F F r r
2m   0m    1 1 0 1 1 1 0
           p p . p p F r
1m   0m    1 0 1 0
           p . p .
0m   2m    1 0 0 0 0
           F F F r r
0m   2m    1 0 1 0 0 0
           F F F F F r
2m   1m    1 1 1 0 0 1 1 1
           p p F F r p p F
`;

t.test("a table of rules", (t) => {
  const lines = table.trim().split("\n").slice(1);
  for (let at = 0; at < lines.length; at += 2) {
    const [forText, keepText, ...condition] = lines[at]!.trim().split(/\s+/);
    const wanted = lines[at + 1]!.trim().split(/\s+/);
    const times = {
      forMs: Number.parseInt(forText!) * minute,
      keepFiringForMs: Number.parseInt(keepText!) * minute,
    };
    let alerts: ReadonlyArray<Alert> = [];
    const states = condition.map((holds, step) => {
      alerts = nextAlerts(alerts, holds === "1" ? [found("a")] : [], times, step * minute);
      return letter(alerts[0]);
    });
    t.same(states, wanted, lines[at]);
  }
  t.end();
});

t.test("random rules, against the reference", (t) => {
  const property = fc.property(
    fc.array(fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }), { maxLength: 60 }),
    fc.nat(6),
    fc.nat(4),
    (conditions, forSteps, keepSteps) => {
      const times = { forMs: forSteps * minute, keepFiringForMs: keepSteps * minute };
      const names = ["a", "b", "c"];
      let alerts: ReadonlyArray<Alert> = [];
      conditions.forEach((holds, step) => {
        const now = names.filter((_, index) => holds[index]).map((name) => found(name, step));
        alerts = nextAlerts(alerts, now, times, step * minute);
        names.forEach((name, index) => {
          const history = conditions.slice(0, step + 1).map((all) => all[index]!);
          const alert = alerts.find(({ labels }) => labels[0]![1] === name);
          t.equal(letter(alert), reference(history, forSteps, keepSteps), `${name} ${step}`);
        });
      });
    },
  );
  fc.assert(property, { numRuns: 300 });
  t.end();
});

/** What became of a condition with this history, a step a minute. */
function reference(history: ReadonlyArray<boolean>, forSteps: number, keepSteps: number): string {
  // When it fired: a run of true that lasted forSteps. It ends at the first false after which keepSteps went by without a true.
  let [pendingSince, firesSince, quietSince, resolvedAt] = [-1, -1, -1, -1];
  history.forEach((holds, step) => {
    if (holds) {
      quietSince = -1;
      if (firesSince >= 0) return;
      if (pendingSince < 0) pendingSince = step;
      resolvedAt = -1;
      if (step - pendingSince >= forSteps) firesSince = step;
      return;
    }
    pendingSince = -1;
    if (firesSince < 0) return;
    if (quietSince < 0) quietSince = step;
    if (keepSteps > 0 && step - quietSince < keepSteps) return;
    [firesSince, quietSince, resolvedAt] = [-1, -1, step];
  });
  if (firesSince >= 0) return "F";
  if (pendingSince >= 0) return "p";
  if (resolvedAt < 0) return ".";
  // The evaluation that finds it too old forgets it.
  return (history.length - 1 - resolvedAt) * minute > resolvedRetentionMs ? "." : "r";
}

function letter(alert: Alert | undefined): string {
  return { pending: "p", firing: "F", inactive: "r", none: "." }[alert?.state ?? "none"];
}

t.test("value and annotations are of the last evaluation, the beginning stays", (t) => {
  const times = { forMs: 0, keepFiringForMs: 0 };
  const first = nextAlerts([], [found("a", 1)], times, 1000);
  const [alert] = nextAlerts(first, [found("a", 2)], times, 2000);
  t.match(alert, { value: 2, annotations: { text: "value 2" }, activeAtMs: 1000, firedAtMs: 1000 });
  t.end();
});

t.test("Alertmanagers hear of what fires, again after resend_delay, and of the end at once", (t) => {
  const times = { forMs: minute, keepFiringForMs: 0 };
  const send = { resendDelayMs: 2 * minute, intervalMs: minute };
  let alerts: ReadonlyArray<Alert> = [];
  const sent: string[] = [];
  const holds = [1, 1, 1, 1, 1, 0, 0, 0, 0];
  holds.forEach((holding, step) => {
    const atMs = step * minute;
    const next = nextAlerts(alerts, holding === 1 ? [found("a")] : [], times, atMs);
    const sending = alertsToSend(next, send, atMs);
    alerts = sending.alerts;
    for (const { state, validUntilMs } of sending.toSend) {
      sent.push(`${step} ${state} until ${(validUntilMs ?? 0) / minute}`);
    }
  });
  t.same(sent, [
    "1 firing until 9",
    "4 firing until 12",
    "5 inactive until 13",
    "8 inactive until 16",
  ]);
  t.end();
});

t.test("a time without evaluations does not count towards for, and too long a one ends all", (t) => {
  const times = { forMs: 10 * minute, keepFiringForMs: 0 };
  const outage = { toleranceMs: 60 * minute, intervalMs: minute };
  const pending = nextAlerts([], [found("a")], times, 0);
  const resume = (downAt: number, at: number) =>
    afterOutage(pending, outage, downAt * minute, at * minute)[0]?.activeAtMs;
  t.equal(resume(4, 5), 0, "the next evaluation, as if nothing had been");
  t.equal(resume(4, 25), 20 * minute, "twenty were missed");
  t.equal(resume(4, 66), undefined, "more than for_outage_tolerance");
  const firing = nextAlerts(pending, [found("a")], times, 10 * minute);
  t.same(afterOutage(firing, outage, 10 * minute, 40 * minute), firing, "what fired fires on");
  t.end();
});
