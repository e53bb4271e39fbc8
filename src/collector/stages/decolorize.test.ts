/** The stage decolorize. After Promtail's documentation. */
import t from "tap";
import { runPipeline } from "../../testing/collectorPipelines.ts";

t.test("decolorize", (t) => {
  const f = (line: string, expected: string) =>
    t.equal(runPipeline("- decolorize:", [line])[0]!.line, expected, JSON.stringify(line));
  f(
    "[2022-11-04 22:17:57.811] \x1b[0;32mhttp\x1b[0m: GET /_health (0 ms) 204",
    "[2022-11-04 22:17:57.811] http: GET /_health (0 ms) 204",
  );
  f("no colour", "no colour");
  f("\x1b[1mü\x1b[22m\x1b[38;5;196mred\x1b[K", "üred");
  f("\x9b31mred", "red");
  f("\x1b not a sequence", "\x1b not a sequence");
  f("é©", "é©");
  t.end();
});
