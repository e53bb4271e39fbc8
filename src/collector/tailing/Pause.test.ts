/** Pauses end by themselves, or when they are told to, but never too soon. The times are far apart, so that a busy
 *  machine changes nothing. */
import t from "tap";
import { Pause } from "./Pause.ts";

const never = 3_600_000;

/** What a pause does within 50 ms. */
async function soon(waiting: Promise<void>): Promise<string> {
  const later = new Promise<string>((resolve) => setTimeout(() => resolve("lasts"), 50));
  return await Promise.race([waiting.then(() => "over"), later]);
}

t.test("a pause is over after its longest time", async () => {
  await new Pause(1, 20).wait();
});

t.test("a pause that runs is ended", async (t) => {
  const pause = new Pause(1, never);
  const waiting = pause.wait();
  t.equal(await soon(waiting), "lasts");
  pause.end();
  await waiting;
});

t.test("what happens before a pause or at its beginning ends it after its shortest time", async (t) => {
  const pause = new Pause(500, never);
  pause.end();
  const waiting = pause.wait();
  pause.end();
  t.equal(await soon(waiting), "lasts");
  await waiting;
});

t.test("one end ends one pause", async (t) => {
  const pause = new Pause(1, 300);
  pause.end();
  await pause.wait();
  t.equal(await soon(pause.wait()), "lasts");
});
