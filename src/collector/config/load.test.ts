/** Mistakes of a configuration: each with its line and column, its path and what to do, all at once;
 *  and values as they are written. */
import { Result } from "effect";
import t from "tap";
import { configWarnings, parseConfig } from "./load.ts";
import { printConfig } from "./printConfig.ts";

function mistakes(text: string, environment: Record<string, string> | null = null): string[] {
  const parsed = parseConfig({ file: "p.yaml", text, environment });
  return Result.isFailure(parsed) ? parsed.failure.message.split("\n") : [];
}

t.test("one mistake", (t) => {
  const f = (text: string, expected: string) => t.strictSame(mistakes(text), [expected], text);
  f("sever: {}", 'p.yaml:1:1: sever: there is no such key; did you mean "server"?');
  f(
    "server:\n  http-listen-port: 3",
    'p.yaml:2:3: server.http-listen-port: there is no such key; did you mean "http_listen_port"?',
  );
  f(
    "positions:\n  file: x\n",
    "p.yaml:2:3: positions.file: there is no such key; there are filename, sync_period, ignore_invalid_yaml",
  );
  f(
    "server: {http_listen_port: web}",
    'p.yaml:1:10: server.http_listen_port: "web" is not a whole number from 0 to 65535',
  );
  f(
    "server: {disable: perhaps}",
    'p.yaml:1:10: server.disable: "perhaps" is neither true nor false',
  );
  f("server: [1]", "p.yaml:1:1: server: must be a map");
  f("scrape_configs: {}", "p.yaml:1:1: scrape_configs: must be a list");
  f("scrape_configs:\n- static_configs: []", "p.yaml:2:3: scrape_configs[0].job_name: is required");
  f("scrape_configs:\n- a", "p.yaml:2:3: scrape_configs[0]: must be a map");
  f(
    "clients:\n- url: loki:3100",
    'p.yaml:2:3: clients[0].url: "loki:3100" is not a URL such as http://loki:3100/loki/api/v1/push',
  );
  f("clients:\n- batchwait: 1s", "p.yaml:2:3: clients[0].url: is required");
  f("server: {log_level: {}}", "p.yaml:1:10: server.log_level: must be a single value");
  f(
    "server: {log_level: warning}",
    'p.yaml:1:10: server.log_level: "warning" is not one of debug, info, warn, error',
  );
  f(
    "server: {enable_runtime_reload: true}",
    "p.yaml:1:10: server.enable_runtime_reload: is not supported: restart the collector, which goes on where it was",
  );
  f("- a", "p.yaml:1:1: the file: must be a map");
  f(
    "scrape_configs:\n- job_name: a\n  encoding: klingon",
    'p.yaml:3:3: scrape_configs[0].encoding: "klingon" is no encoding that is supported: ' +
      "see https://encoding.spec.whatwg.org/#names-and-labels",
  );
  f(
    "scrape_configs:\n- job_name: a\n  decompression: {format: bz2}",
    "p.yaml:3:19: scrape_configs[0].decompression.format: bz2 is not supported: compress with " +
      "gzip, whose files are read",
  );
  const job = (source: string, at: string) => (value: string, message: string) =>
    f(
      `scrape_configs:\n- job_name: a\n  ${source}`.replace("?", value),
      `p.yaml:${at}: ${message}`,
    );
  const syslog = job("syslog: {listen_address: '?'}", "3:12");
  for (const address of ["1514", "localhost", "0.0.0.0:99999", "::1:1514", ":syslog"]) {
    syslog(
      address,
      `scrape_configs[0].syslog.listen_address: "${address}" is no address to listen on: ` +
        "write host:port, such as 0.0.0.0:1514 or [::]:1514",
    );
  }
  const docker = job("docker_sd_configs: [{host: '?'}]", "3:24");
  for (const host of ["/var/run/docker.sock", "docker", "unix:"]) {
    docker(
      host,
      `scrape_configs[0].docker_sd_configs[0].host: "${host}" is not Docker's address: ` +
        "write unix:///var/run/docker.sock, tcp://host:2375 or a URL",
    );
  }
  job("kubernetes_sd_configs: [{role: pod, api_server: '?'}]", "3:39")(
    "10.0.0.1:6443",
    'scrape_configs[0].kubernetes_sd_configs[0].api_server: "10.0.0.1:6443" is not a URL such as https://10.0.0.1:6443',
  );
  f(
    "server: {http_listen_address: 0.0.0.0:9080}",
    'p.yaml:1:10: server.http_listen_address: "0.0.0.0:9080" has a port, which has a key of its own: http_listen_port: 9080',
  );
  job("static_configs: [{labels: {__path__: '?'}}]", "3:21")(
    "/var/log/[a",
    'scrape_configs[0].static_configs[0].labels: __path__: Cannot read glob "/var/log/[a": "[" at 0 of "[a" is not closed',
  );
  f("tracing: {enabled: true}", "p.yaml:1:11: tracing.enabled: is not supported; leave it out");
  t.end();
});

