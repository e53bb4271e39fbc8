/** A power cut of all NATS servers at once: each has its store on a file system in an image file; the processes are killed, the
 *  images are copied as the file systems have written them so far, and the servers go on with the copies. What the kernel had
 *  not written is gone. Needs root and loop devices, and takes a minute, so it runs only with TAILRACE_POWER_CUT=1;
 *  TAILRACE_POWER_CUT_SYNC=2m shows what NATS loses by default. The copies are not made at one instant: an approximation. */
import t from "tap";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AcknowledgedLines } from "../../src/testing/acknowledgedLines.ts";
import { NatsServers } from "../../src/testing/natsServer.ts";
import { randomFrom } from "../../src/testing/random.ts";
import { runtimes, ServerProcess } from "../../src/testing/serverProcess.ts";

const isWanted = process.env["TAILRACE_POWER_CUT"] === "1";
const syncInterval = process.env["TAILRACE_POWER_CUT_SYNC"] ?? "always";
const seconds = Number(process.env["TAILRACE_POWER_CUT_SECONDS"] ?? "20");
const imageMb = 1024;
const names = ["n1", "n2", "n3"];

const run = (program: string, ...parameters: ReadonlyArray<string>) =>
  execFileSync(program, parameters, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

if (!isWanted) t.pass("TAILRACE_POWER_CUT=1 runs this");
else {
  t.test(`the power of three servers with sync_interval ${syncInterval} is cut`, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "tailrace-power-"));
    const mounts = names.map((name) => join(directory, name));
    t.teardown(() => {
      for (const mount of mounts) run("umount", mount);
      rmSync(directory, { recursive: true, force: true });
    });
    const image = (mount: string) => `${mount}.img`;
    for (const mount of mounts) {
      mkdirSync(mount);
      run("truncate", "-s", `${imageMb}M`, image(mount));
      run("mkfs.ext4", "-q", "-F", image(mount));
      run("mount", "-o", "loop", image(mount), mount);
    }
    const stores = Object.fromEntries(names.map((name, at) => [name, join(mounts[at]!, "store")]));
    const servers = await NatsServers.start({ nodes: 3, stores, syncInterval });
    t.teardown(() => servers.remove());
    const server = await ServerProcess.start({
      runtime: runtimes.at(-1)!,
      settings: {
        "storage.engine": "nats",
        "nats.url": servers.urls,
        "ingester.partitions": "2",
        "nats.log_max_bytes": "128MB",
        "ingester.max_segment_age": "5s",
        "querier.workers": "1",
      },
    });
    t.teardown(() => server.remove());
    const lines = new AcknowledgedLines({
      distributors: [server.baseUrl],
      queriers: [server.baseUrl],
      writerCount: 4,
      linesPerPush: 20,
      random: randomFrom("power"),
    });
    const running = lines.run();
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    await Promise.all(servers.nodes.map((node) => node.kill()));
    const acknowledged = lines.acknowledged;
    for (const mount of mounts) run("cp", "--sparse=always", image(mount), `${mount}.cut`);
    for (const mount of mounts) {
      run("umount", mount);
      run("mv", `${mount}.cut`, image(mount));
      run("mount", "-o", "loop", image(mount), mount);
    }
    await Promise.all(servers.nodes.map((node) => node.start()));
    await new Promise((resolve) => setTimeout(resolve, 5000));
    lines.stop();
    await running;
    t.comment(`${acknowledged} lines were acknowledged before, ${lines.acknowledged} in all`);
    t.same(lines.violations.slice(0, 10), [], "every answer");
    t.same((await lines.checkAll(server.baseUrl)).slice(0, 10), [], "everything at the end");
  });
}
