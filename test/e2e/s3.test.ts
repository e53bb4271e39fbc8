/** A server whose segments are in a bucket of S3, alone and in a cluster on NATS: lines are found unflushed, flushed, after a
 *  restart and, from the bucket alone, with an index made again. Its sandbox lets it connect to the bucket's server only. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { TailraceCluster } from "../../src/testing/cluster.ts";
import { PushClient } from "../../src/testing/pushClient.ts";
import { QueryClient } from "../../src/testing/queryClient.ts";
import { s3Credentials, S3Server } from "../../src/testing/s3Server.ts";
import { runtimes, ServerProcess } from "../../src/testing/serverProcess.ts";

t.setTimeout(0);

const s3 = await S3Server.start();
t.teardown(() => s3.remove());
// As a pod gets them.
process.env["AWS_ACCESS_KEY_ID"] = s3Credentials.accessKeyId;
process.env["AWS_SECRET_ACCESS_KEY"] = s3Credentials.secretAccessKey;
const settingsFor = (bucket: string) => {
  s3.makeBucket(bucket);
  return {
    "storage.object_store": "s3",
    "storage.s3.endpoint": s3.endpoint,
    "storage.s3.bucket": bucket,
    "storage.s3.prefix": "logs/",
  };
};
const launcher = fileURLToPath(new URL("../../bin/tailrace.mjs", import.meta.url));
const now = BigInt(Math.floor(Date.now() / 1000)) * 1_000_000_000n;
const lines = Array.from({ length: 500 }, (_, index) => `line ${index}`);
const entries = lines.map((line, index) => ({ timestamp: now + BigInt(index), line }));
const range = {
  query: '{app="a"}',
  start: now - 1n,
  end: now + 1_000_000_000n,
  direction: "forward",
} as const;

async function findAll(t: Tap, baseUrl: string, when: string): Promise<void> {
  const found = await new QueryClient(baseUrl).all(range);
  t.same(found.map(({ line }) => line), lines, when);
}
type Tap = Pick<typeof t, "same">;

for (const runtime of runtimes) {
  t.test(`one server with S3: ${runtime}`, async (t) => {
    const bucket = `alone-${runtime}`;
    const settings = settingsFor(bucket);
    const server = await ServerProcess.start({ runtime, settings });
    t.teardown(() => server.remove());
    await new PushClient(server.baseUrl).push([{ labels: '{app="a"}', entries }]);
    await findAll(t, server.baseUrl, "unflushed");
    await new QueryClient(server.baseUrl).flush();
    await findAll(t, server.baseUrl, "flushed");
    const segments = join(s3.directory, "buckets", bucket, "logs", "segments");
    t.ok(existsSync(segments) && readdirSync(segments, { recursive: true }).length > 0);
    t.notOk(existsSync(join(server.dataDirectory, "objects")), "nothing in the data directory");
    await server.stop();
    for (const name of readdirSync(server.dataDirectory)) {
      if (name.startsWith("index.sqlite")) rmSync(join(server.dataDirectory, name));
    }
    const environment = Object.fromEntries(
      Object.entries(settings).map(([path, value]) => [
        `TAILRACE_${path.replaceAll(".", "_").toUpperCase()}`,
        value,
      ]),
    );
    const rebuilt = spawnSync(process.execPath, [launcher, "rebuild-index"], {
      encoding: "utf8",
      env: {
        ...process.env,
        ...environment,
        NODE_OPTIONS: "",
        TAILRACE_RUNTIME: runtime,
        TAILRACE_COMMON_PATH_PREFIX: server.dataDirectory,
      },
    });
    t.equal(rebuilt.status, 0, rebuilt.stderr);
    await server.launchAndWait();
    await findAll(t, server.baseUrl, "with an index made from the bucket");
    t.notMatch(
      await (await fetch(`${server.baseUrl}/config`)).text(),
      s3Credentials.secretAccessKey,
    );
  });
}

t.test("a cluster with S3", async (t) => {
  const cluster = await TailraceCluster.start({
    runtime: runtimes[0]!,
    counts: { ingester: 1, distributor: 1, querier: 1 },
    natsOptions: { nodes: 1 },
    settings: { ...settingsFor("cluster"), "querier.workers": "1" },
  });
  t.teardown(() => cluster.remove());
  const querier = cluster.of("querier")[0]!;
  await new PushClient(cluster.of("distributor")[0]!.baseUrl).push([
    { labels: '{app="a"}', entries },
  ]);
  await findAll(t, querier.baseUrl, "unflushed");
  await new QueryClient(querier.baseUrl).flush();
  await findAll(t, querier.baseUrl, "flushed");
  const segments = join(s3.directory, "buckets", "cluster", "logs", "segments");
  t.ok(readdirSync(segments, { recursive: true }).length > 0);
});
