/** Who waits is told once, and who does not wait any more is forgotten. */
import t from "tap";
import { Signal } from "./signal.ts";

t.test("all who wait are told, later ones the next time", async (t) => {
  const signal = new Signal();
  const told: string[] = [];
  const both = [signal.wait().then(() => told.push("a")), signal.wait().then(() => told.push("b"))];
  signal.notify();
  const later = signal.wait().then(() => told.push("c"));
  await Promise.all(both);
  t.strictSame(told, ["a", "b"]);
  signal.notify();
  await later;
  t.strictSame(told, ["a", "b", "c"]);
});

t.test("waiting ends when it is given up, and nothing is kept of it", async (t) => {
  const signal = new Signal();
  for (let count = 0; count < 10; count++) {
    const controller = new AbortController();
    const waiting = signal.wait(controller.signal);
    controller.abort();
    await waiting;
  }
  await signal.wait(AbortSignal.abort());
  t.equal(signal.waiting, 0);
  const controller = new AbortController();
  const waiting = signal.wait(controller.signal);
  t.equal(signal.waiting, 1);
  signal.notify();
  await waiting;
  controller.abort();
  t.equal(signal.waiting, 0);
});
