/** Syslog into the collector, over TCP and UDP, and out of the real server, with labels by relabel rules. */
import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { CollectorProcess } from "../../src/testing/collectorProcess.ts";
import { onServer } from "../../src/testing/onServer.ts";
import { freePort } from "../../src/testing/serverProcess.ts";

onServer({}, {
  "messages of both forms arrive": async (t, { server, app, query, now }) => {
    const [tcp, udp] = [await freePort(), await freePort()];
    const job = (name: string, syslog: Record<string, unknown>) => ({
      job_name: name,
      syslog: { labels: { app }, use_incoming_timestamp: false, ...syslog },
      relabel_configs: [{
        source_labels: ["__syslog_message_hostname"],
        target_label: "host",
      }],
    });
    const collector = await CollectorProcess.start({
      runtime: server.runtime,
      config: () => ({
        clients: [{ url: `${server.baseUrl}/loki/api/v1/push`, batchwait: "100ms" }],
        scrape_configs: [
          job("tcp", { listen_address: `127.0.0.1:${tcp}` }),
          job("udp", {
            listen_address: `127.0.0.1:${udp}`,
            listen_protocol: "udp",
            syslog_format: "rfc3164",
          }),
        ],
      }),
    });
    t.teardown(() => collector.remove());
    const counted = "<34>1 - web su - - - two\nlines";
    connect(tcp, "127.0.0.1").end(
      `<34>1 - db su - - - one\n${counted.length} ${counted}nonsense\n`,
    );
    const socket = createSocket("udp4");
    socket.send("<13>Oct 11 22:14:15 mail su: three", udp, "127.0.0.1", () => socket.close());
    const range = { query: `{app="${app}"}`, start: now, end: now * 2n };
    let found = await query.range(range);
    while (found.length < 3) {
      if (!collector.isRunning) throw new Error(collector.output);
      await new Promise((resolve) => setTimeout(resolve, 50));
      found = await query.range(range);
    }
    t.strictSame(
      found.map(({ labels, line }) => `${labels["host"]}: ${line}`).sort(),
      ["db: one", "mail: three", "web: two\nlines"],
    );
    t.equal(await collector.metric("promtail_syslog_target_parsing_errors_total"), 1);
    t.match(await collector.page("/targets"), /syslog: tcp.*2 messages/s);
  },
  "with the configuration of Promtail's reference": async (t, { server, app, query, now }) => {
    const port = await freePort();
    const collector = await CollectorProcess.start({
      runtime: server.runtime,
      // Only addresses are others.
      config: () =>
        readFileSync(new URL("../promtail/syslog.yaml", import.meta.url), "utf8")
          .replace("0.0.0.0:1514", `127.0.0.1:${port}`)
          .replace("http://loki_addr:3100", server.baseUrl),
    });
    t.teardown(() => collector.remove());
    connect(port, "127.0.0.1").end(`<34>1 - ${app} su - - [a@1 b="c"] hello\n`);
    const range = { query: `{job="syslog", host="${app}"}`, start: now, end: now * 2n };
    let found = await query.range(range);
    while (found.length < 1) {
      if (!collector.isRunning) throw new Error(collector.output);
      await new Promise((resolve) => setTimeout(resolve, 50));
      found = await query.range(range);
    }
    t.strictSame(found.map(({ line }) => line), ["hello"]);
  },
});
