/** The limits of a tenant, and of a query over several. */
import t from "tap";
import { limitsFor } from "./limits.ts";
import { settingsWith } from "./load.ts";

t.test("of several tenants the strictest limit counts", (t) => {
  const settings = settingsWith({ "limits_config.max_query_length": "30d" });
  const overrides = {
    a: { max_query_series: 10, max_query_length: 0, required_labels: "app" },
    b: { max_query_series: 20, minimum_labels_number: 2, required_labels: "env" },
    c: { volume_enabled: false, max_query_bytes_read: 5 },
  };
  const of = (tenant: string) => limitsFor({ ...settings, overrides }, tenant);
  const days30 = 30 * 86_400_000;
  t.equal(of("a").max_query_series, 10);
  t.equal(of("nobody").max_query_length, days30);
  const all = of("a|b|c");
  t.equal(all.max_query_series, 10, "the smaller");
  t.equal(all.max_query_length, days30, "0 lifts a limit for its tenant alone");
  t.equal(all.max_query_bytes_read, 5);
  t.equal(all.minimum_labels_number, 2, "of this one the larger");
  t.equal(all.required_labels, "app,env", "both");
  t.equal(all.volume_enabled, false);
  t.equal(of("a|b").volume_enabled, true);
  t.end();
});
