/** The collector with a stand-in for Docker on a unix socket, and the real server: each line of each container once, with its
 *  time, over restarts of container, Docker and collector. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Test } from "tap";
import { CollectorProcess } from "../../src/testing/collectorProcess.ts";
import { DockerEngineFake } from "../../src/testing/dockerEngine.ts";
import { onServer, type Scenario } from "../../src/testing/onServer.ts";

/** Waits for so many lines of a selector, a little longer for more, and returns them as `container stream time line`. */
function arrivals({ query, now }: Scenario, collector: CollectorProcess, selector: string) {
  const found = async () =>
    (await query.all({
      query: selector,
      start: now - 60_000_000_000n,
      end: now + 3_600_000_000_000n,
    }))
      .map(({ labels, line, timestamp }) =>
        `${labels["container"]} ${labels["stream"] ?? "-"} ${timestamp - now} ${line}`
      ).sort();
  return async (count: number): Promise<ReadonlyArray<string>> => {
    while ((await found()).length < count) {
      if (!collector.isRunning) throw new Error(`The collector has ended:\n${collector.output}`);
      await sleep(50);
    }
    await sleep(400);
    return await found();
  };
}

/** The time so many nanoseconds after the scenario's, as Docker writes it. */
function timeOf({ now }: Scenario, nanos: number): string {
  const seconds = new Date(Number(now / 1_000_000n)).toISOString().slice(0, 19);
  return `${seconds}.${String(nanos).padStart(9, "0")}Z`;
}

const containers = async (t: Test, scenario: Scenario) => {
  const { server, app } = scenario;
  const collector = await CollectorProcess.create({
    runtime: server.runtime,
    config: (logs) => ({
      clients: [{ url: `${server.baseUrl}/loki/api/v1/push`, batchwait: "100ms" }],
      scrape_configs: [{
        job_name: "docker",
        docker_sd_configs: [{
          host: `unix://${join(logs, "docker.sock")}`,
          refresh_interval: "1h",
        }],
        relabel_configs: [
          {
            source_labels: ["__meta_docker_container_name"],
            regex: "/(.*)",
            target_label: "container",
          },
          { source_labels: ["__meta_docker_container_log_stream"], target_label: "stream" },
          { source_labels: ["__meta_docker_container_label_app"], target_label: "app" },
          { source_labels: ["container"], regex: "ignored", action: "drop" },
        ],
      }],
    }),
  });
  t.teardown(() => collector.remove());
  const engine = await DockerEngineFake.start(join(collector.logs, "docker.sock"));
  t.teardown(() => engine.close());
  const time = (nanos: number) => timeOf(scenario, nanos);
  const labels = { app };
  engine.run("old", "old", labels);
  engine.log("old", time(1), "of a container that had ended");
  engine.stop("old");
  engine.run("a1", "web", labels);
  engine.log("a1", time(1), "one");
  engine.log("a1", time(2), "a line that comes in several frames", 2);
  engine.run("t1", "terminal", labels, true);
  engine.log("t1", time(3), "raw");
  engine.run("i1", "ignored", labels);
  engine.log("i1", time(4), "not wanted");
  await collector.launchAndWait();
  const arrived = arrivals(scenario, collector, `{app="${app}"}`);
  const expected = [
    "terminal stdout 3 raw",
    "web stderr 2 a line that comes in several frames",
    "web stdout 1 one",
  ];
  t.strictSame(await arrived(3), expected);
  t.match(await collector.page("/targets"), /docker: unix:.*a1.*2 lines/s);

  // A container that starts and ends at once, one that is started again.
  engine.run("j1", "job", labels);
  engine.log("j1", time(5), "short");
  engine.stop("j1");
  engine.stop("a1");
  engine.run("a1", "web");
  engine.log("a1", time(6), "again");
  expected.push("job stdout 5 short", "web stdout 6 again");
  t.strictSame(await arrived(5), [...expected].sort());

  // Two lines of one time, and the collector is stopped and killed between others.
  engine.log("a1", time(7), "x");
  expected.push("web stdout 7 x");
  await arrived(6);
  await collector.stop();
  engine.log("a1", time(7), "y");
  engine.log("a1", time(8), "while it was down");
  engine.stop("a1");
  await collector.launchAndWait();
  expected.push("web stdout 7 y", "web stdout 8 while it was down");
  t.strictSame(await arrived(8), [...expected].sort(), "also of a container that has ended since");
  await collector.kill();
  engine.run("a1", "web");
  engine.log("a1", time(9), "after a kill");
  await collector.launchAndWait();
  expected.push("web stdout 9 after a kill");
  t.strictSame(await arrived(9), [...expected].sort());

  // Docker is restarted.
  await engine.close();
  await engine.listen();
  engine.log("a1", time(10), "after Docker's restart");
  expected.push("web stdout 10 after Docker's restart");
  t.strictSame(await arrived(10), [...expected].sort());
};

const asDocumented = async (t: Test, scenario: Scenario) => {
  const { server, app } = scenario;
  const collector = await CollectorProcess.create({
    runtime: server.runtime,
    // Only addresses and places are others, and the name of the container.
    config: (logs) =>
      readFileSync(new URL("../promtail/docker.yaml", import.meta.url), "utf8")
        .replace("http://loki:3100", server.baseUrl)
        .replace("/var/run/docker.sock", join(logs, "docker.sock"))
        .replace("[flog]", `[${app}]`)
        .replaceAll("/var/lib/docker/containers", logs),
  });
  t.teardown(() => collector.remove());
  const engine = await DockerEngineFake.start(join(collector.logs, "docker.sock"));
  t.teardown(() => engine.close());
  engine.run("f1", app);
  engine.log("f1", timeOf(scenario, 1), "flogged");
  engine.run("f2", "another");
  engine.log("f2", timeOf(scenario, 1), "filtered");
  await collector.launchAndWait();
  const arrived = arrivals(scenario, collector, `{container=~"${app}|another"}`);
  t.strictSame(await arrived(1), [`${app} - 1 flogged`]);
};

onServer({}, {
  "containers come and go": containers,
  "with the configuration of Promtail's reference": asDocumented,
});

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
