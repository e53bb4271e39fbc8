/** pattern: captures between literals, anchoring, missing literals, collisions, projection. */
import t from "tap";
import { runPipeline } from "../../testing/pipelines.ts";

t.test("pattern captures what lies between literals", (t) => {
  const check = (pattern: string, line: string, wanted: Record<string, string>, labels = {}) =>
    t.strictSame(
      runPipeline(`| pattern ${JSON.stringify(pattern)}`, [{ line, labels }])[0]!.parsed,
      wanted,
      `${pattern}  ${line}`,
    );
  const access = '1.2.3.4 - bob [10/Oct/2024] "GET /a?b HTTP/1.1" 200 17';
  check('<ip> - <user> [<_>] "<method> <path> <_>" <status> <size>', access, {
    ip: "1.2.3.4",
    user: "bob",
    method: "GET",
    path: "/a?b",
    status: "200",
    size: "17",
  });
  check("<ip> <_>", access, { ip: "1.2.3.4" });
  check("level=<level> ", "level=info x", { level: "info" });
  check("level=<level> ", " level=info x", {});
  check("<a>,<b>,<c>", "1,2", { a: "1", b: "2" });
  check("<a>,<b>", "12", { a: "12" });
  check("<a>,<_>,<c>", "1,2", { a: "1" });
  check("<a> end", "x endless", { a: "x" });
  check("<a>,<b>", ",x", { a: "", b: "x" });
  check("<a>", "", {});
  check("x<a>", "x", { a: "" });
  check("<a>é<b>", "1é2", { a: "1", b: "2" });
  check("<app> <b>", "y z", { app_extracted: "y", b: "z" }, { app: "x" });
  t.end();
});

t.test("pattern under projection looks no further than it has to", (t) => {
  const needed = { labels: ["b"], line: false };
  const rows = [{ line: "1,2,3" }, { line: "1" }];
  const found = runPipeline('| pattern "<a>,<b>,<c>"', rows, needed);
  t.strictSame(found.map((row) => row!.parsed), [{ b: "2" }, {}]);
  t.end();
});
