/** regexp: named captures, groups without a name, lines that do not match, bytes that are no UTF-8.
 */
import t from "tap";
import { runPipeline } from "../../testing/pipelines.ts";

t.test("regexp gives the named captures of the first match", (t) => {
  const check = (
    regex: string,
    line: string | Uint8Array,
    wanted: Record<string, string>,
    labels = {},
  ) =>
    t.strictSame(
      runPipeline(`| regexp ${JSON.stringify(regex)}`, [{ line, labels }])[0]!.parsed,
      wanted,
      `${regex}  ${line}`,
    );
  check("(?P<method>\\w+) (?P<path>\\S+)", "POST /api/é x", { method: "POST", path: "/api/é" });
  check("^(?P<a>\\d+)(?P<b>[a-z]*)$", "12", { a: "12", b: "" });
  check("(?P<a>x)|(?P<b>y)", "zy", { a: "", b: "y" });
  check("(\\w+)=(?P<v>\\w+)", "é k=v l=w", { v: "v" });
  check("(?P<a>\\d+)", "none", {});
  check("(?i)LEVEL=(?P<level>[a-z]+)", "Level=WARN", { level: "WARN" });
  check("(?P<rest>.*)", "a\nb", { rest: "a" });
  check("(?P<rest>(?s).*)", "a\nb", { rest: "a\nb" });
  check("(?P<app>\\w+)", "y", { app_extracted: "y" }, { app: "x" });
  check("b(?P<a>.)", Uint8Array.of(0xff, 0x62, 0x63), { a: "c" });
  t.end();
});

t.test("regexp with a row of another buffer, and many rows", (t) => {
  const rows = Array.from(
    { length: 50 },
    (_, index) => ({ line: `${"x".repeat(index)} id=${index}` }),
  );
  const found = runPipeline('| regexp "id=(?P<id>\\\\d+)"', rows);
  t.strictSame(found.map((row) => row!.parsed["id"]), rows.map((_, index) => String(index)));
  t.end();
});
