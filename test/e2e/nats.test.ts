/** A server that keeps everything in three NATS servers: what was acknowledged survives its kill -9 and the loss of its own
 *  directory, whether it was flushed or not. */
import t from "tap";
import { NatsServers } from "../../src/testing/natsServer.ts";
import { PushClient } from "../../src/testing/pushClient.ts";
import { QueryClient } from "../../src/testing/queryClient.ts";
import { runtimes, ServerProcess } from "../../src/testing/serverProcess.ts";

for (const runtime of runtimes) {
  t.test(`everything is in NATS: ${runtime}`, async (t) => {
    const nats = await NatsServers.start({ nodes: 3 });
    t.teardown(() => nats.remove());
    const settings = {
      "storage.engine": "nats",
      "nats.url": nats.urls,
      "ingester.partitions": "2",
    };
    const now = BigInt(Math.floor(Date.now() / 1000)) * 1_000_000_000n;
    const linesOf = async (server: ServerProcess) => {
      const query = new QueryClient(server.baseUrl);
      const found = await query.all({
        query: '{app=~".+"}',
        start: now - 3_600_000_000_000n,
        end: now + 3_600_000_000_000n,
      });
      return found.map(({ line }) => line).sort();
    };
    const pushed: string[] = [];
    const pushTo = async (server: ServerProcess, count: number) => {
      const push = new PushClient(server.baseUrl);
      for (let index = 0; index < count; index++) {
        const line = `line ${String(pushed.length).padStart(5, "0")}`;
        const labels = `{app="app${index % 7}"}`;
        const entries = [{ timestamp: now + BigInt(pushed.length), line }];
        await push.push([{ labels, entries }]);
        pushed.push(line);
      }
    };

    const first = await ServerProcess.start({ runtime, settings });
    t.teardown(() => first.remove());
    await pushTo(first, 30);
    t.same(await linesOf(first), pushed, "before a flush");
    await new QueryClient(first.baseUrl).flush();
    t.same(await linesOf(first), pushed, "after it");
    await pushTo(first, 20);
    await first.kill();

    const second = await ServerProcess.start({ runtime, settings });
    t.teardown(() => second.remove());
    t.same(await linesOf(second), pushed, "another server, with an empty directory");
    await pushTo(second, 10);
    t.equal((await second.stop()).code, 0);

    await second.launchAndWait();
    t.same(await linesOf(second), pushed, "the same again, with what it left");
    await second.kill();
  });
}
