/** Tenants: with auth_enabled nobody sees another's lines, and nobody gets in without a name. */
import { onServer } from "../../src/testing/onServer.ts";
import { protobufBody, PushClient } from "../../src/testing/pushClient.ts";
import { QueryClient } from "../../src/testing/queryClient.ts";
import { TailClient } from "../../src/testing/tailClient.ts";

onServer({ auth_enabled: "true" }, {
  "each tenant sees its own lines": async (t, { server, app, now }) => {
    const tenants = ["alpha", "beta", "a-tenant_with.all*of'the(signs)!"];
    const range = { query: `{app="${app}"}`, start: now, end: now + 1n };
    const clients = tenants.map((tenant) => new QueryClient(server.baseUrl, { tenant }));
    t.teardown(() => clients.forEach((client) => client.close()));
    for (const tenant of tenants) {
      const push = new PushClient(server.baseUrl, { tenant });
      await push.push([{
        labels: `{app="${app}", own="${tenant}"}`,
        entries: [{ timestamp: now, line: `line of ${tenant}` }],
      }]);
      push.close();
    }
    for (const when of ["in memory", "in a segment"]) {
      if (when === "in a segment") await clients[0]?.flush();
      for (const [index, tenant] of tenants.entries()) {
        const client = clients[index] as QueryClient;
        t.same((await client.range(range)).map(({ line }) => line), [`line of ${tenant}`], when);
        t.same(await client.values("own", now, now + 1n), [tenant], when);
        const series = await client.series(`{app="${app}"}`, now, now + 1n);
        t.same(series.map(({ own }) => own), [tenant], when);
      }
    }
    const stranger = new QueryClient(server.baseUrl, { tenant: "gamma" });
    t.same(await stranger.range(range), []);
    t.same(await stranger.labels(now, now + 1n), []);
    stranger.close();
  },
  "a tail shows one tenant's lines": async (t, { server, app, now }) => {
    const tail = await TailClient.open(server.baseUrl, {
      query: `{app="${app}"}`,
      start: now,
      tenant: "alpha",
    });
    for (const tenant of ["beta", "alpha"]) {
      const push = new PushClient(server.baseUrl, { tenant });
      await push.push([{
        labels: `{app="${app}"}`,
        entries: [{ timestamp: now, line: `line of ${tenant}` }],
      }]);
      push.close();
    }
    while (tail.entries.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    await new Promise((resolve) => setTimeout(resolve, 300));
    t.same(tail.entries.map(({ line }) => line), ["line of alpha"]);
    await tail.close();
  },
  "without a tenant nothing is answered": async (t, { push, query, server, now }) => {
    const body = protobufBody([{ labels: `{app="x"}`, entries: [{ timestamp: now, line: "x" }] }]);
    const replies = [
      await push.send(body),
      await query.get("/loki/api/v1/labels"),
      await query.get("/loki/api/v1/query_range", { query: `{app="x"}` }),
      await query.get("/loki/api/v1/series"),
    ];
    for (const reply of replies) t.same([reply.status, reply.body], [401, "no org id\n"]);
    const refused = await TailClient.open(server.baseUrl, { query: `{app="x"}` }).catch((error) =>
      error
    );
    t.match(refused, { status: 401 });
    t.equal((await query.get("/ready")).status, 200, "operators need no tenant");
  },
  "a name that is no tenant is refused": async (t, { server, now }) => {
    const names = ["a|b", "a/b", "..", ".", "a b", "x".repeat(151), "ä"];
    for (const tenant of names) {
      const push = new PushClient(server.baseUrl, {
        tenant: encodeURI(tenant) === tenant ? tenant : Buffer.from(tenant).toString("latin1"),
      });
      const reply = await push.send(
        protobufBody([{ labels: `{app="x"}`, entries: [{ timestamp: now, line: "x" }] }]),
      );
      push.close();
      t.ok(reply.status === 400 || reply.status === 401, `${tenant}: ${reply.status}`);
      t.not(reply.body.trim(), "", tenant);
    }
  },
});

onServer({}, {
  "without auth_enabled the header changes nothing": async (t, { server, query, app, now }) => {
    const push = new PushClient(server.baseUrl, { tenant: "someone" });
    await push.push([{ labels: `{app="${app}"}`, entries: [{ timestamp: now, line: "x" }] }]);
    push.close();
    const found = await query.range({ query: `{app="${app}"}`, start: now, end: now + 1n });
    t.same(found.map(({ line }) => line), ["x"]);
  },
});
