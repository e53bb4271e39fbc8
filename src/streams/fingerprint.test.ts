/** Fingerprints: pinned values (computed with another implementation), because they are part of the
 *  formats. */
import t from "tap";
import { streamFingerprint } from "./fingerprint.ts";

t.test("streamFingerprint is pinned, and tells tenants and labels apart", async (t) => {
  const f = (tenant: string, labels: string, want: string) =>
    t.equal(streamFingerprint(tenant, labels).toString(16), want, `${tenant} ${labels}`);
  f("fake", "{}", "317b7f6828a990b2");
  f("fake", '{app="api", host="é"}', "487a8a5a763b0dc0");
  f("other", '{app="api", host="é"}', "1416837980c86a94");
  f("fak", "e{}", "4db68a99f12e998a");
});
