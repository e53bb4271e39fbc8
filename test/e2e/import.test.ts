/** `tailrace import` from a server that speaks Loki's API (another Tailrace) into an empty one: every line with its labels, time and
 *  metadata, also where more lines share a timestamp than a page holds, and a second run changes nothing. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import t from "tap";
import { PushClient } from "../../src/testing/pushClient.ts";
import { QueryClient } from "../../src/testing/queryClient.ts";
import { runtimes, ServerProcess, settingsWithoutLimits } from "../../src/testing/serverProcess.ts";

const launcher = fileURLToPath(new URL("../../bin/tailrace.mjs", import.meta.url));
const run = promisify(execFile);
const hour = 3_600_000_000_000n;

for (const runtime of runtimes) {
  t.test(runtime, async (t) => {
    const settings = { ...settingsWithoutLimits, auth_enabled: "true" };
    const [source, target] = await Promise.all(
      [0, 1].map(() => ServerProcess.start({ runtime, settings })),
    ) as [ServerProcess, ServerProcess];
    t.teardown(() => Promise.all([source.remove(), target.remove()]));
    const now = BigInt(Math.floor(Date.now() / 1000)) * 1_000_000_000n;
    await fill(source, now);
    const importing = (...flags: ReadonlyArray<string>) =>
      run(process.execPath, [
        ...[launcher, "import", "--source", source.baseUrl, "--source-tenant=old", "--tenant=new"],
        ...["--addr", target.baseUrl, `--from=${now - 50n * hour}`, `--to=${now + hour}`],
        ...["--batch=20", ...flags],
      ], { env: { ...process.env, TAILRACE_RUNTIME: runtime, NODE_OPTIONS: "" } });
    const { stdout } = await importing();
    t.match(stdout, /^Imported 1260 lines of 4 streams/);
    await importing();
    const wanted = await everything(source, "old", now);
    t.equal(wanted.length, 1260);
    t.same(await everything(target, "new", now), wanted);
    const { stdout: one } = await importing('{app="a", part="1"}');
    t.match(one, /^Imported 315 lines of 1 streams/);
  });

  t.test(`${runtime}: a tenant that means nothing`, async (t) => {
    const [open, closed] = await Promise.all(
      ["false", "true"].map((auth_enabled) =>
        ServerProcess.start({ runtime, settings: { auth_enabled } })
      ),
    ) as [ServerProcess, ServerProcess];
    t.teardown(() => Promise.all([open.remove(), closed.remove()]));
    const importing = (from: ServerProcess, to: ServerProcess, ...flags: ReadonlyArray<string>) =>
      run(process.execPath, [
        ...[launcher, "import", "--source", from.baseUrl, "--addr", to.baseUrl, "--since=1h"],
        ...flags,
      ], { env: { ...process.env, TAILRACE_RUNTIME: runtime, NODE_OPTIONS: "" } });
    const both = ["--source-tenant=a", "--tenant=b"];
    const refused = (from: ServerProcess, to: ServerProcess) =>
      importing(from, to, ...both).catch((error: { stderr: string }) => error);
    t.match(await refused(closed, open), {
      code: 1,
      stderr: /--tenant b means nothing to http.* auth_enabled: false .*Leave --tenant out/,
    });
    t.match(await refused(open, closed), { code: 1, stderr: /--source-tenant a means nothing/ });
    t.match((await importing(open, closed, "--tenant=b")).stdout, /^Imported 0 lines/);
    t.match((await importing(closed, open, "--source-tenant=a")).stdout, /^Imported 0 lines/);
  });
}

/** Four streams over two days; one has fewer labels than the others; most timestamps are taken many times. */
async function fill(server: ServerProcess, now: bigint): Promise<void> {
  const push = new PushClient(server.baseUrl, { tenant: "old" });
  const streams = ['{app="a"}', ...[1, 2, 3].map((part) => `{app="a", part="${part}"}`)];
  await push.push(streams.map((labels, stream) => ({
    labels,
    entries: Array.from({ length: 315 }, (_, index) => ({
      timestamp: now - BigInt(index % 9) * 6n * hour - (index < 100 ? 0n : BigInt(index)),
      line: `line ${index} of ${stream} \u{1f600} "quoted"\t`,
      ...(index % 4 === 0 ? { metadata: { trace_id: `t${index % 3}`, empty: "x" } } : {}),
    })),
  })));
  push.close();
}

async function everything(server: ServerProcess, tenant: string, now: bigint): Promise<string[]> {
  const query = new QueryClient(server.baseUrl, { tenant });
  const { result } = await query.streams({
    query: '{app="a"}',
    start: now - 100n * hour,
    end: now + hour,
    limit: 10_000,
    direction: "forward",
    categorize: true,
  });
  query.close();
  return result.flatMap(({ stream, values }) =>
    values.map(([time, line, extra]) => JSON.stringify([stream, time, line, extra]))
  ).sort();
}
