/** When files are looked at: often while they grow, and also after the clock was set. */
import t from "tap";
import { scanPause, Schedule } from "./schedule.ts";

const startMs = 1_700_000_000_000;

t.test("items are due by how long they have been idle", (t) => {
  const schedule = new Schedule<string>(250);
  const plan = (item: string, idleMs: number) => schedule.plan(item, startMs, idleMs);
  schedule.due(startMs);
  plan("growing", 0);
  plan("slow", 20_000);
  plan("idle", 90_000);
  t.strictSame(schedule.due(startMs), []);
  t.strictSame(schedule.due(startMs + 250), ["growing"]);
  t.strictSame(schedule.due(startMs + 1000), ["slow"]);
  t.strictSame(schedule.due(startMs + 4750), []);
  t.strictSame(schedule.due(startMs + 5000), ["idle"]);
  t.end();
});

t.test("a woken item is due at the next pass, a removed one never", (t) => {
  const schedule = new Schedule<string>(250);
  schedule.due(startMs);
  schedule.plan("a", startMs, 90_000);
  schedule.plan("b", startMs, 0);
  schedule.wake("a");
  schedule.remove("b");
  t.strictSame(schedule.due(startMs + 1), ["a"]);
  t.strictSame(schedule.due(startMs + 10_000), []);
  t.end();
});

t.test("a clock that is set does not stop it", (t) => {
  const schedule = new Schedule<string>(250);
  schedule.due(startMs);
  schedule.plan("a", startMs, 0);
  t.strictSame(schedule.due(startMs - 3_600_000), ["a"], "back an hour");
  schedule.plan("a", startMs - 3_600_000, 0);
  t.strictSame(schedule.due(startMs - 3_600_000 + 250), ["a"]);
  schedule.plan("a", startMs, 0);
  t.strictSame(schedule.due(startMs + 86_400_000), ["a"], "ahead a day");
  t.end();
});

t.test("files are looked for soon after a change, and never for most of the time", (t) => {
  const f = (isWanted: boolean, syncMs: number, tookMs: number, pauseMs: number) =>
    t.equal(scanPause(isWanted, syncMs, tookMs), pauseMs, `${isWanted} ${syncMs} ${tookMs}`);
  f(false, 10_000, 20, 10_000);
  f(true, 10_000, 20, 1_000);
  f(true, 500, 20, 500);
  f(true, 10_000, 600, 2_400);
  f(false, 10_000, 600, 10_000);
  f(true, 1_000, 60_000, 10_000);
  f(false, 60_000, 60_000, 60_000);
  t.end();
});
