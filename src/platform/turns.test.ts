/** Work in turns gives what it gives at once, fails as it fails, and others have their turns. */
import { Effect } from "effect";
import t from "tap";
import { atOnce, inTurns, runInTurns } from "./turns.ts";

function* counting(count: number, failsAt = Infinity): Generator<void, number> {
  for (let number = 0; number < count; number++) {
    if (number === failsAt) throw new Error(`at ${number}`);
    const endMs = performance.now() + 1;
    while (performance.now() < endMs);
    yield;
  }
  return count;
}

t.test("others have their turns while it runs", async (t) => {
  let turns = 0;
  let isRunning = true;
  const other = () => {
    turns++;
    if (isRunning) setImmediate(other);
  };
  setImmediate(other);
  t.equal(await Effect.runPromise(inTurns(() => counting(50), String)), 50);
  isRunning = false;
  t.ok(turns >= 5, `${turns} turns`);
});

t.test("so they have while it is a promise, which ends with its signal", async (t) => {
  const stop = new AbortController();
  t.equal(await runInTurns(counting(20), stop.signal), 20);
  await t.rejects(runInTurns(counting(20, 15), stop.signal), { message: "at 15" });
  setImmediate(() => stop.abort(new Error("given up")));
  await t.rejects(runInTurns(counting(1_000_000), stop.signal), { message: "given up" });
});

t.test("what it throws is a failure", async (t) => {
  const failure = await Effect.runPromise(Effect.flip(inTurns(() => counting(20, 15), String)));
  t.equal(failure, "Error: at 15");
});

t.test("at once it is the same", (t) => {
  t.equal(atOnce(counting(3)), 3);
  t.throws(() => atOnce(counting(3, 2)), { message: "at 2" });
  t.end();
});
