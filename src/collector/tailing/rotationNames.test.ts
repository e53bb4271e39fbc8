/** Which names rotation makes of a log's, and which belong to other logs. */
import t from "tap";
import { compressionOf, logNameOf, mayBecome, RelatedFiles } from "./rotationNames.ts";

t.test("the log's name is found behind what rotation adds", (t) => {
  const f = (name: string, log: string) => t.equal(logNameOf(name), log, name);
  f("app.log", "app.log");
  f("app.log.1", "app.log");
  f("app.log.12.gz", "app.log");
  f("app.log-20260101", "app.log");
  f("app.log-20260101.gz", "app.log");
  f("app.log-20260101-1", "app.log");
  f("app.log.2026-01-01T10:00:00Z", "app.log");
  f("app.log.old", "app.log");
  f("app-2026-01-01.log", "app.log");
  f("app-20260101.log.gz", "app.log");
  f("app.2026-01-01.3.log", "app.log");
  f("app.1.log", "app.log");
  f("syslog.1", "syslog");
  f("0.log", "0.log");
  f("0.log.20260101-120000", "0.log");
  f("0.log.20260101-120000.gz", "0.log");
  t.end();
});

t.test("other logs keep their names", (t) => {
  const names = ["app-debug.log", "app-1.log", "app2.log", "syslog-ng.log", "1.log", "app.log.tmp"];
  for (const name of names) t.equal(logNameOf(name), name);
  t.end();
});

t.test("compression is told by the ending", (t) => {
  t.equal(compressionOf("a.log.gz"), "gz");
  t.equal(compressionOf("a.log.z"), "z");
  t.equal(compressionOf("a.log"), undefined);
  t.end();
});

t.test("related files are found by path, by beginning and by log", (t) => {
  const files = new RelatedFiles<{ path: string; log: string }>();
  const app = { path: "/l/app.log", log: "/l/app.log" };
  const rotated = { path: "/l/app.log.2", log: "/l/app.log.1" };
  const other = { path: "/l/other.log", log: "/l/other.log" };
  for (const item of [app, rotated, other]) files.add(item);
  const f = (path: string, items: object[]) => t.strictSame([...files.of(path)], items, path);
  f("/l/app.log", [app, rotated]);
  f("/l/app.log.2", [app, rotated]);
  f("/l/app.log.3.gz", [app, rotated]);
  f("/l/app.log.saved-by-hand", [app, rotated]);
  f("/l/app-20260101.log", [app, rotated]);
  f("/m/app.log.1", []);
  files.remove(app);
  f("/l/app.log.3.gz", [rotated]);
  t.equal(mayBecome(app, "/l/app.log"), false, "its own path is no rotation");
  t.equal(mayBecome(app, "/l/app.log.1"), true);
  t.equal(mayBecome(rotated, "/l/app.log.3"), true);
  t.equal(mayBecome(rotated, "/l/app.log"), false, "nothing is rotated back");
  t.equal(mayBecome(other, "/l/app.log.3"), false);
  t.end();
});
