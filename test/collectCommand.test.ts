/** `tailrace collect` as its user meets it before anything runs, on each runtime: --check, convert, --dry-run. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { type RuntimeName, runtimes } from "../src/testing/serverProcess.ts";

const launcher = fileURLToPath(new URL("../bin/tailrace.mjs", import.meta.url));
const example = fileURLToPath(new URL("promtail/kubernetes.yaml", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "tailrace-collect-"));
t.teardown(() => rmSync(directory, { recursive: true }));

for (const runtime of runtimes) {
  t.test(`on ${runtime}`, (t) => {
    t.test("--check is quiet about what is valid and tells every mistake", async (t) => {
      const valid = await run(runtime, ["--check", `-config.file=${example}`]);
      t.match(valid, { code: 0, stdout: `${example} is valid\n`, stderr: "" });
      const bad = write("bad.yaml", "servr: {}\nclients:\n- url: x\n");
      t.match(await run(runtime, ["--check", "--config.file", bad]), {
        code: 2,
        stdout: "",
        stderr: `${bad}:1:1: servr: there is no such key; did you mean "server"?\n` +
          `${bad}:3:3: clients[0].url: "x" is not a URL such as http://loki:3100/loki/api/v1/push\n`,
      });
      t.match(await run(runtime, ["--check", "--config.file=/nowhere.yaml"]), {
        code: 2,
        stderr: /Cannot read \/nowhere\.yaml/,
      });
    });

    t.test("--check warns of a target that reads nothing, which Promtail runs all the same", async (t) => {
      const file = write(
        "pathless.yaml",
        "scrape_configs:\n- job_name: a\n  static_configs:\n  - labels: {__path_: /var/log/x}\n",
      );
      t.match(await run(runtime, ["--check", `--config.file=${file}`]), {
        code: 0,
        stdout: `${file} is valid\n`,
        stderr:
          `warning: ${file}:4:5: scrape_configs[0].static_configs[0].labels: there is no __path__, ` +
          'so that nothing is read; is "__path_" meant to be it?\n',
      });
    });

    t.test("convert prints the configuration with its defaults", async (t) => {
      const file = write("env.yaml", "clients: [{url: 'http://${COLLECT_HOST:-a}/push'}]");
      const { code, stdout } = await run(runtime, [
        "convert",
        `--config.file=${file}`,
        "-config.expand-env=true",
      ]);
      t.equal(code, 0);
      t.match(stdout, /^clients:\n {2}- url: http:\/\/a\/push\n {4}batchwait: 1s\n/m);
    });

    t.test("convert hides secrets, says so, and shows them when asked to", async (t) => {
      const file = write("secret.yaml", "clients: [{url: 'http://a', headers: {X-Key: s3cret}}]");
      const hidden = await run(runtime, ["convert", `--config.file=${file}`]);
      t.match(hidden, { code: 0, stdout: /X-Key: <secret>/ });
      t.equal(
        hidden.stderr,
        "hidden as <secret>: 1 of the values; --show-secrets prints them\n",
      );
      const shown = await run(runtime, ["convert", "--show-secrets", `--config.file=${file}`]);
      t.match(shown, { code: 0, stdout: /X-Key: s3cret/, stderr: "" });
    });

    t.test("--dry-run --stdin prints what would be sent", async (t) => {
      const file = write(
        "dry.yaml",
        `scrape_configs:
- job_name: a
  static_configs: [{labels: {app: shop}}]
  pipeline_stages:
  - cri:
  - template: {source: x, template: '{{ Sha2Hash "salt" .Entry | trunc 8 }} {{ .Entry }}'}
  - output: {source: x}
`,
      );
      const input = "2024-01-01T00:00:00Z stdout F hello\n";
      t.strictSame(await run(runtime, ["--dry-run", "--stdin", `--config.file=${file}`], input), {
        code: 0,
        // printf salthello | sha256sum
        stdout: '2024-01-01T00:00:00.000000000Z\t{app="shop", stream="stdout"}\tcd31b3b9 hello\n',
        stderr: "",
      });
    });

    t.test("--dry-run says that it goes on, and ends when it is told to", async (t) => {
      const text =
        `scrape_configs:\n- job_name: a\n  static_configs: [{labels: {__path__: ${directory}/x}}]\n`;
      const child = start(runtime, ["--dry-run", `--config.file=${write("files.yaml", text)}`]);
      let stderr = "";
      await new Promise<void>((resolve) => {
        child.on("close", () => resolve());
        child.stderr.on("data", (part) => {
          stderr += part;
          if (stderr.includes("\n")) child.kill("SIGTERM");
        });
      });
      t.match(stderr, /level=INFO.*dry run, reading .*; goes on until it is stopped \(Ctrl-C\)/i);
      t.equal(child.exitCode, 0);
    });
    t.end();
  });
}

function write(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

function start(runtime: RuntimeName, parameters: ReadonlyArray<string>) {
  return spawn(process.execPath, [launcher, "collect", ...parameters], {
    env: { ...process.env, TAILRACE_RUNTIME: runtime },
  });
}

function run(runtime: RuntimeName, parameters: ReadonlyArray<string>, input = "") {
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve, reject) => {
    const child = start(runtime, parameters);
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (part) => stdout += part);
    child.stderr.on("data", (part) => stderr += part);
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
    child.stdin.end(input);
  });
}