t.test("constructs of Promtail that are not offered are named with their line", (t) => {
  const f = (key: string, expected: RegExp) => {
    const found = mistakes(`scrape_configs:\n- job_name: a\n  ${key}: {}\n`);
    t.match(found, [/^p\.yaml:3:3: scrape_configs\[0\]\./], key);
    t.match(found[0], expected, key);
  };
  f("kafka", /reading Kafka is not supported; have a consumer push/);
  f("gelf", /GELF is not supported/);
  f("ec2_sd_configs", /discovery by EC2 is not supported; use static_configs/);
  f("consul_sd_configs", /discovery by Consul is not supported/);
  f("windows_events", /not supported/);
  t.match(
    mistakes("scrape_configs:\n- job_name: a\n  kubernetes_sd_configs:\n  - role: node"),
    [/^p\.yaml:4:5: .*role "node" is not supported; logs are found by role: pod/],
  );
  t.match(mistakes("clients:\n- url: http://a\n  oauth2: {}"), [/^p\.yaml:3:3: .*OAuth 2 is not/]);
  t.match(mistakes("wal: {enabled: true}"), [/^p\.yaml:1:1: wal: .* is not supported/]);
  t.end();
});

t.test("all mistakes at once, in the file's order, pipelines and rules included", (t) => {
  const text = `
clients:
- url: http://loki/loki/api/v1/push
  batchwait: soon
  basic_auth: [x]
scrape_configs:
- job_name: a
  pipeline_stages:
  - regex: {expression: '('}
  - regx: {}
  - match:
      selector: '{a="b"}'
      stages:
      - timestam: {}
  - cri: {}
    docker: {}
  relabel_configs:
  - action: hashmod
  - action: rename
  - regex: '['
    target_label: x
- job_name: a
  static_configs:
  - labels: {a-b: c}
`;
  const found = mistakes(text);
  t.strictSame(found.map((line) => line.replace(/^p\.yaml:(\d+):(\d+): ([^:]*).*/, "$1:$2 $3")), [
    "4:3 clients[0].batchwait",
    "5:3 clients[0].basic_auth",
    "9:13 scrape_configs[0].pipeline_stages[0].regex.expression",
    "10:5 scrape_configs[0].pipeline_stages[1].regx",
    "14:9 scrape_configs[0].pipeline_stages[2].match.stages[0].timestam",
    "15:5 scrape_configs[0].pipeline_stages[3]",
    "19:5 scrape_configs[0].relabel_configs[1].action",
    "22:3 scrape_configs[1].job_name",
    "24:5 scrape_configs[1].static_configs[0].labels",
  ]);
  t.end();
});

t.test("mistakes that only a well-formed file can have", (t) => {
  t.strictSame(mistakes("scrape_configs:\n- job_name: a\n- job_name: b\n- job_name: a"), [
    'p.yaml:4:3: scrape_configs[2].job_name: "a" is the name of scrape_configs[0] already',
  ]);
  t.strictSame(
    mistakes("scrape_configs:\n- job_name: a\n  relabel_configs:\n  - action: hashmod"),
    [
      "p.yaml:4:5: scrape_configs[0].relabel_configs[0].target_label: action hashmod needs a target_label",
      "p.yaml:4:5: scrape_configs[0].relabel_configs[0].modulus: action hashmod needs a modulus of at least 1",
    ],
  );
  t.end();
});

t.test("addresses that are right", (t) => {
  const f = (job: string) => t.strictSame(mistakes(`scrape_configs: [{job_name: a, ${job}}]`), []);
  for (const address of ["0.0.0.0:1514", "':514'", "'[::]:514'", "log.example.org:514"]) {
    f(`syslog: {listen_address: ${address}}`);
  }
  for (const host of ["unix:///var/run/docker.sock", "tcp://a:2375", "http://a", "https://a:1"]) {
    f(`docker_sd_configs: [{host: '${host}'}]`);
  }
  t.strictSame(mistakes("server: {http_listen_address: '::1'}"), []);
  t.end();
});

t.test("what reads nothing is warned of, with its place", (t) => {
  const f = (job: string, ...expected: ReadonlyArray<string>) => {
    const source = {
      file: "p.yaml",
      text: `scrape_configs:\n- job_name: a\n${job}`,
      environment: null,
    };
    const config = Result.getOrThrowWith(parseConfig(source), (error) => error);
    t.strictSame(configWarnings(source, config), expected, job);
  };
  const at = "scrape_configs[0].static_configs[0].labels";
  f(
    "  static_configs: [{labels: {job: x, __path_: /var/log/x}}]",
    `p.yaml:3:21: ${at}: there is no __path__, so that nothing is read; is "__path_" meant to be it?`,
  );
  f(
    "  static_configs: [{targets: [x], labels: {job: x}}]",
    `p.yaml:3:35: ${at}: there is no __path__, so that nothing is read`,
  );
  f("  static_configs: [{labels: {__path__: /var/log/x}}]");
  f("  static_configs: [{labels: {__host__: other-host}}]");
  const rules = "\n  relabel_configs: [{source_labels: [job], target_label: __path__}]";
  f(`  static_configs: [{labels: {job: /var/log/x}}]${rules}`);
  f(
    "  pipeline_stages: []",
    "p.yaml:2:3: scrape_configs[0]: the job has no source and reads nothing: add static_configs, journal, … to it",
  );
  f("  journal: {}");
  t.end();
});

