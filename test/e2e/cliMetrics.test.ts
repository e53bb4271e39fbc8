/** `tailrace query` with metric queries and --explain, against the real server. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { onServer, type ScenarioBody } from "../../src/testing/onServer.ts";

const launcher = fileURLToPath(new URL("../../bin/tailrace.mjs", import.meta.url));
const second = 1_000_000_000n;

onServer({}, { "samples are printed as lines, JSON and values; explain instead of them": samples });

async function samples(
  ...[t, { server, push, app, now }]: Parameters<ScenarioBody>
): Promise<void> {
  const entries = [0n, 1n, 10n].map((at) => ({ timestamp: now + at * second, line: "x" }));
  await push.push([{ labels: `{app="${app}"}`, entries }]);
  const query = `sum by (app) (count_over_time({app="${app}"}[5s]))`;
  const run = async (...flags: ReadonlyArray<string>) => {
    const range = [`--from=${now / second}`, `--to=${now / second + 10n}`, "--timezone=UTC"];
    const parameters = ["query", "--addr", server.baseUrl, ...range, ...flags];
    const { code, output } = await tailrace([...parameters, query]);
    t.equal(code, 0, output);
    return output.trimEnd().split("\n");
  };
  const time = (after: bigint) =>
    new Date(Number((now + after * second) / 1_000_000n)).toISOString();
  t.same(await run("--step=5s"), [
    `${time(0n)} {app="${app}"} 1`,
    `${time(5n)} {app="${app}"} 1`,
    `${time(10n)} {app="${app}"} 1`,
  ]);
  t.same(await run("--step=5s", "-o", "raw"), ["1", "1", "1"]);
  const [line] = await run("--instant", "-o", "jsonl");
  t.same(JSON.parse(line!), {
    timestamp: time(10n).replace("000Z", "000000000Z"),
    labels: { app },
    value: "1",
  });
  const explained = (await run("--step=5s", "--explain")).join("\n");
  t.match(explained, /^type: metric$/m);
  t.match(explained, /pushedDown: sum/);
  t.match(explained, /- step: scan/);
  t.notMatch(explained, time(0n), "the result is left out");
  const [json] = await run("--explain", "-o", "jsonl");
  t.equal((JSON.parse(json!) as { type: string }).type, "metric");
}

function tailrace(
  parameters: ReadonlyArray<string>,
): Promise<{ code: number | null; output: string }> {
  // tap adds its hooks to the options of every Node that it sees being started: they are taken away out of its sight.
  const child = spawn("env", ["-u", "NODE_OPTIONS", process.execPath, launcher, ...parameters], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (part: string) => output += part);
  }
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, output })));
}
