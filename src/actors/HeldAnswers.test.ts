/** The account of what answers hold: what fits, who waits, who is ended, who must give up, and that nothing stays in it. */
import t from "tap";
import { type AnswerClient, HeldAnswers } from "./HeldAnswers.ts";

/** A client that has read nothing for as long as it says. */
class Client implements AnswerClient {
  ms = 0;
  reason: string | undefined;
  readonly stalledMs = () => this.ms;
  readonly end = (reason: string) => void (this.reason = reason);
}

const busy = {
  reason: "Busy",
  message: /hold \d+ bytes.*the limit is 100.*max_held_response_bytes/,
};

/** Whether a promise has been settled by now. */
function settled(promise: Promise<unknown>): Promise<boolean> {
  return Promise.race([
    promise.then(() => true, () => true),
    new Promise<boolean>((resolve) => setImmediate(() => resolve(false))),
  ]);
}

t.test("what fits is let in at once, what does not waits; one alone may be larger", async (t) => {
  const answers = new HeldAnswers({ bytesMax: 100 });
  const [one, two] = [answers.open(), answers.open()];
  await one.grow(1000);
  t.notOk(two.tryResize(1));
  const waiting = two.grow(60);
  t.notOk(await settled(waiting));
  t.equal(two.bytes, 0);
  one.resize(40);
  await waiting;
  t.equal(answers.bytes, 100);
  t.ok(one.tryResize(40));
  t.notOk(one.tryResize(41));
  one.resize(50);
  t.equal(answers.bytes, 110, "what somebody has already counts");
  one.release();
  one.release();
  one.resize(7);
  two.release();
  t.equal(answers.bytes, 0);
});

t.test("small answers go on beside one that is too large, and it does not wait for them", async (t) => {
  const answers = new HeldAnswers({ bytesMax: 100, smallBytes: 10 });
  const smalls = Array.from({ length: 12 }, () => answers.open());
  const [large, second] = [answers.open(), answers.open()];
  smalls[0]!.resize(5);
  await large.grow(1000);
  t.equal(answers.bytes, 1005);
  const waiting = second.grow(50);
  t.notOk(await settled(waiting));
  for (const small of smalls.slice(1, 10)) t.ok(small.tryResize(10));
  t.notOk(smalls[10]!.tryResize(10), "they have no more than others");
  t.ok(smalls[10]!.tryResize(5));
  large.release();
  await waiting;
  second.release();
  for (const small of smalls) small.release();
  t.equal(answers.bytes, 0);
  await large.grow(1).then(() => t.fail("it is over"), () => {});
});

t.test("who waits leaves when its query is ended, when it takes too long, and when it is released", async (t) => {
  const answers = new HeldAnswers({ bytesMax: 100, waitMs: 20 });
  const [one, two] = [answers.open(), answers.open()];
  one.resize(100);
  const stop = new AbortController();
  const aborted = two.grow(1, stop.signal);
  stop.abort(new Error("enough"));
  await t.rejects(aborted, { message: "enough" });
  await t.rejects(two.grow(1, stop.signal), { message: "enough" });
  await t.rejects(two.grow(1), busy);
  const released = two.grow(1);
  two.release();
  await t.rejects(released, busy);
  one.release();
});

t.test("who came first goes on first, but for small answers", async (t) => {
  const answers = new HeldAnswers({ bytesMax: 100, smallBytes: 5 });
  const [one, two, three] = [answers.open(), answers.open(), answers.open()];
  one.resize(50);
  const waiting = two.grow(60);
  t.notOk(three.tryResize(6), "it would fit");
  t.ok(three.tryResize(5));
  const later = three.grow(20);
  t.ok(one.tryResize(55), "one that came before goes on");
  one.resize(35);
  await waiting;
  t.notOk(await settled(later));
  two.resize(40);
  await later;
  t.equal(answers.bytes, 95);
  for (const held of [one, two, three]) held.release();
  t.equal(answers.bytes, 0);
});

t.test("of answers that wait for each other the last gives up", async (t) => {
  const answers = new HeldAnswers({ bytesMax: 100 });
  const [one, two, three] = [answers.open(), answers.open(), answers.open()];
  for (const held of [one, two, three]) held.resize(30);
  const [first, second] = [one.grow(70), two.grow(70)];
  t.notOk(await settled(Promise.race([first, second])), "the third may end by itself");
  const third = three.grow(70);
  await t.rejects(third, { ...busy, reason: "GaveWay" });
  t.notOk(await settled(Promise.race([first, second])));
  three.release();
  await first;
  one.release();
  await second;
  two.release();
  t.equal(answers.bytes, 0);
});

t.test("parts with one client are one answer, which does not wait for itself", async (t) => {
  const answers = new HeldAnswers({ bytesMax: 100 });
  const client = new Client();
  const [rows, text] = [answers.open(client), answers.open(client)];
  rows.resize(90);
  await text.grow(90);
  t.equal(answers.bytes, 180);
  rows.release();
  text.release();
  t.equal(answers.bytes, 0);
});

t.test("clients that read nothing make room, those first that have for longest", async (t) => {
  const ends: string[] = [];
  const answers = new HeldAnswers({ bytesMax: 100, onEnd: (reason) => ends.push(reason) });
  const clients = [new Client(), new Client(), new Client()] as const;
  const held = clients.map((client) => answers.open(client));
  for (const each of held) each.resize(30);
  [clients[0].ms, clients[1].ms, clients[2].ms] = [999, 3000, 2000];
  const asking = answers.open();
  await asking.grow(40);
  t.same(clients.map(({ reason }) => reason !== undefined), [false, true, false]);
  t.match(clients[1].reason, /nothing was read of what was sent for 3 s/);
  t.ok(asking.tryResize(70));
  t.same(clients.map(({ reason }) => reason !== undefined), [false, true, true]);
  t.notOk(asking.tryResize(71), "the other has only just begun not to read");
  t.notOk(held[1]!.tryResize(1), "one that was ended holds nothing more");
  await t.rejects(held[1]!.grow(1), busy);
  t.equal(ends.length, 2);
  for (const each of [...held, asking]) each.release();
  t.equal(answers.bytes, 0);
});

t.test("a client that reads nothing is ended, also when nobody wants its room", async (t) => {
  const answers = new HeldAnswers({ bytesMax: 100, stalledMs: 50 });
  const client = new Client();
  answers.open(client).resize(60);
  client.ms = 60;
  while (client.reason === undefined) await new Promise((resolve) => setTimeout(resolve, 10));
  t.equal(answers.bytes, 0);
});
