/** The account of answers that wait: what fits, who is ended, and that nothing stays in it. */
import t from "tap";
import { HeldAnswers } from "./heldAnswers.ts";

t.test("answers are refused beyond the limit, but one alone may be larger", (t) => {
  const answers = new HeldAnswers(100);
  answers.makeRoom(1000);
  const large = answers.hold(1000, () => t.fail("it reads"));
  t.throws(() => answers.makeRoom(1), {
    reason: "Busy",
    message: /answers of 1000 bytes wait.*the limit is 100.*max_held_response_bytes/,
  });
  large.release();
  large.release();
  t.equal(answers.bytes, 0);
  answers.makeRoom(60);
  const one = answers.hold(60, () => t.fail("it reads"));
  answers.makeRoom(40);
  t.throws(() => answers.makeRoom(41), { message: /too many outstanding/ });
  one.release();
  t.end();
});

t.test("a client that takes nothing is ended, and its answer is not held any more", async (t) => {
  const answers = new HeldAnswers(100, 20);
  const { promise, resolve } = Promise.withResolvers<void>();
  const held = answers.hold(60, resolve);
  await promise;
  t.equal(answers.bytes, 0);
  held.progressed();
  held.release();
  t.equal(answers.bytes, 0);
});
