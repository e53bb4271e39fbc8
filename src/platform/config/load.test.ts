/** The configuration as a user meets it: order of sources, what messages say, and that printing gives it back. */
import { Effect, Result } from "effect";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { catalogue } from "./catalogue.ts";
import { parseSettingFlags } from "./flags.ts";
import { limitsFor } from "./limits.ts";
import { defaultSettings, loadSettings, resolveSettings, settingsWith } from "./load.ts";
import { printSettings } from "./print.ts";

const directory = mkdtempSync(join(tmpdir(), "tailrace-config-"));
t.teardown(() => rmSync(directory, { recursive: true }));

function fromFile(text: string) {
  return resolveSettings({ file: { name: "t.yaml", text } });
}

function problemsOf(text: string): ReadonlyArray<string> {
  const result = fromFile(text);
  return Result.isFailure(result) ? result.failure.problems : [];
}

t.test("loadSettings puts flags over environment over file over defaults", async (t) => {
  const file = join(directory, "order.yaml");
  writeFileSync(
    file,
    "server:\n  http_listen_port: 1\n  log_level: warn\n  http_listen_address: 10.0.0.1\n",
  );
  const { settings, origins, rest } = await Effect.runPromise(loadSettings({
    argv: ["serve", `--config.file=${file}`, "-server.http-listen-port", "3", "--help"],
    env: { TAILRACE_SERVER_HTTP_LISTEN_PORT: "2", TAILRACE_SERVER_LOG_LEVEL: "error" },
  }));
  t.strictSame(
    [
      settings.server.http_listen_port,
      settings.server.log_level,
      settings.server.http_listen_address,
      settings.server.log_format,
    ],
    [3, "error", "10.0.0.1", "logfmt"],
  );
  t.strictSame([...origins], [
    ["server.http_listen_port", "-server.http-listen-port"],
    ["server.log_level", "TAILRACE_SERVER_LOG_LEVEL"],
    ["server.http_listen_address", `${file}:4`],
  ]);
  t.strictSame(rest, ["serve", "--help"]);
});

t.test("loadSettings takes the file from TAILRACE_CONFIG_FILE and tells when it is missing", async (t) => {
  const file = join(directory, "missing.yaml");
  const error = await Effect.runPromise(
    Effect.flip(loadSettings({ argv: [], env: { TAILRACE_CONFIG_FILE: file } })),
  );
  t.match(error.message, `cannot read ${file}`);
});

t.test("every default is valid, described, and within its own flag and variable names", (t) => {
  for (const entry of catalogue) {
    t.not(entry.description, "", entry.path);
    t.match(entry.environmentName, /^TAILRACE_[A-Z0-9_]+$/);
    const flags = parseSettingFlags([`${entry.flagName}=${entry.byDefault}`]);
    t.ok(Result.isSuccess(flags) && flags.success.values.has(entry.path), entry.flagName);
  }
  t.equal(new Set(catalogue.map((entry) => entry.environmentName)).size, catalogue.length);
  t.equal(defaultSettings.server.http_listen_port, 3100);
  t.equal(defaultSettings.limits_config.max_line_size, 262144);
  t.equal(defaultSettings.limits_config.reject_old_samples_max_age, 604_800_000);
  t.end();
});

t.test("unknown keys are errors that name the line and the nearest key", (t) => {
  const check = (text: string, ...expected: Array<string>) =>
    t.strictSame(problemsOf(text), expected, text);
  check(
    "server:\n  http_listen_prt: 3\n",
    't.yaml:2: there is no setting "server.http_listen_prt": did you mean "server.http_listen_port"?',
  );
  check(
    "\nhttp_port: 3\n",
    't.yaml:2: there is no setting "http_port": did you mean "server.http_listen_port"?',
  );
  check(
    "ingester:\n  wal:\n    max_siez: 1\n",
    't.yaml:3: there is no setting "ingester.wal.max_siez": did you mean "ingester.wal.max_size"?',
  );
  check(
    "schema_config:\n  configs: []\n",
    't.yaml:1: Loki\'s section "schema_config" has no counterpart in Tailrace: remove it',
  );
  check(
    "server:\n  grpc_listen_port: 9096\n",
    't.yaml:2: Loki\'s setting "server.grpc_listen_port" has no counterpart in Tailrace: remove it',
  );
  check(
    "common:\n  ring:\n    kvstore: { store: inmemory }\n",
    't.yaml:2: Loki\'s setting "common.ring" has no counterpart in Tailrace: remove it',
  );
  check(
    "overrides:\n  team.a:\n    max_line_sizes: 1\n",
    't.yaml:3: there is no setting "limits_config.max_line_sizes": did you mean "limits_config.max_line_size"?',
  );
  check(
    "zebra: 1\n",
    't.yaml:1: there is no setting "zebra": "tailrace config --describe" lists all keys',
  );
  check("server: 3\n", 't.yaml:1: "server" must be a map of settings');
  check(
    "server:\n  log_level: [a]\n",
    't.yaml:2: "server.log_level" takes one value, not a list or a map',
  );
  t.match(problemsOf("a: 1\na: 2\n")[0], /^t\.yaml:2: Map keys must be unique/);
  t.match(problemsOf("a: [\n")[0], /^t\.yaml:\d: /);
  t.end();
});

