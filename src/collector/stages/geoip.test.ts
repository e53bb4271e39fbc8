/** The stage geoip, which is known and refused. */
import t from "tap";
import { pipelineProblems } from "../../testing/collectorPipelines.ts";

t.test("geoip is refused with a reason", (t) => {
  t.match(pipelineProblems("- geoip: {db: x, source: ip}"), /geoip: geoip is not supported/);
  t.end();
});
