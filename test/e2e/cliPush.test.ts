/** `tailrace push` with the real server: files of this machine, a third of them compressed, go in as a directory and come back
 *  line by line as `zcat` prints them. realLogs.test.ts owns filters; test/cli.test.ts owns the command line itself. */
import { execFile } from "node:child_process";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import t from "tap";
import { onServer } from "../../src/testing/onServer.ts";
import { copyRealLogs } from "../../src/testing/realLogs.ts";

const bytes = Number(process.env["TAILRACE_REAL_LOG_BYTES"] ?? "3000000");
const launcher = fileURLToPath(new URL("../../bin/tailrace.mjs", import.meta.url));
const run = promisify(execFile);
const directory = mkdtempSync(join(tmpdir(), "tailrace-push-"));
t.teardown(() => rmSync(directory, { recursive: true }));
for (const [index, { name, lines }] of copyRealLogs(directory, bytes).entries()) {
  if (index % 3 > 0) continue;
  writeFileSync(join(directory, name), gzipSync(lines.map((line) => `${line}\n`).join("")));
  renameSync(join(directory, name), join(directory, `${name}.gz`));
}

onServer({ "limits_config.max_line_size": "0" }, {
  "a directory, compressed files in it, comes back as zcat prints it": async (t, scenario) => {
    const { server, query, app } = scenario;
    const start = BigInt(Date.now()) * 1_000_000n;
    const { stdout, stderr } = await run(process.execPath, [
      ...[launcher, "push", `--addr=${server.baseUrl}`, "--label", `app=${app}`],
      directory,
    ], { env: { ...process.env, TAILRACE_RUNTIME: server.runtime, NODE_OPTIONS: "" } });
    t.comment(`${stdout}${stderr}`.trim().replaceAll("\n", " / "));
    const script =
      `for f in $(ls | LC_ALL=C sort); do zcat -f "$f"; test -z "$(zcat -f "$f" | tail -c 1)" || echo; done`;
    const printed = await run("sh", ["-c", script], { cwd: directory, maxBuffer: 2_000_000_000 });
    const wanted = printed.stdout.split("\n").map((line) => line.replace(/\r$/, ""));
    wanted.pop();
    const range = { query: `{app="${app}"}`, start, end: start + 3_600_000_000_000n };
    for (const when of ["as pushed", "in segments"]) {
      if (when === "in segments") await query.flush();
      const found = await query.all({ ...range, limit: 50_000 });
      t.equal(found.length, wanted.length, `as many lines, ${when}`);
      const wrong = found.findIndex(({ line }, index) => line !== wanted[index]);
      t.equal(wrong, -1, `every line in its place, ${when}`);
    }
    for (const batch of ["4000", "20000"]) {
      const { stdout: raw } = await run(process.execPath, [
        ...[launcher, "query", `--addr=${server.baseUrl}`, `{app="${app}"}`, "--forward"],
        ...["--limit=0", "--output=raw", `--batch=${batch}`],
      ], {
        env: { ...process.env, TAILRACE_RUNTIME: server.runtime, NODE_OPTIONS: "" },
        maxBuffer: 2_000_000_000,
      });
      t.ok(raw === wanted.map((line) => `${line}\n`).join(""), `query prints it, batch ${batch}`);
    }
    t.match(stdout, new RegExp(wanted.length.toLocaleString("en-US") + `|${wanted.length}`));
  },
});
