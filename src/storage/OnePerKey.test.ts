/** Work of one key does not overlap, fails alone, and other keys do not wait for it. */
import t from "tap";
import { OnePerKey } from "./OnePerKey.ts";

t.test("one piece of a key runs at a time, also after one that failed", async (t) => {
  const work = new OnePerKey();
  const events: string[] = [];
  const ends: (() => void)[] = [];
  const piece = (name: string) => async () => {
    events.push(`${name} begins`);
    await new Promise<void>((resolve) => ends.push(resolve));
    events.push(`${name} ends`);
    if (name === "first") throw new Error("no");
  };
  const first = work.run("a", piece("first"));
  const second = work.run("a", piece("second"));
  const third = work.run("a", piece("third"));
  const other = work.run("b", piece("other"));
  t.same(events, ["first begins", "other begins"]);
  ends[1]!();
  await other;
  ends[0]!();
  await t.rejects(first, { message: "no" });
  for (let end = 2; end < 4; end++) {
    while (ends.length <= end) await new Promise((resolve) => setImmediate(resolve));
    t.equal(ends.length, end + 1);
    ends[end]!();
  }
  await Promise.all([second, third]);
  const wanted = ["first", "second", "third"].flatMap((name) => [`${name} begins`, `${name} ends`]);
  t.same(events.filter((event) => !event.startsWith("other")), wanted);
});
