/** What is wrong with settings that are each right, or in the languages that some of them hold. */
import { Effect } from "effect";
import t from "tap";
import { checkSettings } from "./checkSettings.ts";
import { settingsWith } from "./platform/config/mod.ts";

async function problemsOf(changes: Readonly<Record<string, string>>): Promise<string> {
  const checked = checkSettings(settingsWith(changes)).pipe(
    Effect.as(""),
    Effect.catch(({ problems }) => Effect.succeed(problems.join("\n"))),
  );
  return await Effect.runPromise(checked);
}

t.test("defaults are right", async (t) => t.equal(await problemsOf({}), ""));

t.test("a segment must be cut before there is no room for more", async (t) => {
  t.match(
    await problemsOf({ "ingester.segment_target_bytes": "1GB" }),
    "ingester.max_unflushed_bytes: 256MB is not more than ingester.segment_target_bytes, 1GB",
  );
  const nats = { "storage.engine": "nats", "nats.log_max_bytes": "64MB" };
  t.match(await problemsOf(nats), /^nats.log_max_bytes: 64MB is not more than/);
  t.equal(await problemsOf({ "nats.log_max_bytes": "64MB" }), "", "which nobody uses");
  t.match(await problemsOf({ "ingester.wal.max_size": "1MB" }), /^ingester.wal.max_size: 1MB is/);
});

t.test("one process alone has the embedded data", async (t) => {
  t.match(await problemsOf({ "target": "querier" }), /needs storage.engine nats/);
});

t.test("selectors of retention are read", async (t) => {
  const rule = `[{selector: '{app=', priority: 1, period: 24h}]`;
  t.match(await problemsOf({ "limits_config.retention_stream": rule }), "retention_stream");
});