t.test("values of the wrong kind are all reported, each with its place", (t) => {
  t.strictSame(
    problemsOf(
      "server:\n  http_listen_port: 70000\n  log_level: loud\nlimits_config:\n  query_timeout: 5\n",
    ),
    [
      't.yaml:2: server.http_listen_port: "70000" is not a whole number from 0 to 65535',
      't.yaml:3: server.log_level: "loud" is not one of debug, info, warn, error',
      't.yaml:5: limits_config.query_timeout: "5" is not a duration: write numbers with units ' +
      "(ns, us, ms, s, m, h, d, w, y), such as 1h30m or 7d",
    ],
  );
  const env = resolveSettings({ env: { TAILRACE_AUTH_ENABLED: "yes" } });
  t.match(
    Result.isFailure(env) && env.failure.problems[0],
    'TAILRACE_AUTH_ENABLED: auth_enabled: "yes" is neither true nor false',
  );
  t.end();
});

t.test("empty sections, empty values, aliases and an empty file are fine", (t) => {
  const result = Result.getOrThrow(
    fromFile(
      "server:\nquerier:\n  workers:\nlimits_config: &l\n  max_line_size: 1MB\noverrides:\n  a: *l\n",
    ),
  );
  t.equal(result.settings.querier.workers, defaultSettings.querier.workers);
  t.equal(limitsFor(result.settings, "a").max_line_size, 1024 * 1024);
  t.strictSame(Result.getOrThrow(fromFile("")).settings, defaultSettings);
  t.end();
});

t.test("limitsFor lays a tenant's overrides over limits_config", (t) => {
  const settings = settingsWith({
    "limits_config.max_line_size": "2KB",
    "overrides.team.a.max_line_size": "3KB",
    "overrides.b.query_timeout": "5s",
  });
  t.equal(limitsFor(settings, "team.a").max_line_size, 3072);
  t.equal(limitsFor(settings, "team.a").query_timeout, 60_000);
  t.equal(limitsFor(settings, "b").max_line_size, 2048);
  t.equal(limitsFor(settings, "b").query_timeout, 5000);
  t.equal(limitsFor(settings, "toString"), settings.limits_config, "no tenant of that name");
  t.end();
});

t.test("flags may be spelled as Loki's, and toggles stand alone", (t) => {
  const check = (argv: Array<string>, values: Record<string, string>, rest: Array<string>) => {
    const flags = Result.getOrThrow(parseSettingFlags(argv));
    const texts = Object.fromEntries([...flags.values].map(([path, { text }]) => [path, text]));
    t.strictSame([texts, flags.rest], [values, rest], argv.join(" "));
  };
  check(["-target=all", "serve"], { target: "all" }, ["serve"]);
  check(["--auth-enabled", "serve"], { auth_enabled: "true" }, ["serve"]);
  check(["--auth_enabled", "false", "x"], { auth_enabled: "false" }, ["x"]);
  check(["--set", "a.b=c=d"], { "a.b": "c=d" }, []);
  check(["--label", "a=b", "--limit=3"], {}, ["--label", "a=b", "--limit=3"]);
  check(["--", "-target=all"], {}, ["--", "-target=all"]);
  for (
    const [argv, message] of [
      [["--server.http-port=1"], /--server\.http-port: there is no setting .*http_listen_port/],
      [["--server.http-listen-port"], /--server\.http-listen-port needs a value/],
      [["--set", "x"], /write path=value/],
    ] as const
  ) {
    const result = parseSettingFlags(argv);
    t.match(Result.isFailure(result) && result.failure, message);
  }
  t.end();
});

