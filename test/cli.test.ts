/** The command line as its user meets it, as a process of its own on each runtime, against a small server that answers as Loki
 *  does: what is printed where, the exit codes, paging, retries, reconnecting. */
import { spawn } from "node:child_process";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import snappy from "snappy";
import t, { type Test } from "tap";
import { WebSocketServer } from "ws";
import { freePort, type RuntimeName, runtimes } from "../src/testing/serverProcess.ts";

const launcher = fileURLToPath(new URL("../bin/tailrace.mjs", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "tailrace-cli-"));
t.teardown(() => rmSync(directory, { recursive: true }));

for (const runtime of runtimes) {
  t.test(`on ${runtime}`, (t) => {
    t.test("help and version need nothing", async (t) => {
      const help = await run(runtime, ["--help"]);
      t.match(help, { code: 0, stderr: "" });
      for (const command of ["serve", "push", "query", "tail", "labels", "series", "config"]) {
        t.match(help.stdout, new RegExp(`^  ${command} `, "m"));
      }
      t.match(await run(runtime, ["--version"]), { code: 0, stdout: /^tailrace v\d/ });
    });

    t.test("a wrong command line is exit code 2 and a hint", async (t) => {
      t.match(await run(runtime, ["qurey"]), { code: 2, stdout: "", stderr: /query/ });
      t.match(await run(runtime, ["query", "{}", "--since=5"]), {
        code: 2,
        stderr: /not a duration/,
      });
      t.match(
        await run(runtime, ["config", "--server.http-port=1"]),
        { code: 2, stdout: "", stderr: /did you mean "server\.http_listen_port"/ },
      );
      t.match(
        await run(runtime, ["serve", "--target=ingester"]),
        { code: 2, stderr: /target: "ingester" needs storage.engine nats/ },
      );
      t.match(
        await run(runtime, ["serve", "--target=gateway"]),
        { code: 2, stderr: /target: "gateway" is not one of all/ },
      );
    });

    t.test("a wrong file of rules is exit code 2, whether it is checked or loaded", async (t) => {
      const file = join(directory, `rules-${runtime}.yaml`);
      writeFileSync(file, "groups: [{name: a, rules: [{alrt: x}]}]");
      for (const command of ["check", "load"]) {
        t.match(await run(runtime, ["rules", command, file]), {
          code: 2,
          stdout: "",
          stderr: /rules-\w+\.yaml:1:\d+: .*alrt/,
        });
      }
    });

    t.test("config prints where values come from", async (t) => {
      const file = join(directory, `${runtime}.yaml`);
      writeFileSync(file, "limits_config:\n  max_line_size: 1MB\n");
      const { code, stdout } = await run(
        runtime,
        ["config", `--config.file=${file}`, "--auth-enabled"],
        { TAILRACE_SERVER_HTTP_LISTEN_PORT: "1234" },
      );
      t.equal(code, 0);
      t.match(stdout, "auth_enabled: true # --auth-enabled\n");
      t.match(stdout, "  http_listen_port: 1234 # TAILRACE_SERVER_HTTP_LISTEN_PORT\n");
      t.match(stdout, `  max_line_size: 1MB # ${file}:2\n`);
      writeFileSync(file, "limits_config:\n  max_lin_size: 1MB\n");
      t.match(
        await run(runtime, ["config", "--check", `--config.file=${file}`]),
        {
          code: 2,
          stdout: "",
          stderr: `${file}:2: there is no setting "limits_config.max_lin_size"`,
        },
      );
    });

    t.test("config --check and serve find what is wrong within settings and between them", async (t) => {
      const file = join(directory, `${runtime}-wrong.yaml`);
      writeFileSync(
        file,
        [
          "target: querier",
          "limits_config:",
          "  retention_stream: [{ selector: '{a=b}', period: 24h }]",
          "  otlp_config: { log_attributes: [{ action: drop, regex: '(' }] }",
        ].join("\n"),
      );
      for (const command of [["config", "--check"], ["serve"]]) {
        const { code, stdout, stderr } = await run(runtime, [...command, `--config.file=${file}`]);
        t.equal(code, 2, command[0]);
        t.equal(stdout, "");
        t.match(stderr, "limits_config.retention_stream: the selector {a=b} cannot be read");
        t.match(stderr, 'limits_config.otlp_config: invalid regular expression "("');
        t.match(stderr, 'target: "querier" needs storage.engine nats');
      }
      t.equal((await run(runtime, ["config", `--config.file=${file}`])).code, 0, "it is printed");
    });

    t.test("a server that is not there is named, with how to start one", async (t) => {
      const address = `http://127.0.0.1:${await freePort()}`;
      for (const command of [["query", "{}"], ["tail", "{}"], ["labels"], ["push", "-l", "a=b"]]) {
        const result = await run(runtime, [...command, "--addr", address], {}, "x\n");
        t.match(result, { code: 1, stdout: "" }, command[0]);
        t.match(result.stderr, `No answer from ${address}: connection refused\nStart one with`);
      }
    });

    t.test("NATS that is not there: roles wait until they are told to stop, status says so", async (t) => {
      const nats = `--nats.url=nats://127.0.0.1:${await freePort()}`;
      const asked = run(runtime, ["cluster", "status", nats]);
      const server = start(runtime, [
        "serve",
        "--storage.engine=nats",
        nats,
        `--server.http-listen-port=${await freePort()}`,
        `--common.path-prefix=${join(directory, `waits-${runtime}`)}`,
      ]);
      await new Promise<void>((resolve) => {
        for (const output of [server.process.stdout, server.process.stderr]) {
          output.on("data", (part) => String(part).includes("cannot connect to NATS") && resolve());
        }
      });
      server.process.kill();
      t.match(await server.ended, { code: 0 });
      t.match(await asked, { code: 1, stdout: "", stderr: /No answer from NATS at nats:/ });
    });

    t.test("query pages through more lines of one timestamp than a page holds", async (t) => {
      const stored = Array.from({ length: 60 }, (_, index) => ({
        // Seven lines at each timestamp, pages of four.
        time: 1_700_000_000_000_000_000n + BigInt(Math.floor(index / 7)),
        line: `line ${index}`,
      }));
      const fake = await fakeLoki(t, (request, response) => {
        const parameters = new URL(request.url!, "http://x").searchParams;
        const [start, end] = ["start", "end"].map((name) => BigInt(parameters.get(name)!)) as [
          bigint,
          bigint,
        ];
        const found = stored.filter(({ time }) => time >= start && time < end);
        if (parameters.get("direction") === "backward") found.reverse();
        const values = found.slice(0, Number(parameters.get("limit")))
          .map(({ time, line }) => [String(time), line, {}]);
        const result = values.length === 0 ? [] : [{ stream: { app: "x" }, values }];
        answer(response, { status: "success", data: { resultType: "streams", result } });
      });
      const query = (...flags: Array<string>) =>
        run(runtime, [
          ...[
            "query",
            '{app="x"}',
            "--from=1699999999",
            "--to=1700000001",
            "--batch=4",
            "-o",
            "raw",
          ],
          ...["--addr", fake.url, ...flags],
        ]);
      const lines = stored.map(({ line }) => `${line}\n`);
      t.equal((await query("--limit=0", "--forward")).stdout, lines.join(""));
      t.equal((await query("--limit=0")).stdout, lines.toReversed().join(""));
      t.equal((await query("--limit=10")).stdout, lines.slice(-10).reverse().join(""));
    });

    t.test("query prints times, labels and metadata as asked", async (t) => {
      const entry = [
        "1700000000123456789",
        'say "hi"',
        { structuredMetadata: { trace: "1" }, parsed: { status: "200" } },
      ];
      const fake = await fakeLoki(t, (request, response) => {
        t.equal(request.headers["x-loki-response-encoding-flags"], "categorize-labels");
        t.equal(request.headers["x-scope-orgid"], "team");
        t.equal(request.headers["authorization"], "Bearer x");
        const result = [{ stream: { b: "2", a: "1" }, values: [entry] }];
        answer(response, { data: { resultType: "streams", result } });
      });
      const query = async (...flags: Array<string>) =>
        (await run(
          runtime,
          ["query", "{}", "--tenant=team", "--header", "Authorization: Bearer x", ...flags],
          { TAILRACE_ADDR: fake.url },
        )).stdout;
      t.equal(
        await query("--timezone=UTC"),
        '2023-11-14T22:13:20.123Z {a="1", b="2"} say "hi"\n',
      );
      t.equal(
        await query("--timezone=Asia/Kolkata", "--labels=all"),
        '2023-11-15T03:43:20.123+05:30 {a="1", b="2", status="200", trace="1"} say "hi"\n',
      );
      t.strictSame(JSON.parse(await query("--output=jsonl")), {
        timestamp: "2023-11-14T22:13:20.123456789Z",
        labels: { a: "1", b: "2" },
        structuredMetadata: { trace: "1" },
        parsed: { status: "200" },
        line: 'say "hi"',
      });
    });

    t.test("query shows the server's error with a caret, and finding nothing is no error", async (t) => {
      const error = "parse error at line 1, col 3: syntax error";
      let fake = await fakeLoki(t, (_request, response) => answer(response, error, 400));
      t.strictSame(
        await run(runtime, ["query", "{a b}", "--addr", fake.url]),
        { code: 1, stdout: "", stderr: `${error}\n\n  {a b}\n    ^\n` },
      );
      fake = await fakeLoki(t, (_request, response) => {
        answer(response, { data: { resultType: "streams", result: [] } });
      });
      t.strictSame(
        await run(runtime, ["query", "{}", "--addr", fake.url]),
        { code: 0, stdout: "", stderr: "" },
      );
    });

    t.test("labels and series print one thing a line", async (t) => {
      const asked: Array<string> = [];
      const fake = await fakeLoki(t, (request, response) => {
        const { pathname, searchParams } = new URL(request.url!, "http://x");
        asked.push(`${pathname} ${searchParams.get("match[]")}`);
        answer(
          response,
          pathname.endsWith("series") ? { data: [{ b: "2", a: "1" }] } : { data: ["x", "y"] },
        );
      });
      const addr = ["--addr", fake.url];
      t.equal((await run(runtime, ["labels", ...addr])).stdout, "x\ny\n");
      t.equal((await run(runtime, ["labels", "a/b", ...addr])).stdout, "x\ny\n");
      t.equal((await run(runtime, ["series", '{a="1"}', ...addr])).stdout, '{a="1", b="2"}\n');
      t.strictSame(asked, [
        "/loki/api/v1/labels null",
        "/loki/api/v1/label/a%2Fb/values null",
        '/loki/api/v1/series {a="1"}',
      ]);
    });

    t.test("push sends files and standard input, and sends again when asked to wait", async (t) => {
      const bodies: Array<Buffer> = [];
      let refusals = 1;
      const fake = await fakeLoki(t, async (request, response) => {
        const parts: Array<Buffer> = [];
        for await (const part of request) parts.push(part);
        if (refusals-- > 0) {
          response.setHeader("retry-after", "1");
          return answer(response, "too fast", 429);
        }
        t.match(request.headers, { "content-type": "application/x-protobuf" });
        bodies.push(Buffer.from(await snappy.uncompress(Buffer.concat(parts), { asBuffer: true })));
        response.writeHead(204).end();
      });
      const sent = () => Buffer.concat(bodies.splice(0)).toString("latin1");
      const push = (...flags: Array<string>) => ["push", "--addr", fake.url, ...flags];
      const piped = await run(runtime, push("-l", "a=b", "-l", 'c=d"e'), {}, "one\ntwo\nthree");
      t.match(piped, { code: 0, stderr: "", stdout: /^Pushed 3 lines, 0\.0 MB in / });
      t.match(sent(), /\{a="b", c="d\\"e"\}.*one.*two.*three/s);
      const folder = mkdtempSync(join(directory, "push-"));
      writeFileSync(join(folder, "1.log"), "from a file\n");
      writeFileSync(join(folder, "2.log.gz"), gzipSync("compressed\n".repeat(3)));
      const files = await run(runtime, push("--labels", '{job="x"}', folder));
      t.match(files, { code: 0, stdout: /^Pushed 4 lines/ });
      t.match(sent(), /\{job="x"\}.*from a file.*compressed/s);
      t.match(await run(runtime, push()), { code: 2, stderr: /needs a label/ });
      t.match(await run(runtime, push("-l", "a=b", "/no/such/file")), {
        code: 1,
        stderr: /ENOENT/,
      });
    });

    t.test("completions know every command and the settings", async (t) => {
      const { code, stdout } = await run(runtime, ["completions", "fish"]);
      t.equal(code, 0);
      for (const word of ["-a 'completions'", "server.http-listen-port"]) {
        t.match(stdout, word);
      }
      t.match(stdout, "tailrace completions fish > ");
      t.notMatch(stdout, "--completions");
    });

    t.test("push reports lines the server refuses, and fails", async (t) => {
      const fake = await fakeLoki(t, async (request, response) => {
        await request.resume().toArray();
        answer(response, "line too long", 400);
      });
      t.match(
        await run(runtime, ["push", "-l", "a=b", "--addr", fake.url], {}, "x\n"),
        { code: 1, stderr: "The server refused some lines:\nline too long\n" },
      );
    });

    t.test("inspect reads a segment and says what is wrong with a damaged one", async (t) => {
      const golden = fileURLToPath(new URL("golden/segment-v1.bin", import.meta.url));
      const shown = await run(runtime, ["inspect", "segment", golden, "--chunks", "--verify"]);
      t.match(shown, { code: 0, stdout: /log offsets.*streams, .*Every byte is as it was/s });
      const damaged = join(directory, "damaged.seg");
      const bytes = readFileSync(golden);
      bytes[100]! ^= 1;
      writeFileSync(damaged, bytes);
      t.match(
        await run(runtime, ["inspect", "segment", damaged, "--verify"]),
        { code: 1, stdout: "", stderr: `${damaged}: Corrupt segment: ` },
      );
      t.match(
        await run(runtime, ["inspect", "log", golden]),
        { code: 1, stderr: `${golden}: the file does not start as a write log file does` },
      );
    });

    t.test("rebuild-index makes an index of what there is", async (t) => {
      const data = mkdtempSync(join(directory, "data-"));
      t.match(
        await run(runtime, ["rebuild-index"], { TAILRACE_COMMON_PATH_PREFIX: data }),
        { code: 0, stdout: `${data}/index.sqlite now has 0 segments\n`, stderr: "" },
      );
      t.ok(readdirSync(data).includes("index.sqlite"));
    });

    t.test("tail goes on after a lost connection without losing or repeating a line", async (t) => {
      const fake = await fakeLoki(t, (_request, response) => answer(response, "no", 404));
      const sockets = new WebSocketServer({ server: fake.server });
      t.teardown(() => sockets.close());
      const starts: Array<string | null> = [];
      const frame = (...lines: Array<[string, string]>) =>
        JSON.stringify({
          streams: [{ stream: { a: "1" }, values: lines.map((line) => [...line, {}]) }],
        });
      sockets.on("connection", (socket, request) => {
        starts.push(new URL(request.url!, "http://x").searchParams.get("start"));
        if (starts.length === 1) {
          socket.send(frame(["1", "a"], ["2", "b"]), () => socket.terminate());
        } else {
          socket.send(frame(["2", "b"], ["2", "c"], ["3", "d"]));
        }
      });
      const child = start(runtime, ["tail", '{a="1"}', "-o", "raw", "--addr", fake.url]);
      await child.printed("a\nb\nc\nd\n");
      child.process.kill("SIGTERM");
      const { code, stdout, stderr } = await child.ended;
      t.strictSame([code, stdout], [0, "a\nb\nc\nd\n"]);
      t.match(stderr, /connecting again/);
      t.equal(starts[1], "2");
    });

    t.test("tail shows why the server refuses a query, and ends", async (t) => {
      const fake = await fakeLoki(t, (_request, response) => answer(response, "never", 500));
      fake.server.on("upgrade", (_request, socket) => {
        const body = "parse error at line 1, col 2: oh";
        socket.end(
          `HTTP/1.1 400 Bad Request\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
        );
      });
      t.strictSame(
        await run(runtime, ["tail", "{", "--addr", fake.url]),
        { code: 1, stdout: "", stderr: "parse error at line 1, col 2: oh\n\n  {\n   ^\n" },
      );
    });
    t.end();
  });
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(runtime: RuntimeName, parameters: Array<string>, env: Record<string, string> = {}) {
  const environment: NodeJS.ProcessEnv = {
    ...process.env,
    NO_COLOR: "1",
    TAILRACE_RUNTIME: runtime,
    ...env,
  };
  // tap adds its hooks to the options of every Node that it sees being started: they are taken away out of its sight.
  const command = ["-u", "NODE_OPTIONS", process.execPath, launcher, ...parameters];
  const child = spawn("env", command, {
    env: environment,
    cwd: directory,
  });
  let [stdout, stderr] = ["", ""];
  const waiting: Array<() => void> = [];
  child.stdout.on("data", (part) => {
    stdout += part;
    for (const check of waiting) check();
  });
  child.stderr.on("data", (part) => stderr += part);
  const ended = new Promise<Ended>((resolve) =>
    child.on("close", (code) => resolve({ code, stdout, stderr }))
  );
  /** Resolves when standard output is `text`, or has ended without being it. */
  const printed = (text: string) =>
    Promise.race([
      ended,
      new Promise<void>((resolve) => {
        const check = () => stdout === text && resolve();
        waiting.push(check);
        check();
      }),
    ]);
  return { process: child, ended, printed };
}

function run(
  runtime: RuntimeName,
  parameters: Array<string>,
  env: Record<string, string> = {},
  input = "",
): Promise<Ended> {
  const child = start(runtime, parameters, env);
  child.process.stdin.on("error", () => {});
  child.process.stdin.end(input);
  return child.ended;
}

async function fakeLoki(
  t: Test,
  handle: (request: IncomingMessage, response: ServerResponse) => void | Promise<void>,
) {
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function answer(response: ServerResponse, body: unknown, status = 200): void {
  response.statusCode = status;
  response.end(typeof body === "string" ? body : JSON.stringify(body));
}
