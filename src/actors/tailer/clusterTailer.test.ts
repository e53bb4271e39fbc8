/** What JetStream tells of twice reaches tails once. Tails across a real cluster are tested in test/e2e/cluster.test.ts. */
import t from "tap";
import { RecentOffsets } from "./clusterTailer.ts";

t.test("an offset of a partition is new once", async (t) => {
  const recent = new RecentOffsets();
  for (const offset of [5, 6, 8, 7]) t.ok(recent.add(0, offset), `${offset}`);
  for (const offset of [5, 6, 7, 8]) t.notOk(recent.add(0, offset), `${offset} again`);
  t.ok(recent.add(1, 5), "another partition's");
  for (let offset = 9; offset < 9 + 256; offset++) recent.add(0, offset);
  t.ok(recent.add(0, 5), "long ago is forgotten");
});