t.test("an unknown variable of a section is a warning, Kubernetes' service variables are not", (t) => {
  const { warnings } = Result.getOrThrow(resolveSettings({
    env: { TAILRACE_SERVER_HTTP_PORT: "1", TAILRACE_PORT: "tcp://x", TAILRACE_SERVICE_HOST: "y" },
  }));
  t.equal(warnings.length, 1);
  t.match(warnings[0], /TAILRACE_SERVER_HTTP_PORT is ignored: .*"server.http_listen_port"/);
  t.end();
});

t.test("a variable whose section is misspelt is a warning, what others may have set is not", (t) => {
  const env = {
    TAILRACE_SERVR_HTTP_LISTEN_PORT: "1",
    TAILRACE_TARGETT: "all",
    TAILRACE_HOME: "/opt",
    TAILRACE_TENANT: "x",
    // Of a Service tailrace-distributor.
    TAILRACE_DISTRIBUTOR_SERVICE_HOST: "10.0.0.1",
    TAILRACE_DISTRIBUTOR_SERVICE_PORT_HTTP: "3100",
    TAILRACE_DISTRIBUTOR_PORT: "tcp://10.0.0.1:3100",
    TAILRACE_DISTRIBUTOR_PORT_3100_TCP_ADDR: "10.0.0.1",
  };
  t.same(Result.getOrThrow(resolveSettings({ env })).warnings, [
    'environment variable TAILRACE_SERVR_HTTP_LISTEN_PORT is ignored: there is no setting "servr.http_listen_port": ' +
    'did you mean "server.http_listen_port"?',
    'environment variable TAILRACE_TARGETT is ignored: there is no setting "targett": did you mean "target"?',
  ]);
  t.end();
});

t.test("printSettings keeps every text on its line, so that it is read back as it was", (t) => {
  const texts = [
    "http://alertmanager-0.monitoring:9093, http://alertmanager-1.monitoring:9093, http://alertmanager-2:9093",
    "two\nlines",
    " spaces ",
    "'quoted' \"twice\"",
    "- x: y # z",
    "word ".repeat(60),
  ];
  for (const text of texts) {
    const settings = settingsWith({ "ruler.alertmanager_url": text });
    const printed = printSettings({
      settings,
      origins: new Map([["ruler.alertmanager_url", "x"]]),
    });
    t.strictSame(Result.getOrThrow(fromFile(printed)).settings, settings, text);
  }
  t.end();
});

t.test("times of zero are errors where they would mean without end or without a pause", (t) => {
  const zeros = [
    "compactor.compaction_interval",
    "ruler.poll_interval",
    "limits_config.query_timeout",
  ];
  for (const path of zeros) {
    t.throws(() => settingsWith({ [path]: "0s" }), { message: /"0s" is no time at all/ }, path);
  }
  t.end();
});

t.test("printSettings prints what resolveSettings reads back, with origins", (t) => {
  const first = Result.getOrThrow(fromFile(
    'common:\n  path_prefix: "a # b"\noverrides:\n  "1": {max_line_size: 5}\n  t.u: {query_timeout: 90s}\n',
  ));
  for (const describe of [false, true]) {
    const text = printSettings(first, { describe });
    t.strictSame(Result.getOrThrow(fromFile(text)).settings, first.settings);
    t.match(text, '  path_prefix: "a # b" # t.yaml:2\n');
    t.match(text, "    query_timeout: 1m30s # t.yaml:5\n");
  }
  t.end();
});

t.test("printSettings shows no password", (t) => {
  const found = fromFile(
    'nats: { password: hunter2 }\nruler: { alertmanager_url: "http://me:hunter2@one:4222,http://me:hunter2@two,http://three,http://me:hun@hunter2@four" }',
  );
  const text = printSettings(Result.getOrThrow(found));
  t.notMatch(text, /hunter2/);
  t.match(text, "# password: <secret>");
  t.match(
    text,
    "url: http://me:<secret>@one:4222,http://me:<secret>@two,http://three,http://me:<secret>@four",
  );
  t.end();
});

t.test("a user in NATS's address, which the client would not use, is refused and not shown", (t) => {
  for (const url of ["nats://me:hunter2@one", "nats://one,nats://hunter2@two"]) {
    const found = fromFile(`nats: { url: "${url}" }`);
    const error = Result.isFailure(found) ? String(found.failure) : "";
    t.match(error, /nats\.url: an address with a user .* set nats\.user and nats\.password/);
    t.notMatch(error, "hunter2");
  }
  t.end();
});
