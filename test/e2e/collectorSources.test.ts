/** The journal, pushes, standard input and files of targets into the collector, and out of the real server. The journal is that
 *  of a stand-in for journalctl (src/testing/journalctl.mjs), which behaves as the real one was seen to. */
import { appendFileSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { Test } from "tap";
import { CollectorProcess } from "../../src/testing/collectorProcess.ts";
import { onServer, type Scenario } from "../../src/testing/onServer.ts";
import { PushClient } from "../../src/testing/pushClient.ts";
import { freePort } from "../../src/testing/serverProcess.ts";

type Format = (labels: Readonly<Record<string, string>>, line: string, ns: bigint) => string;

/** Waits for so many lines of a selector, a little longer for more, and returns them as text, sorted. */
function arrivals(
  { query, now }: Scenario,
  collector: CollectorProcess,
  selector: string,
  format: Format,
) {
  const hour = 3_600_000_000_000n;
  const found = async () =>
    (await query.all({ query: selector, start: now - hour, end: now + hour }))
      .map(({ labels, line, timestamp }) => format(labels, line, timestamp)).sort();
  return async (count: number): Promise<ReadonlyArray<string>> => {
    while ((await found()).length < count) {
      if (!collector.isRunning) throw new Error(`The collector has ended:\n${collector.output}`);
      await sleep(50);
    }
    await sleep(300);
    return await found();
  };
}

/** A directory with a program journalctl in it, and the journal that it reads. */
function journal(directory: string) {
  mkdirSync(join(directory, "bin"));
  const program = fileURLToPath(new URL("../../src/testing/journalctl.mjs", import.meta.url));
  // Without an ending the program is a module only if a package says so.
  writeFileSync(join(directory, "bin", "package.json"), '{"type":"module"}');
  copyFileSync(program, join(directory, "bin", "journalctl"));
  const file = join(directory, "journal");
  writeFileSync(file, "");
  const base = (Date.now() - 60_000) * 1000;
  let count = 0;
  return {
    environment: { PATH: `${join(directory, "bin")}:${process.env["PATH"]}`, JOURNAL_FILE: file },
    /** Adds an entry so many microseconds after the first; returns its time in ns. */
    add(fields: Readonly<Record<string, unknown>>, afterUs = count): bigint {
      count++;
      const time = base + afterUs;
      appendFileSync(
        file,
        `${
          JSON.stringify({
            __CURSOR: `s=ad7e;i=${count.toString(16)};t=${time}`,
            __REALTIME_TIMESTAMP: String(time),
            _BOOT_ID: "0123",
            ...fields,
          })
        }\n`,
      );
      return BigInt(time) * 1000n;
    },
    end: () => appendFileSync(file, "END\n"),
    /** Throws all away but what comes from now on. */
    vacuum: () => writeFileSync(file, ""),
    calls: () =>
      readFileSync(`${file}.calls`, "utf8").trim().split("\n").map((line) => JSON.parse(line)),
  };
}

const journalScenario = async (t: Test, scenario: Scenario) => {
  const { server, app } = scenario;
  const job = (name: string, journal: Record<string, unknown>) => ({
    job_name: name,
    journal: { labels: { app, job: name }, max_age: "2h", ...journal },
    relabel_configs: [
      { source_labels: ["__journal__systemd_unit"], target_label: "unit" },
      { source_labels: ["__journal_priority_keyword"], target_label: "level" },
    ],
  });
  const options = {
    runtime: server.runtime,
    config: () => ({
      clients: [{ url: `${server.baseUrl}/loki/api/v1/push`, batchwait: "100ms" }],
      scrape_configs: [
        job("plain", {}),
        job("json", { json: true, matches: "_SYSTEMD_UNIT=b.service PRIORITY=6" }),
      ],
    }),
  };
  const collector = await CollectorProcess.create({ ...options, environment: {} });
  t.teardown(() => collector.remove());
  const log = journal(collector.directory);
  collector.environment = log.environment;
  const first = log.add({ MESSAGE: "one", PRIORITY: "3", _SYSTEMD_UNIT: "a.service" });
  log.add({ MESSAGE: [98, 105, 110, 27, 33], _SYSTEMD_UNIT: ["x", "b.service"] });
  log.add({ MESSAGE: "two\nlines", PRIORITY: "6", _SYSTEMD_UNIT: "b.service" });
  log.add({ NO_MESSAGE: "x" });
  log.add({ MESSAGE: "too old" }, -8_000_000_000);
  await collector.launchAndWait();
  const arrived = arrivals(
    scenario,
    collector,
    `{app="${app}"}`,
    (labels, line, ns) =>
      `${labels["job"]} ${labels["unit"] ?? "-"} ${labels["level"] ?? "-"} ${ns - first} ${line}`,
  );
  const expected = [
    'json b.service info 2000 {"MESSAGE":"two\\nlines","PRIORITY":"6","_BOOT_ID":"0123",' +
    '"_SYSTEMD_UNIT":"b.service"}',
    "plain a.service error 0 one",
    "plain b.service - 1000 bin\u001b!",
    "plain b.service info 2000 two\nlines",
  ];
  t.strictSame(await arrived(4), expected);
  t.match(await collector.page("/targets"), /journal: of this machine.*3 entries/s);
  t.equal(await collector.metric("promtail_journal_target_lines_total"), 4);
  t.equal(
    await collector.metric('promtail_journal_target_parsing_errors_total{error="no_message"}'),
    1,
  );

  // journalctl ends, the collector is stopped and killed: nothing is read twice or left out.
  log.add({ MESSAGE: "three" }, 10);
  expected.push("plain - - 10000 three");
  await arrived(5);
  await collector.stop();
  log.add({ MESSAGE: "four" }, 11);
  await collector.launchAndWait();
  expected.push("plain - - 11000 four");
  t.strictSame(await arrived(6), [...expected].sort());
  await collector.kill();
  log.add({ MESSAGE: "five" }, 12);
  await collector.launchAndWait();
  expected.push("plain - - 12000 five");
  t.strictSame(await arrived(7), [...expected].sort());
  await collector.stop();
  log.vacuum();
  log.add({ MESSAGE: "six" }, 13);
  log.add({ MESSAGE: "six" }, 13);
  await collector.launchAndWait();
  expected.push("plain - - 13000 six", "plain - - 13001 six");
  t.strictSame(await arrived(9), [...expected].sort(), "the cursor's entry is gone");
  const [since, cursor] = [log.calls()[0], log.calls().at(-2)] as [string[], string[]];
  t.ok(since.some((argument) => argument.startsWith("--since=@")));
  t.ok(cursor.some((argument) => argument.startsWith("--cursor=s=")));
};

const journalAsDocumented = async (t: Test, scenario: Scenario) => {
  const { server, app } = scenario;
  const collector = await CollectorProcess.create({
    runtime: server.runtime,
    // Only addresses are others.
    config: () => example("journal", server.baseUrl),
  });
  t.teardown(() => collector.remove());
  const log = journal(collector.directory);
  collector.environment = log.environment;
  log.add({ MESSAGE: "hello", _SYSTEMD_UNIT: `${app}.service` });
  await collector.launchAndWait();
  const arrived = arrivals(
    scenario,
    collector,
    `{job="systemd-journal", unit="${app}.service"}`,
    (_, line) => line,
  );
  t.strictSame(await arrived(1), ["hello"]);
};

const pushes = async (t: Test, scenario: Scenario) => {
  const { server, app, now } = scenario;
  const [port, keeping] = [await freePort(), await freePort()];
  const job = (name: string, port: number, more: Record<string, unknown>) => ({
    job_name: name,
    loki_push_api: {
      server: {
        http_listen_address: "127.0.0.1",
        http_listen_port: port,
        grpc_server_max_recv_msg_size: 2000,
      },
      labels: { app, job: name },
      ...more,
    },
    relabel_configs: [
      { source_labels: ["__dropped"], regex: "yes", action: "drop" },
      { source_labels: ["from"], target_label: "via" },
    ],
    pipeline_stages: [{ multiline: { firstline: "^\\S" } }],
  });
  const collector = await CollectorProcess.start({
    runtime: server.runtime,
    config: () => ({
      clients: [{ url: `${server.baseUrl}/loki/api/v1/push`, batchwait: "100ms" }],
      scrape_configs: [
        job("push", port, {}),
        job("keep", keeping, { use_incoming_timestamp: true }),
      ],
    }),
  });
  t.teardown(() => collector.remove());
  const post = async (
    path: string,
    body: string | Uint8Array<ArrayBuffer>,
    headers: Record<string, string> = { "content-type": "application/json" },
    to = port,
  ) => {
    const reply = await fetch(`http://127.0.0.1:${to}${path}`, { method: "POST", body, headers });
    return `${reply.status} ${await reply.text()}`;
  };
  const path = "/loki/api/v1/push";
  const json = (stream: Record<string, string>, ...values: unknown[][]) =>
    JSON.stringify({ streams: [{ stream, values }] });
  t.equal(
    await post(
      path,
      json({ from: "a" }, [String(now), "one"], [String(now), " more", { id: "7" }]),
    ),
    "204 ",
  );
  const zipped = new Uint8Array(
    gzipSync(json({ from: "b" }, [String(now + 5n), "two", { id: "8" }])),
  );
  const gzip = { "content-type": "application/json", "content-encoding": "gzip" };
  t.equal(await post(path, zipped, gzip, keeping), "204 ");
  await new PushClient(`http://127.0.0.1:${keeping}`).push([{
    labels: '{from="c"}',
    entries: [{ timestamp: now + 6n, line: "three" }],
  }]);
  t.equal(await post("/promtail/api/v1/raw", "four\r\n\nfive", {}), "204 ");
  t.equal(
    await post(path, json({ from: "d", __dropped: "yes" }, [String(now), "dropped"])),
    "204 ",
  );
  const arrived = arrivals(scenario, collector, `{app="${app}"}`, (labels, line, ns) => {
    const time = labels["job"] === "keep" ? ns - now : "now";
    return `${labels["job"]} ${labels["via"] ?? "-"} ${labels["id"] ?? "-"} ${time} ${line}`;
  });
  t.strictSame(await arrived(5), [
    "keep b 8 5 two",
    "keep c - 6 three",
    "push - - now five",
    "push - - now four",
    "push a - now one\n more",
  ]);
  t.match(await collector.page("/targets"), /push: 127.0.0.1/);

  t.match(await post(path, "{"), /^400 the body is not JSON/);
  t.match(await post(path, "x", { "content-type": "application/x-protobuf" }), /^400 /);
  t.match(await post(path, '{"streams":[{"stream":{"a b":"c"},"values":[]}]}'), /^400 .*a b/s);
  t.match(await post(path, "x", { "content-type": "nonsense" }), /^400 cannot read Content-Type/);
  t.match(await post(path, "x".repeat(2001)), /^413 .*2000 bytes/);
  t.match(await post("/other", "x"), /^404/);

  // A push that is answered is not lost, whatever becomes of the collector then.
  const server2 = await post("/promtail/api/v1/raw", "durable", {});
  await collector.kill();
  t.equal(server2, "204 ");
  await collector.launchAndWait();
  t.equal((await arrived(6)).filter((line) => line.endsWith(" durable")).length, 1);
};

const pushAsDocumented = async (t: Test, scenario: Scenario) => {
  const { server, app } = scenario;
  const port = await freePort();
  const collector = await CollectorProcess.start({
    runtime: server.runtime,
    // Only addresses are others.
    config: () => example("push", server.baseUrl).replace("3500", String(port)),
  });
  t.teardown(() => collector.remove());
  await new PushClient(`http://127.0.0.1:${port}`).push([{
    labels: `{app="${app}"}`,
    entries: [{ timestamp: 1n, line: "hello" }],
  }]);
  const arrived = arrivals(
    scenario,
    collector,
    `{app="${app}", pushserver="push1"}`,
    (_, line) => line,
  );
  t.strictSame(await arrived(1), ["hello"], "now, whatever time it had");
};

const standardInput = async (t: Test, scenario: Scenario) => {
  const { server, app, query, now } = scenario;
  const collector = await CollectorProcess.create({
    runtime: server.runtime,
    config: () => ({
      scrape_configs: [
        {
          job_name: "in",
          static_configs: [{ labels: { app } }],
          pipeline_stages: [{ multiline: { firstline: "^\\S" } }],
        },
        { job_name: "other", syslog: { listen_address: "127.0.0.1:1" } },
      ],
    }),
    flags: () => ["--stdin", `--client.url=${server.baseUrl}`],
    input: "one\n more\r\ntwo\n\nthree",
  });
  t.teardown(() => collector.remove());
  collector.launch();
  t.equal(await collector.ended, 0, "it ends with its input, once all is delivered");
  const range = { query: `{app="${app}"}`, start: now, end: now * 2n };
  t.strictSame(
    (await query.range(range)).map(({ line }) => line).sort(),
    [
      "one\n more",
      "three",
      "two\n",
    ].sort(),
  );
};

const filesOfTargets = async (t: Test, scenario: Scenario) => {
  const { server, app } = scenario;
  const collector = await CollectorProcess.create({
    runtime: server.runtime,
    config: (logs) => ({
      clients: [{ url: `${server.baseUrl}/loki/api/v1/push`, batchwait: "100ms" }],
      target_config: { sync_period: "1s" },
      scrape_configs: [{
        job_name: "files",
        file_sd_configs: [{ files: [`${logs}/targets/*.json`] }],
      }, {
        job_name: "wide",
        encoding: "utf-16be",
        static_configs: [{ labels: { app, name: "wide", __path__: `${logs}/wide` } }],
      }],
    }),
  });
  t.teardown(() => collector.remove());
  mkdirSync(join(collector.logs, "targets"));
  const target = (name: string) => {
    writeFileSync(join(collector.logs, `${name}.log`), `of ${name}\n`);
    writeFileSync(
      join(collector.logs, "targets", `${name}.json`),
      JSON.stringify([{ labels: { app, name, __path__: join(collector.logs, `${name}.log`) } }]),
    );
  };
  target("a");
  await collector.launchAndWait();
  const arrived = arrivals(
    scenario,
    collector,
    `{app="${app}"}`,
    (labels, line) => `${labels["name"]} ${line}`,
  );
  t.strictSame(await arrived(1), ["a of a"]);
  target("b");
  t.strictSame(await arrived(2), ["a of a", "b of b"], "a new file is noticed");
  const wide = Buffer.from("\ufeffgrüße\r\n\u0a0a Ċ\n", "utf16le").swap16();
  // Cut within a character.
  writeFileSync(join(collector.logs, "wide"), wide.subarray(0, 17));
  await sleep(400);
  appendFileSync(join(collector.logs, "wide"), wide.subarray(17));
  t.strictSame((await arrived(4)).slice(2), ["wide grüße", "wide \u0a0a Ċ"].sort(), "UTF-16");
};

onServer({}, {
  "the journal": journalScenario,
  "the journal with the configuration of Promtail's reference": journalAsDocumented,
  "pushes": pushes,
  "pushes with the configuration of Promtail's reference": pushAsDocumented,
  "standard input": standardInput,
  "files of targets, and of UTF-16": filesOfTargets,
});

/** An example configuration, sending to the server under test. */
function example(name: string, url: string): string {
  return readFileSync(new URL(`../promtail/${name}.yaml`, import.meta.url), "utf8")
    .replace(/http:\/\/[^/]+(?=\/loki\/api\/v1\/push)/, url);
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
