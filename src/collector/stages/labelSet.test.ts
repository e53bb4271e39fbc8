/** What label sets remember of one another is bounded over all of them, and only costs time. */
import t from "tap";
import { LabelSet } from "./labelSet.ts";

t.test("the way to a set is remembered, for a bounded number of sets", (t) => {
  const base = LabelSet.of({ app: "a" });
  const first = base.with("id", "0");
  t.equal(base.with("id", "0"), first);
  // Each of 400 sets leads to 400 others: few for one set, very many for all.
  for (let outer = 0; outer < 400; outer++) {
    const set = base.with("id", String(outer));
    for (let inner = 0; inner < 400; inner++) set.with("user", String(inner));
  }
  t.not(base.with("id", "0"), first, "it has been forgotten");
  t.equal(base.with("id", "0").text, first.text, "and is made anew");
  t.end();
});
