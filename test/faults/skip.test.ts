/** A partition that has stopped at a record that nobody has any more, or that is damaged everywhere, and `tailrace cluster skip`,
 *  by which it goes on: every line but those of the record is found once, before and after a flush and a restart. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import t from "tap";
import { logStream } from "../../src/cluster/streams.ts";
import { NatsServers } from "../../src/testing/natsServer.ts";
import { PushClient } from "../../src/testing/pushClient.ts";
import { QueryClient } from "../../src/testing/queryClient.ts";
import { runtimes, ServerProcess } from "../../src/testing/serverProcess.ts";

const launcher = fileURLToPath(new URL("../../bin/tailrace.mjs", import.meta.url));
const now = BigInt(Math.floor(Date.now() / 1000)) * 1_000_000_000n;
/** NATS and the log are the same on each runtime. */
const runtime = runtimes[0]!;

t.test("a partition that has lost a record", async (t) => {
  const servers = await NatsServers.start({ nodes: 1 });
  t.teardown(() => servers.remove());
  const nc = await connect({ servers: servers.urls });
  t.teardown(() => nc.close());
  const manager = await jetstreamManager(nc);
  // As Tailrace makes it, but that a message may be deleted.
  const config = { ...logStream(0, 64e6), deny_delete: false, allow_direct: true };
  await manager.streams.add(config);
  const nats = { "nats.url": servers.urls, "nats.replicas": "1" };
  const server = await ServerProcess.start({
    runtime,
    settings: {
      ...nats,
      "storage.engine": "nats",
      "ingester.partitions": "1",
      "ingester.max_segment_age": "1h",
      "querier.workers": "1",
    },
  });
  t.teardown(() => server.remove());
  const push = async (line: number) => {
    const client = new PushClient(server.baseUrl);
    const entries = [{ timestamp: now + BigInt(line), line: `line ${line}` }];
    await client.push([{ labels: '{app="shop"}', entries }]);
    client.close();
  };
  const found = async () => {
    const query = new QueryClient(server.baseUrl);
    const range = { start: now - 1n, end: now + 1_000_000_000n };
    const entries = await query.all({ query: '{app="shop"}', ...range }).finally(() =>
      query.close()
    );
    return entries.map(({ line }) => Number(line.slice("line ".length))).sort((a, b) => a - b);
  };
  const soon = async () => {
    for (;;) {
      const lines = await found().catch(() => undefined);
      if (lines !== undefined) return lines;
      await sleep(100);
    }
  };
  const said = async (text: RegExp) => {
    while (!text.test(server.output)) await sleep(50);
    t.match(server.output, text);
  };
  const skip = (...flags: string[]) =>
    command(["cluster", "skip", "--partition=0", ...flags], nats);

  for (const line of [1, 2, 3, 4]) await push(line);
  await server.kill();
  await manager.streams.deleteMessage("LOGS_0", 2);
  server.launch();
  await said(/offset 2 is missing in stream LOGS_0.*`tailrace cluster skip --partition=0` says/);
  const asked = found().catch(() => "refused");
  const before = await manager.streams.info("LOGS_0");
  const told = await skip();
  t.match(told, { code: 1, stdout: /offset 2 of LOGS_0 cannot be read on any replica \(n1\)/ });
  t.match(told.stdout, /Lost: 1 record .* stored after 20\d\d-.* and before 20\d\d-/);
  t.match(told.stderr, /nothing was changed.* tailrace cluster skip --partition=0 --yes/);
  t.same((await manager.streams.info("LOGS_0")).config, before.config, "which is true");
  t.match(await skip("--yes"), { code: 0, stdout: /They are skipped now/, stderr: "" });
  t.same(await soon(), [1, 3, 4]);
  t.match(JSON.stringify(await asked), /^("refused"|\[1,3,4\])$/, "no answer that came too early");
  await push(5);
  t.same(await soon(), [1, 3, 4, 5]);

  // Damaged, while the owner has what was before it in memory alone.
  await push(6);
  t.same(await soon(), [1, 3, 4, 5, 6]);
  await manager.jetstream().publish("logs.fake.0", "nonsense", { msgID: "nonsense" });
  await push(7);
  await said(/record at offset 7 is damaged.*`tailrace cluster skip --partition=0` says/);
  t.match(await skip("--yes"), { code: 0, stdout: /offset 7 of LOGS_0 cannot be read/ });
  t.same(await soon(), [1, 3, 4, 5, 6, 7]);
  await push(8);
  const query = new QueryClient(server.baseUrl);
  t.teardown(() => query.close());
  await query.flush();
  t.same(await soon(), [1, 3, 4, 5, 6, 7, 8], "flushed");
  // The owner has read what the log loses then.
  await push(9);
  t.same(await soon(), [1, 3, 4, 5, 6, 7, 8, 9]);
  await manager.streams.deleteMessage("LOGS_0", 10);
  t.match(await skip(), { code: 1, stdout: /offset 10 of LOGS_0 [^]*may still have them/ });
  t.match(await skip("--yes"), { code: 0, stdout: /There is nothing to skip/ });
  await server.kill();
  await server.launchAndWait();
  t.same(await soon(), [1, 3, 4, 5, 6, 7, 8, 9], "restarted");

  // It fails until the partition has an owner again, and not for what was skipped.
  let status = await command(["cluster", "status", "--json"], nats);
  while (status.code !== 0) status = await command(["cluster", "status", "--json"], nats);
  t.match(JSON.parse(status.stdout).partitions[0].skipped, [
    { from: 2, to: 3 },
    { from: 7, to: 8 },
  ]);
  const page = await query.get("/tailrace/api/v1/cluster");
  t.match(JSON.parse(page.body).partitions[0].skipped, [{ from: 2, to: 3 }, { from: 7, to: 8 }]);
});

function command(words: ReadonlyArray<string>, settings: Readonly<Record<string, string>>) {
  const flags = Object.entries(settings).map(([path, value]) => `--set=${path}=${value}`);
  const env = { ...process.env, NO_COLOR: "1", TAILRACE_RUNTIME: runtime };
  // tap adds its hooks to the options of every Node that it sees being started.
  const parameters = ["-u", "NODE_OPTIONS", process.execPath, launcher, ...words, ...flags];
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    execFile(
      "env",
      parameters,
      { env },
      (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
