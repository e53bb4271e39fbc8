/** Answers in frames over a real NATS server: whatever their parts, they arrive whole; a failure is the asker's, and who gives up
 *  ends the answer. */
import { connect, createInbox, errors, type NatsConnection } from "@nats-io/transport-node";
import t, { type Test } from "tap";
import { NatsServers } from "../testing/natsServer.ts";
import { randomFrom } from "../testing/random.ts";
import { answerInFrames, AnswerRefused, requestFrames } from "./frames.ts";
import type { NatsLink } from "./Nats.ts";

t.setTimeout(0);

const servers = await NatsServers.start({ nodes: 1 });
t.teardown(() => servers.remove());
const frameBytes = 512 * 1024;

async function linkOf(t: Test): Promise<NatsLink> {
  const connection: NatsConnection = await connect({ servers: servers.urls.split(",") });
  t.teardown(() => connection.close());
  return { connection, inbox: () => createInbox() } as NatsLink;
}

/** Has `produce` answer what is asked on `subject`; the result has what became of each answer. */
function answering(
  link: NatsLink,
  subject: string,
  produce: (signal: AbortSignal) => Promise<Iterable<Uint8Array>>,
): Promise<void>[] {
  const answers: Promise<void>[] = [];
  link.connection.subscribe(subject, {
    callback: (_, message) => void answers.push(answerInFrames(link, message, produce)),
  });
  return answers;
}

const question = { payload: "", idleMs: 60_000, bytesMax: 100_000_000 };

function bytesOf(length: number, seed: string): Uint8Array {
  const random = randomFrom(seed);
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 1 + random.below(1000)) bytes[at] = random.below(256);
  return bytes;
}

t.test("parts of any number and length arrive whole, also many answers at once", async (t) => {
  const [asker, answerer] = [await linkOf(t), await linkOf(t)];
  const cases = [
    [],
    [0],
    [0, 0],
    [1],
    [frameBytes],
    [frameBytes + 1],
    [frameBytes - 1, 0, 2 * frameBytes, 7],
    Array.from({ length: 8 }, () => 10),
    Array.from({ length: 9 }, () => 10),
    Array.from({ length: 100 }, (_, index) => index),
    [10 * frameBytes, 10 * frameBytes],
  ].map((lengths) => lengths.map((length, index) => bytesOf(length, `${length} ${index}`)));
  cases.forEach((parts, index) =>
    answering(answerer, `whole.${index}`, () => Promise.resolve(parts))
  );
  await answerer.connection.flush();
  const found = await Promise.all(
    cases.map((_, index) => requestFrames(asker, { ...question, subject: `whole.${index}` })),
  );
  for (const [index, parts] of cases.entries()) {
    t.ok(
      found[index]!.length === parts.length &&
        parts.every((part, at) => Buffer.from(part).equals(found[index]![at]!)),
      `${parts.length} parts`,
    );
  }
});

t.test("each part is taken when it has come, until one cannot be", async (t) => {
  const [asker, answerer] = [await linkOf(t), await linkOf(t)];
  const parts = [3, 2 * frameBytes, 0, 20].map((length) => bytesOf(length, String(length)));
  answering(answerer, "parts", () => Promise.resolve(parts));
  let made = 0;
  const endless = answering(answerer, "no.end", () =>
    Promise.resolve((function* () {
      for (;; made++) yield new Uint8Array(10);
    })()));
  await answerer.connection.flush();
  const taken: Uint8Array[] = [];
  const take = (part: Uint8Array) => void taken.push(part);
  t.strictSame(await requestFrames(asker, { ...question, subject: "parts", take }), []);
  t.strictSame(taken.map((part) => Buffer.from(part)), parts.map((part) => Buffer.from(part)));
  let count = 0;
  const takeSome = () => {
    if (++count === 20) throw new Error("it is no batch");
  };
  await t.rejects(requestFrames(asker, { ...question, subject: "no.end", take: takeSome }), {
    message: "it is no batch",
  });
  await endless[0];
  t.equal(count, 20);
  t.ok(made < 100, "the work ends, too");
});

t.test("what goes wrong is told to who asked, whatever it is", async (t) => {
  const [asker, answerer] = [await linkOf(t), await linkOf(t)];
  const failures = {
    "fails.plain": new Error("no\r\ndisk"),
    "fails.refused": new AnswerRefused("Moved", "elsewhere"),
    // What an answer needs may itself have to be asked for.
    "fails.timeout": new errors.TimeoutError(),
    "fails.request": new errors.NoRespondersError("somebody"),
  };
  for (const [subject, error] of Object.entries(failures)) {
    answering(answerer, subject, () => Promise.reject(error));
  }
  answering(answerer, "fails.late", () =>
    Promise.resolve((function* () {
      yield new Uint8Array(20 * frameBytes);
      throw new Error("late");
    })()));
  await answerer.connection.flush();
  const ask = (subject: string, more = {}) =>
    requestFrames(asker, { ...question, subject, ...more }).then(
      () => "answered",
      (error: unknown) =>
        error instanceof AnswerRefused ? `${error.reason}: ${error.message}` : String(error),
    );
  t.equal(await ask("fails.plain"), "Failed: no disk");
  t.equal(await ask("fails.refused"), "Moved: elsewhere");
  t.match(await ask("fails.timeout"), /^Failed: /);
  t.match(await ask("fails.request"), /^Failed: /);
  t.equal(await ask("fails.late"), "Failed: late");
  t.match(await ask("nobody.there"), /NoResponders/);
  t.match(await ask("fails.late", { bytesMax: frameBytes }), /^TooLarge: /);
});

t.test("an answer ends when its request is given up", async (t) => {
  const [asker, answerer] = [await linkOf(t), await linkOf(t)];
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  let made = 0;
  const stop = new AbortController();
  const answers = answering(answerer, "endless", () => {
    begin();
    return Promise.resolve((function* () {
      for (;; made++) {
        if (made === 100) stop.abort("enough");
        yield new Uint8Array(10);
      }
    })());
  });
  await answerer.connection.flush();
  const asked = requestFrames(asker, { ...question, subject: "endless", signal: stop.signal });
  await begun;
  t.equal(await asked.catch((reason: unknown) => reason), "enough");
  await answers[0];
  t.ok(made < 200, `${made} parts were made`);
});

t.test("work for an answer is told when its request is given up, and that of others is not", async (t) => {
  const [asker, answerer] = [await linkOf(t), await linkOf(t)];
  const works: { readonly signal: AbortSignal; readonly finish: () => void }[] = [];
  const { promise: bothBegun, resolve } = Promise.withResolvers<void>();
  const answers = answering(answerer, "work", (signal) => {
    const { promise, resolve: finish, reject } = Promise.withResolvers<Uint8Array[]>();
    signal.addEventListener("abort", () => reject(signal.reason));
    works.push({ signal, finish: () => finish([new Uint8Array(1)]) });
    if (works.length === 2) resolve();
    return promise;
  });
  await answerer.connection.flush();
  const stop = new AbortController();
  const given = requestFrames(asker, { ...question, subject: "work", signal: stop.signal });
  await asker.connection.flush();
  const other = requestFrames(asker, { ...question, subject: "work" });
  await bothBegun;
  stop.abort("enough");
  t.equal(await given.catch((reason: unknown) => reason), "enough");
  await answers[0];
  t.same(works.map(({ signal }) => signal.aborted), [true, false]);
  works[1]!.finish();
  t.equal((await other).length, 1);
});