t.test("YAML's own mistakes", (t) => {
  t.match(mistakes("server: {a"), [/^p\.yaml:1:\d+: /]);
  t.match(mistakes("server: {}\nserver: {}"), [/^p\.yaml:2:1: .*unique/]);
  const bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" +
    "bcdefg".split("").map((key, i) => `${key}: &${key} [${Array(10).fill(`*${"abcdef"[i]}`)}]`)
      .join("\n");
  t.match(mistakes(bomb), [/more than 200000 values/]);
  t.end();
});

t.test("values are as they are written", (t) => {
  const text = `
clients: [{url: http://a, tenant_id: 007, external_labels: {version: 1.10, on: yes}}]
positions:
target_config: {sync_period: 1m30s, stdin: off}
scrape_configs:
- &base
  job_name: a
  pipeline_stages: []
  syslog: {listen_address: :514, syslog_format: RFC3164, label_structured_data: on}
- <<: *base
  job_name: b
`;
  const config = Result.getOrThrowWith(
    parseConfig({ file: "p.yaml", text, environment: null }),
    (error) => error,
  );
  t.equal(config.clients[0]!.tenant_id, "007");
  t.strictSame(config.clients[0]!.external_labels, { version: "1.10", on: "yes" });
  t.equal(config.positions.filename, "/var/log/positions.yaml");
  t.strictSame(config.target_config, { sync_period: 90_000, stdin: false });
  t.equal(config.scrape_configs[1]!.job_name, "b");
  t.equal(config.scrape_configs[1]!.syslog!.syslog_format, "rfc3164");
  t.end();
});

t.test("the defaults are Promtail's", (t) => {
  const text = "clients: [{url: http://a}]";
  const config = Result.getOrThrowWith(
    parseConfig({ file: "p.yaml", text, environment: null }),
    (error) => error,
  );
  const [client] = config.clients;
  t.match(client, { batchwait: 1000, batchsize: 1 << 20, timeout: 10_000 });
  t.strictSame(client!.backoff_config, { min_period: 500, max_period: 300_000, max_retries: 10 });
  t.equal(config.server.http_listen_port, 80);
  t.strictSame(config.positions, {
    filename: "/var/log/positions.yaml",
    sync_period: 10_000,
    ignore_invalid_yaml: false,
  });
  t.match(config.limits_config, { readline_rate: 10_000, readline_rate_drop: true });
  t.end();
});

t.test("printing hides secrets", (t) => {
  const text = `clients:
- url: http://me:s@3cret@a/push
  bearer_token: s3cret
  basic_auth: {username: me, password: s3cret}
  headers: {X-Api-Key: s3cret}
  tls_config: {key: s3cret}`;
  const load = (text: string) =>
    Result.getOrThrowWith(
      parseConfig({ file: "p.yaml", text, environment: null }),
      (error) => error,
    );
  const printed = printConfig(load(text));
  t.match(printed.text, "password: <secret>");
  t.match(printed.text, "X-Api-Key: <secret>");
  t.match(printed.text, "url: http://me:<secret>@a/push");
  t.notMatch(printed.text, "3cret");
  t.equal(printed.hidden, 5);
  load(printed.text);
  const shown = printConfig(load(text), { showSecrets: true });
  t.equal(shown.hidden, 0);
  t.strictSame(load(shown.text), load(text), "what is printed means the same");
  t.end();
});

t.test("printing keeps labels and fields that have no source, and those that are called like secrets", (t) => {
  const text = `scrape_configs:
  - job_name: a
    static_configs: [{labels: {key: v}}]
    pipeline_stages:
      - json: {expressions: {level: , password: auth.password}}
      - labels: {level: , key: }`;
  const load = (text: string) =>
    Result.getOrThrowWith(
      parseConfig({ file: "p.yaml", text, environment: null }),
      (error) => error,
    );
  const config = load(text);
  const [job] = load(printConfig(config).text).scrape_configs;
  t.strictSame(job!.static_configs[0]!.labels, { key: "v" });
  t.strictSame(job!.pipeline_stages[1], { labels: { level: undefined, key: undefined } });
  t.match(job!.pipeline_stages[0], {
    json: { expressions: { level: undefined, password: "auth.password" } },
  });
  t.end();
});

t.test("environment variables are put in before the file is read", (t) => {
  const text =
    "clients:\n- url: ${URL:-http://a}\n  tenant_id: ${TENANT}\nserver: {http_path_prefix: '$${x}'}";
  const parsed = parseConfig({ file: "p.yaml", text, environment: { TENANT: "t" } });
  const config = Result.getOrThrowWith(parsed, (error) => error);
  t.equal(config.clients[0]!.url, "http://a");
  t.equal(config.clients[0]!.tenant_id, "t");
  t.equal(config.server.http_path_prefix, "${x}");
  t.match(mistakes("server:\n  log_level: ${1}", {}), [/^p\.yaml:2:14: \$\{1\} is not/]);
  t.end();
});
