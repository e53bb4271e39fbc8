/** A request that is given up ends, with its connection; S3ObjectStore.test.ts has what answers must be. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import t from "tap";
import { HttpClient } from "./httpClient.ts";

t.test("a request that is given up in the middle of its answer reads no further", async (t) => {
  const closed = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const server = createServer((_request, response) => {
    response.on("close", closed.resolve);
    response.writeHead(200, { "content-length": "10" });
    response.write("half");
    asked.resolve();
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  t.teardown(() => server.close());
  const client = new HttpClient(false, undefined, 1);
  t.teardown(() => client.close());
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const request = { method: "GET", url, headers: {}, idleMs: 60_000, bytesMax: 100 };
  const stop = new AbortController();
  const answer = client.send({ ...request, signal: stop.signal });
  await asked.promise;
  stop.abort();
  await t.rejects(answer, { message: "the request was given up" });
  await closed.promise;
  await t.rejects(client.send({ ...request, signal: stop.signal }), {
    message: "the request was given up",
  });
});
