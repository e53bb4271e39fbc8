/** Files as nodes have them: behind links as the kubelet makes them, empty, binary, without an end of line, of one
 *  enormous line, and things that are no files at all. Nothing is lost, nothing comes twice, the collector lives. */
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import t from "tap";
import { gzipSync } from "node:zlib";
import { CollectorProcess } from "../../src/testing/collectorProcess.ts";
import { onServer, type Scenario } from "../../src/testing/onServer.ts";

t.setTimeout(0);

/** A collector of one glob below its directory of logs, which is not started. */
async function collectorOf({ server, app }: Scenario, glob: string): Promise<CollectorProcess> {
  return await CollectorProcess.create({
    runtime: server.runtime,
    config: (logs) => ({
      clients: [{ url: `${server.baseUrl}/loki/api/v1/push`, batchwait: "200ms" }],
      target_config: { sync_period: "1s" },
      scrape_configs: [{
        job_name: "files",
        static_configs: [{ targets: ["localhost"], labels: { app, __path__: `${logs}/${glob}` } }],
      }],
    }),
  });
}

/** Waits for as many entries, and a little for further ones. */
async function entriesOf(
  { query, app, now }: Scenario,
  collector: CollectorProcess,
  count: number,
) {
  const all = () =>
    query.all({ query: `{app="${app}"}`, start: now, end: now + 3_600_000_000_000n });
  while ((await all()).length < count) {
    if (!collector.isRunning) throw new Error(`The collector has ended:\n${collector.output}`);
    await sleep(100);
  }
  await sleep(1500);
  return await all();
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

onServer({ "limits_config.max_line_size": "2MB", "limits_config.ingestion_burst_size_mb": "100" }, {
  "links as the kubelet makes them, rotated while it runs and while it does not": async (
    t,
    given,
  ) => {
    const collector = await collectorOf(given, "containers/*.log");
    t.teardown(() => collector.remove());
    const pod = join(collector.logs, "pods", "shop_web-1_uid", "web");
    const containers = join(collector.logs, "containers");
    mkdirSync(pod, { recursive: true });
    mkdirSync(containers);
    const log = join(pod, "0.log");
    const link = join(containers, "web-1_shop_web-0123.log");
    let written = 0;
    const write = (count: number) => {
      for (let index = 0; index < count; index++) appendFileSync(log, `line ${written++}\n`);
    };
    let rotations = 0;
    const rotate = () => {
      const name = (number: number) => `${log}.20260101-12000${number}`;
      if (rotations > 0) {
        const older = name(rotations - 1);
        writeFileSync(`${older}.tmp`, gzipSync(readFileSync(older)));
        renameSync(`${older}.tmp`, `${older}.gz`);
        rmSync(older);
      }
      renameSync(log, name(rotations++));
      writeFileSync(log, "");
    };
    write(2);
    symlinkSync(log, link);
    await collector.launchAndWait();
    await entriesOf(given, collector, written);
    write(3);
    rotate();
    write(2);
    await entriesOf(given, collector, written);
    await collector.stop();
    write(2);
    rotate();
    write(3);
    rotate();
    write(1);
    await collector.launchAndWait();
    const entries = await entriesOf(given, collector, written);
    t.strictSame(
      entries.map(({ line }) => Number(line.slice(5))).sort((a, b) => a - b),
      Array.from({ length: written }, (_, index) => index),
    );
    t.strictSame([...new Set(entries.map(({ labels }) => labels["filename"]))], [link]);
  },

  "odd files": async (t, given) => {
    const collector = await collectorOf(given, "*.log");
    t.teardown(() => collector.remove());
    const path = (name: string) => join(collector.logs, name);
    mkdirSync(path("directory.log"));
    execFileSync("mkfifo", [path("pipe.log")]);
    symlinkSync(path("nowhere"), path("dangling.log"));
    symlinkSync(path("loop.log"), path("loop.log"));
    writeFileSync(path("empty.log"), "");
    writeFileSync(path("torn.log"), "whole\nto");
    writeFileSync(path("gone.log"), "");
    writeFileSync(path("binary.log"), Buffer.from("nul \0 byte\nnot \xff\xfe utf-8\n\n", "latin1"));
    await collector.launchAndWait();
    t.strictSame(
      (await entriesOf(given, collector, 4)).map(({ line }) => line).sort(),
      ["", "not \ufffd\ufffd utf-8", "nul \0 byte", "whole"],
    );
    rmSync(path("gone.log"));
    appendFileSync(path("empty.log"), "filled\r\n");
    appendFileSync(path("torn.log"), "rn\n");
    for (let index = 0; index < 50; index++) {
      writeFileSync(path(`brief-${index}.log`), "");
      rmSync(path(`brief-${index}.log`));
    }
    await entriesOf(given, collector, 6);
    const before = collector.usage().residentBytes;
    const part = Buffer.alloc(1 << 20, "x");
    for (let index = 0; index < 40; index++) appendFileSync(path("enormous.log"), part);
    appendFileSync(path("enormous.log"), "\nafter\n");
    const entries = await entriesOf(given, collector, 6 + 40 + 1);
    const lengths = entries.map(({ line }) => line.length).filter((length) => length > 1000);
    t.strictSame(lengths, Array.from({ length: 40 }, () => 1 << 20), "cut at 1 MiB, all of it");
    const short = entries.map(({ line }) => line).filter((line) => line.length < 1000);
    t.ok(["after", "filled", "torn", "whole"].every((line) => short.includes(line)));
    t.equal(short.length, 7);
    const { peakResidentBytes } = collector.usage();
    t.ok(
      peakResidentBytes < before + 300e6,
      `${peakResidentBytes} bytes at most, ${before} before`,
    );
    t.ok(collector.isRunning);
  },

  "positions that are damaged cost what was sent since they were saved before": async (
    t,
    given,
  ) => {
    const collector = await collectorOf(given, "*.log");
    t.teardown(() => collector.remove());
    const path = join(collector.logs, "a.log");
    writeFileSync(path, "one\n");
    await collector.launchAndWait();
    await entriesOf(given, collector, 1);
    await collector.stop();
    await collector.launchAndWait();
    appendFileSync(path, "two\n");
    await entriesOf(given, collector, 2);
    await sleep(1500);
    await collector.kill();
    writeFileSync(join(collector.directory, "positions.d", "positions.json"), "\0\0\0\0");
    appendFileSync(path, "three\n");
    await collector.launchAndWait();
    const lines = (await entriesOf(given, collector, 3)).map(({ line }) => line);
    t.strictSame([...new Set(lines)].sort(), ["one", "three", "two"]);
    t.equal(lines.filter((line) => line === "one").length, 1);
    t.match(collector.output, "those saved before are used");
  },
});
