/** Measures queries over lines that are not flushed yet, in a cluster: ten at once over all of them, as a dashboard asks, and
 *  questions about labels. What the querier's process holds at most, what all processes spend, and that every answer is right.
 *  `node bench/unflushed.ts [--scale=0.3]`. */
import { readCorpus } from "../src/testing/corpus.ts";
import { TailraceCluster } from "../src/testing/cluster.ts";
import { PushClient } from "../src/testing/pushClient.ts";
import { QueryClient } from "../src/testing/queryClient.ts";
import { runtimes, settingsWithoutLimits } from "../src/testing/serverProcess.ts";
import { cachedCorpus, scaleFrom } from "./corpus.ts";

const corpus = await cachedCorpus(scaleFrom(["--scale=0.3", ...process.argv.slice(2)].reverse()));
const cluster = await TailraceCluster.start({
  runtime: runtimes[0]!,
  counts: { distributor: 1, ingester: 2, querier: 1 },
  settings: {
    ...settingsWithoutLimits,
    "ingester.partitions": "4",
    "ingester.max_segment_age": "1h",
    "ingester.segment_target_bytes": "500MB",
    "ingester.max_unflushed_bytes": "1GB",
    "nats.log_max_bytes": "1GB",
  },
});
try {
  const push = new PushClient(cluster.of("distributor")[0]!.baseUrl);
  for await (const { body } of readCorpus(corpus.path)) {
    const reply = await push.send({
      path: "/loki/api/v1/push",
      headers: { "content-type": "application/x-protobuf" },
      bytes: body,
    });
    if (reply.status !== 204) throw new Error(`Push answered ${reply.status}: ${reply.body}`);
  }
  push.close();
  const [querier] = cluster.of("querier");
  const query = new QueryClient(querier!.baseUrl);
  const { startNs: start, endNs: end, lineBytes } = corpus.facts;
  const cpu = () =>
    [...cluster.roles.values()].flat().reduce((sum, each) => sum + each.usage().cpuSeconds, 0);
  console.log(
    `| ${
      (lineBytes / 1e6).toFixed(0)
    } MB unflushed | answers 200 / 429 / other | s | CPU s | peak MB of the querier | of the ingesters |`,
  );
  console.log("| --- | --- | --- | --- | --- | --- |");
  const peaks = (role: "querier" | "ingester") =>
    cluster.of(role).map((each) => (each.usage().peakResidentBytes / 1e6).toFixed(0)).join(", ");

  const measure = async (name: string, ask: () => Promise<ReadonlyArray<number>>) => {
    const [cpuBefore, before] = [cpu(), performance.now()];
    const statuses = await ask();
    const count = (isOne: (status: number) => boolean) => statuses.filter(isOne).length;
    const seconds = (performance.now() - before) / 1000;
    console.log(
      `| ${name} | ${count((each) => each === 200)} / ${count((each) => each === 429)} / ` +
        `${count((each) => each !== 200 && each !== 429)} | ${seconds.toFixed(1)} | ${
          (cpu() - cpuBefore).toFixed(1)
        } | ${peaks("querier")} | ${peaks("ingester")} |`,
    );
  };
  const metric = async () => {
    const reply = await query.get("/loki/api/v1/query_range", {
      query: 'sum(count_over_time({app=~".+"} [1h]))',
      start,
      end,
      step: "60",
    });
    if (reply.status !== 200) console.error(reply.body.slice(0, 300));
    return reply.status;
  };
  const series = async () =>
    (await query.get("/loki/api/v1/series", { start, end, "match[]": '{app=~".+"}' })).status;
  const times = (count: number, ask: () => Promise<number>) =>
    Promise.all(Array.from({ length: count }, ask));
  await measure("100 questions for series, one after another", async () => {
    const statuses: number[] = [];
    for (let i = 0; i < 100; i++) statuses.push(await series());
    return statuses;
  });
  await measure("one metric query", () => times(1, metric));
  await measure("ten metric queries at once", () => times(10, metric));
} finally {
  await cluster.remove();
}
