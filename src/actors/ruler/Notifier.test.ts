/** Telling Alertmanagers and a receiver of samples over real sockets: retries, refusals, bounded queues, batches, markers. */
import { Effect, Layer } from "effect";
import t from "tap";
import { settingsWith } from "../../platform/config/mod.ts";
import { FakeAlertmanager } from "../../testing/fakeAlertmanager.ts";
import type { Alert } from "./alertStates.ts";
import { BoundedSender, type SendResult } from "./BoundedSender.ts";
import type { GroupEvaluation, RecordedSample } from "./evaluateGroup.ts";
import { Notifier, postedAlert } from "./Notifier.ts";
import { RemoteWrite, type SeriesOfGroup } from "./RemoteWrite.ts";

t.setTimeout(0);

const alert = (name: string): Alert => ({
  labels: [["alertname", name], ["cluster", "own"]],
  annotations: { text: `about ${name}` },
  value: 1,
  state: "firing",
  activeAtMs: 1000,
  firedAtMs: 2000,
  resolvedAtMs: null,
  keepFiringSinceMs: null,
  lastSentAtMs: 2000,
  validUntilMs: 9000,
});

t.test("an alert as Alertmanager has it", (t) => {
  const external = { cluster: "eu", env: "prod" };
  const posted = postedAlert({ alert: alert("a"), expr: "x > 1" }, external, "http://logs");
  t.same(posted, {
    startsAt: "1970-01-01T00:00:02.000Z",
    endsAt: "1970-01-01T00:00:09.000Z",
    generatorURL: "http://logs/?q=x+%3E+1",
    labels: { alertname: "a", cluster: "own", env: "prod" },
    annotations: { text: "about a" },
  });
  const over = { ...alert("a"), resolvedAtMs: 5000 };
  t.equal(postedAlert({ alert: over, expr: "" }, {}, "").endsAt, "1970-01-01T00:00:05.000Z");
  t.end();
});

t.test("each Alertmanager gets all alerts, also one that fails at first; another is down", async (t) => {
  const [one, two] = [await FakeAlertmanager.start(), await FakeAlertmanager.start()];
  two.statuses.push(500, 503);
  const settings = settingsWith({
    "ruler.alertmanager_url": `${one.url}/, ${two.url},http://127.0.0.1:1`,
    "ruler.alertmanager_client.basic_auth_username": "me",
    "ruler.alertmanager_client.basic_auth_password": "ä",
  });
  const alerts = Array.from(
    { length: 150 },
    (_, index) => ({ alert: alert(`a${index}`), expr: "" }),
  );
  const program = Effect.gen(function* () {
    const notifier = yield* Notifier;
    yield* notifier.notify("fake", alerts);
    yield* Effect.promise(() => one.alertsUntil((got) => got.length === alerts.length));
    yield* Effect.promise(() => two.alertsUntil((got) => got.length === alerts.length));
  });
  await Effect.runPromise(program.pipe(Effect.provide(Notifier.layer(settings)), Effect.scoped));
  t.equal(one.requestCount, 3, "64 at a time");
  t.equal(two.requestCount, 5);
  for (const fake of [one, two]) {
    t.same(fake.alerts.map(({ labels }) => labels["alertname"]), alerts.map((_, at) => `a${at}`));
    t.equal(fake.authorization, `Basic ${Buffer.from("me:ä").toString("base64")}`);
    fake.close();
  }
});

t.test("recorded samples arrive as remote write, and series that end get a stale marker", async (t) => {
  const fake = await FakeAlertmanager.start();
  fake.statuses.push(503);
  const settings = settingsWith({
    "ruler.remote_write.url": `${fake.url}/api/v1/write`,
    "ruler.external_labels": "cluster=eu",
  });
  const recorded = (...samples: ReadonlyArray<readonly [string, number]>) =>
    samples.map(([app, value]): RecordedSample => ({
      labels: [["__name__", "app:errors"], ["app", app]],
      value,
    }));
  const evaluation = (...of: GroupEvaluation["recorded"]) =>
    ({ recorded: of, toSend: [], failures: 0 }) as unknown as GroupEvaluation;
  const program = Effect.gen(function* () {
    const remoteWrite = yield* RemoteWrite;
    const series: SeriesOfGroup = [];
    yield* remoteWrite.write("t", evaluation(recorded(["a", 1.5], ["b", NaN])), 1000, series);
    yield* remoteWrite.write("t", evaluation(null), 2000, series);
    yield* remoteWrite.write("t", evaluation(recorded(["a", -Infinity])), 3000, series);
    yield* Effect.promise(() => fake.samplesUntil((samples) => samples.length === 4));
  });
  await Effect.runPromise(
    program.pipe(Effect.provide(RemoteWrite.layer(settings)), Effect.scoped),
  );
  t.same(
    fake.samples.map((
      { labels, bits, atMs, tenant },
    ) => [labels["app"], bits.toString(16), atMs, tenant]),
    [
      ["a", "3ff8000000000000", 1000, "t"],
      ["b", "7ff8000000000001", 1000, "t"],
      ["a", "fff0000000000000", 3000, "t"],
      ["b", "7ff0000000000002", 3000, "t"],
    ],
  );
  t.same(Object.keys(fake.samples[0]!.labels), ["__name__", "app", "cluster"], "in order");
  fake.close();
});

t.test("a full queue drops the oldest and counts them; a refusal is not tried again", async (t) => {
  const [sent, events]: [number[], string[]] = [[], []];
  let result: SendResult = { kind: "again", why: "away", afterMs: 5 };
  const sender = new BoundedSender<number>({
    name: "test",
    capacity: 5,
    attemptsMax: Infinity,
    batchOf: () => 2,
    send: (batch) => {
      if (result.kind === "sent") sent.push(...batch);
      return Promise.resolve(result);
    },
    onDropped: (count) => Effect.sync(() => void events.push(`dropped ${count}`)),
    onFailed: () => Effect.void,
    onSent: () => Effect.void,
    onLength: () => Effect.void,
  });
  const program = Effect.gen(function* () {
    yield* Effect.forkScoped(sender.run);
    yield* sender.add([1, 2, 3]);
    yield* Effect.sleep(20);
    yield* sender.add([4, 5, 6, 7]);
    result = { kind: "sent" };
    yield* Effect.promise(async () => {
      while (sent.length < 5) await new Promise((resolve) => setTimeout(resolve, 5));
    });
    result = { kind: "refused", why: "no" };
    yield* sender.add([8, 9]);
    yield* Effect.promise(async () => {
      while (events.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    });
  });
  await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(Layer.empty)));
  t.same(sent, [1, 2, 5, 6, 7], "the two that were on their way stay");
  t.same(events, ["dropped 2", "dropped 2"]);
});
