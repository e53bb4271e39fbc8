/** Configurations of public Promtail setups (test/promtail), unchanged: what they mean, by hand. */
import { readFileSync } from "node:fs";
import { Result } from "effect";
import t from "tap";
import { compileStages } from "../stages/compile.ts";
import { StageEntry } from "../stages/entry.ts";
import { StageMetrics } from "../stages/stageMetrics.ts";
import { targetRelabeler } from "../relabel/targetLabels.ts";
import type { CollectorConfig } from "./collectorConfig.ts";
import { parseConfig } from "./load.ts";
import { printConfig } from "./printConfig.ts";
import type { ScrapeConfig } from "./scrapeConfig.ts";

function load(name: string): CollectorConfig {
  const url = new URL(`../../../test/promtail/${name}.yaml`, import.meta.url);
  return parse(name, readFileSync(url, "utf8"));
}

function parse(file: string, text: string): CollectorConfig {
  return Result.getOrThrowWith(parseConfig({ file, text, environment: null }), (error) => error);
}

/** The target that discovery's labels become. */
function target(job: ScrapeConfig, discovered: Record<string, string>) {
  const found = targetRelabeler(job.relabel_configs)(new Map(Object.entries(discovered)));
  return { labels: found?.labels.text, path: found?.internal.get("__path__") };
}

/** What comes out of a job's pipeline for lines. */
function outputs(job: ScrapeConfig, lines: ReadonlyArray<string>): ReadonlyArray<string> {
  const found: string[] = [];
  const environment = { jobName: job.job_name, metrics: new StageMetrics() };
  const pipeline = compileStages(
    job.pipeline_stages,
    environment,
    (entry) => found.push(`${entry.labels.text} ${entry.timestampNs} ${entry.text}`),
  );
  const entry = new StageEntry();
  for (const line of lines) {
    const bytes = new TextEncoder().encode(line);
    entry.reset(entry.labels, bytes, 0, bytes.length, 0, 0);
    pipeline.process(entry);
  }
  pipeline.flush();
  return found;
}

t.test("the Helm chart's default, for the pods of a node", (t) => {
  const config = load("kubernetes");
  t.equal(config.server.http_listen_port, 3101);
  t.equal(config.clients[0]!.url, "http://loki-gateway/loki/api/v1/push");
  t.equal(config.positions.filename, "/run/promtail/positions.yaml");
  const [job] = config.scrape_configs;
  t.equal(job!.kubernetes_sd_configs[0]!.role, "pod");
  const pod = {
    __meta_kubernetes_namespace: "shop",
    __meta_kubernetes_pod_name: "cart-6d4cf56db6-x2x8z",
    __meta_kubernetes_pod_node_name: "node-1",
    __meta_kubernetes_pod_uid: "8a2b",
    __meta_kubernetes_pod_container_name: "app",
    __meta_kubernetes_pod_controller_name: "cart-6d4cf56db6",
  };
  t.strictSame(target(job!, pod), {
    labels: '{app="cart", container="app", job="shop/cart", namespace="shop", node_name="node-1",' +
      ' pod="cart-6d4cf56db6-x2x8z"}',
    path: "/var/log/pods/*8a2b/app/*.log",
  });
  const labelled = {
    ...pod,
    __meta_kubernetes_pod_label_app_kubernetes_io_name: "basket",
    __meta_kubernetes_pod_label_app: "ignored",
    __meta_kubernetes_pod_label_instance: "eu",
    __meta_kubernetes_pod_label_component: "api",
  };
  t.equal(
    target(job!, labelled).labels,
    '{app="basket", component="api", container="app", instance="eu", job="shop/basket",' +
      ' namespace="shop", node_name="node-1", pod="cart-6d4cf56db6-x2x8z"}',
  );
  const mirror = {
    ...pod,
    __meta_kubernetes_pod_annotationpresent_kubernetes_io_config_hash: "true",
    __meta_kubernetes_pod_annotation_kubernetes_io_config_hash: "c0ffee",
  };
  t.equal(target(job!, mirror).path, "/var/log/pods/*c0ffee/app/*.log");
  t.strictSame(
    outputs(job!, [
      "2024-01-01T00:00:00.000000001Z stdout P par",
      "2024-01-01T00:00:00.000000002Z stdout F tial",
    ]),
    ['{stream="stdout"} 1704067200000000002 partial'],
  );
  t.end();
});

t.test("Docker: discovery, and the files of its json-file driver", (t) => {
  const [discovered, files] = load("docker").scrape_configs;
  const sd = discovered!.docker_sd_configs[0]!;
  t.strictSame([sd.host, sd.refresh_interval, sd.filters], [
    "unix:///var/run/docker.sock",
    5000,
    [{ name: "name", values: ["flog"] }],
  ]);
  t.equal(
    target(discovered!, { __meta_docker_container_name: "/flog", __meta_docker_container_id: "1" })
      .labels,
    '{container="flog"}',
  );
  const line = (log: string, second: number) =>
    JSON.stringify({ log: `${log}\n`, stream: "stdout", time: `2024-01-01T00:00:0${second}Z` });
  t.strictSame(
    outputs(files!, [
      line('{"level":"info","message":"m"}', 0),
      line('{"level":"debug","message":"d"}', 1),
      line("panic: x", 2),
      line("  at main.go:3", 3),
    ]),
    [
      '{level="info", stream="stdout"} 1704067200000000000 {"level":"info","message":"m"}',
      '{stream="stdout"} 1704067202000000000 panic: x\n  at main.go:3',
    ],
  );
  t.end();
});

t.test("journal, syslog, pushes, files", (t) => {
  const journal = load("journal").scrape_configs[0]!;
  t.equal(journal.journal!.max_age, 12 * 3600 * 1000);
  t.strictSame(journal.journal!.labels, { job: "systemd-journal" });
  t.equal(
    target(journal, { job: "systemd-journal", __journal__systemd_unit: "sshd.service" }).labels,
    '{job="systemd-journal", unit="sshd.service"}',
  );
  const syslog = load("syslog").scrape_configs[0]!;
  t.strictSame(
    [
      syslog.syslog!.listen_address,
      syslog.syslog!.idle_timeout,
      syslog.syslog!.label_structured_data,
    ],
    ["0.0.0.0:1514", 60_000, true],
  );
  t.equal(
    target(syslog, { job: "syslog", __syslog_message_hostname: "db1" }).labels,
    '{host="db1", job="syslog"}',
  );
  const push = load("push").scrape_configs[0]!;
  t.equal(push.loki_push_api!.server.http_listen_port, 3500);
  t.strictSame(push.loki_push_api!.labels, { pushserver: "push1" });
  const files = load("files");
  t.equal(files.clients.length, 1, "the older section client is the first of clients");
  t.strictSame(files.scrape_configs[0]!.pipeline_stages, []);
  t.strictSame(files.scrape_configs[0]!.static_configs[0]!.labels, {
    job: "varlogs",
    host: "yourhost",
    __path__: "/var/log/*.log",
  });
  t.end();
});

t.test("what is printed reads as the same configuration", (t) => {
  for (const name of ["kubernetes", "docker", "journal", "syslog", "push", "files"]) {
    const config = load(name);
    const printed = printConfig(config);
    t.strictSame(printConfig(parse("printed.yaml", printed.text)), printed, name);
  }
  t.end();
});
