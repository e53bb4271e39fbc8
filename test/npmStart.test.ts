/** `npm start` as who writes it into a script meets it: the server runs, and ends when npm is told to. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { freePort, runtimes } from "../src/testing/serverProcess.ts";

const repository = fileURLToPath(new URL("..", import.meta.url));

for (const runtime of runtimes) {
  t.test(`a signal to npm ends the server, on ${runtime}`, async (t) => {
    const data = mkdtempSync(join(tmpdir(), "tailrace-start-"));
    const { NODE_OPTIONS: _, ...environment } = process.env;
    const npm = spawn("npm", ["start"], {
      cwd: repository,
      env: {
        ...environment,
        TAILRACE_RUNTIME: runtime,
        TAILRACE_SERVER_HTTP_LISTEN_ADDRESS: "127.0.0.1",
        TAILRACE_SERVER_HTTP_LISTEN_PORT: `${await freePort()}`,
        TAILRACE_COMMON_PATH_PREFIX: data,
      },
      // A group of its own, so that nothing outlives the test when it fails.
      detached: true,
    });
    t.teardown(() => {
      try {
        process.kill(-npm.pid!, "SIGKILL");
      } catch {
        // It has ended.
      }
      rmSync(data, { recursive: true });
    });
    const closed = new Promise((resolve) => npm.once("close", resolve));
    let output = "";
    const take = (part: Buffer) => {
      const was = output;
      output += part;
      if (output.includes("listening on") && !was.includes("listening on")) npm.kill("SIGTERM");
    };
    npm.stdout.on("data", take);
    npm.stderr.on("data", take);
    await new Promise((resolve) => npm.once("exit", resolve));
    const isGone = t.throws(() => process.kill(-npm.pid!, 0), { code: "ESRCH" }, "nothing is left");
    if (isGone === false) return;
    await closed;
    t.match(output, /stopping.*stopped/s);
  });
}
