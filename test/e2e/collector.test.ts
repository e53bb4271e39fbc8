/** The collector with the real server: files are written and rotated in every way, and the server has each
 *  line once, with the labels of the configuration. test/faults/collectorTorture.ts owns crashes;
 *  src/collector's tests own the parts. */
import {
  appendFileSync,
  copyFileSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import t from "tap";
import { CollectorProcess } from "../../src/testing/collectorProcess.ts";
import { onServer, type Scenario, type ScenarioBody } from "../../src/testing/onServer.ts";

type CollectorBody = (
  t: Parameters<ScenarioBody>[0],
  scenario: Scenario & {
    readonly collector: CollectorProcess;
    /** Appends lines to a file of the collector's. */
    readonly append: (name: string, ...lines: string[]) => void;
    /** Waits until the server has this many lines, a little more to see whether it gets further ones, and
     *  returns them, sorted. */
    readonly arrived: (count: number) => Promise<string[]>;
  },
) => Promise<void>;

/** A scenario with a collector that tails *.log, which is not started. */
const collecting = (body: CollectorBody): ScenarioBody => async (t, scenario) => {
  const { server, app, query } = scenario;
  const collector = await CollectorProcess.create({
    runtime: server.runtime,
    config: (logs) => ({
      clients: [{ url: `${server.baseUrl}/loki/api/v1/push`, batchwait: "200ms" }],
      target_config: { sync_period: "1s" },
      scrape_configs: [{
        job_name: "files",
        static_configs: [{
          targets: ["localhost"],
          labels: { app, __path__: `${logs}/*.log`, __path_exclude__: `${logs}/not*.log` },
        }],
      }],
    }),
  });
  t.teardown(() => collector.remove());
  const lines = async () => {
    const entries = await query.all({
      query: `{app="${app}"}`,
      start: scenario.now,
      end: scenario.now + 3_600_000_000_000n,
    });
    return entries.map(({ line }) => line).sort();
  };
  const arrived = async (count: number) => {
    while ((await lines()).length < count) {
      if (!collector.isRunning) throw new Error(`The collector has ended:\n${collector.output}`);
      await sleep(50);
    }
    await sleep(600);
    return await lines();
  };
  const append = (name: string, ...added: string[]) =>
    appendFileSync(join(collector.logs, name), added.map((line) => `${line}\n`).join(""));
  await body(t, { ...scenario, collector, append, arrived });
};

onServer({}, {
  "lines arrive, with filename and the target's labels": collecting(
    async (t, { collector, append, arrived, app, query, now }) => {
      append("a.log", "one", "two");
      append("not-this.log", "excluded");
      append("other.txt", "no match");
      await collector.launchAndWait();
      t.strictSame(await arrived(2), ["one", "two"]);
      append("a.log", "three");
      append("b.log", "four");
      t.strictSame(await arrived(4), ["four", "one", "three", "two"]);
      const found = await query.range({
        query: `{app="${app}"} |= "four"`,
        start: now,
        end: now * 2n,
      });
      t.equal(found[0]?.labels["filename"], join(collector.logs, "b.log"));
      const targets = await collector.page("/targets");
      t.match(targets, join(collector.logs, "b.log"));
      t.equal(await collector.metric("promtail_files_active_total"), 2);
    },
  ),
  "a stopped collector goes on where it was": collecting(
    async (t, { collector, append, arrived }) => {
      append("a.log", "one");
      await collector.launchAndWait();
      await arrived(1);
      t.equal(await collector.stop(), 0, "SIGTERM ends it with code 0");
      append("a.log", "two");
      await collector.launchAndWait();
      t.strictSame(await arrived(2), ["one", "two"]);
    },
  ),
  "rotation by renaming loses nothing, running or not": collecting(
    async (t, { collector, append, arrived }) => {
      await collector.launchAndWait();
      append("a.log", "1", "2");
      await arrived(2);
      append("a.log", "3");
      renameSync(join(collector.logs, "a.log"), join(collector.logs, "a.log.1"));
      append("a.log.1", "4");
      append("a.log", "5");
      t.strictSame(await arrived(5), ["1", "2", "3", "4", "5"]);
      await collector.stop();
      append("a.log", "6");
      renameSync(join(collector.logs, "a.log"), join(collector.logs, "a.log.2"));
      append("a.log", "7");
      await collector.launchAndWait();
      t.strictSame(await arrived(7), ["1", "2", "3", "4", "5", "6", "7"]);
    },
  ),
  "rotation by copying and truncating loses nothing, running or not": collecting(
    async (t, { collector, append, arrived }) => {
      await collector.launchAndWait();
      append("a.log", "1", "2");
      await arrived(2);
      const rotate = (to: string) => {
        copyFileSync(join(collector.logs, "a.log"), join(collector.logs, to));
        truncateSync(join(collector.logs, "a.log"));
      };
      append("a.log", "3");
      rotate("a.log.1");
      append("a.log", "4", "5", "6", "7", "8");
      t.strictSame(await arrived(8), ["1", "2", "3", "4", "5", "6", "7", "8"]);
      await collector.stop();
      append("a.log", "9");
      rotate("a.log.2");
      append("a.log", "a", "b", "c", "d", "e", "f", "g", "h");
      await collector.launchAndWait();
      t.strictSame(await arrived(17), "123456789abcdefgh".split(""));
    },
  ),
  "what Promtail has read is not read again": collecting(
    async (t, { collector, append, arrived }) => {
      append("a.log", "old", "new");
      const yaml = `positions:\n  ${join(collector.logs, "a.log")}: "4"\n`;
      writeFileSync(join(collector.directory, "positions.yaml"), yaml);
      await collector.launchAndWait();
      t.strictSame(await arrived(1), ["new"]);
      await collector.stop();
      t.equal(readFileSync(join(collector.directory, "positions.yaml"), "utf8"), yaml, "untouched");
    },
  ),
});

t.test("a collector that cannot start says why", async (t) => {
  const collector = await CollectorProcess.create({
    runtime: "node",
    config: () => ({ clients: [], scrape_configs: [] }),
  });
  t.teardown(() => collector.remove());
  collector.launch();
  t.equal(await collector.ended, 2);
  t.match(collector.output, "has no clients");
});

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
