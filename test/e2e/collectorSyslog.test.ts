/** Syslog into the collector, over TCP and UDP, and out of the real server, with labels by relabel rules. */
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import t from "tap";
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
  },
});

t.test("a source that is not there yet is refused, not ignored", async (t) => {
  const collector = await CollectorProcess.create({
    runtime: "node",
    config: () => ({
      clients: [{ url: "http://127.0.0.1:1/loki/api/v1/push" }],
      scrape_configs: [{ job_name: "j", journal: {} }],
    }),
  });
  t.teardown(() => collector.remove());
  collector.launch();
  t.equal(await collector.ended, 2);
  t.match(collector.output, 'scrape config "j": journal');
});
