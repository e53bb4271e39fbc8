/** A client against a server: lines that cannot be sent do not stop those that can. */
import { Effect, Result } from "effect";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import t from "tap";
import { HttpSender } from "../../platform/httpPush.ts";
import { CollectorMetrics } from "../collectorMetrics.ts";
import { parseConfig } from "../config/load.ts";
import { PushClient } from "./PushClient.ts";

const asked: Array<string | undefined> = [];
const server = createServer((request, response) => {
  asked.push(request.headers["x-scope-orgid"]?.toString());
  request.resume();
  response.writeHead(204).end();
});
await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
t.teardown(() => server.close());

t.test("lines of a tenant that no header can carry are given up, counted and told", async (t) => {
  const text = `clients: [{url: ${url}}]\nscrape_configs: []\n`;
  const parsed = parseConfig({ file: "p.yaml", text, environment: null });
  if (Result.isFailure(parsed)) return void t.fail(parsed.failure.message);
  const metrics = new CollectorMetrics();
  const client = new PushClient(parsed.success.clients[0]!, metrics, "a");
  t.teardown(() => client.close());
  for (const tenant of ["good", "sn\u2603w", "two\r\nx-lines: 1", "nul\0", "good"]) {
    const body = { tenant, external: "", lines: 3, lineBytes: 30, bytes: new Uint8Array(10) };
    await Effect.runPromise(client.deliver(body, () => true));
  }
  t.same(asked, ["good", "good"]);
  const dropped = (tenant: string) => {
    const labels = { host: new URL(url).host, tenant, reason: "ingester_error" };
    return metrics.series(metrics.droppedEntries, labels).value;
  };
  t.same(["good", "sn\u2603w", "two\r\nx-lines: 1", "nul\0"].map(dropped), [0, 3, 3, 3]);
});

t.test("a request that cannot be made is a failure, and nothing else later", async (t) => {
  const sender = new HttpSender(url, undefined, 1);
  t.teardown(() => sender.close());
  const post = sender.post({ name: "\u2603" }, new Uint8Array(1), 10, new AbortController().signal);
  await t.rejects(post, /Invalid character/);
  // What waited for an answer ended the process then.
  await new Promise((resolve) => setTimeout(resolve, 50));
});
