/** What a collector says when it starts. */
import { Result } from "effect";
import t from "tap";
import { parseConfig } from "./config/load.ts";
import { startMessage } from "./startMessage.ts";

function said(text: string, options: Partial<Parameters<typeof startMessage>[0]> = {}): string {
  const parsed = parseConfig({ file: "p.yaml", text, environment: null });
  const config = Result.getOrThrowWith(parsed, (error) => error);
  const rest = { dataDirectory: "/data", readsInput: false, isDry: false };
  return startMessage({ config, ...rest, ...options });
}

const text = `
server: {http_listen_port: 9080}
clients: [{url: 'http://me:s3cret@loki:3100/loki/api/v1/push'}, {url: 'https://b/push'}]
scrape_configs:
- job_name: files
  static_configs: [{labels: {__path__: /var/log/*.log}}]
- job_name: syslog
  syslog: {listen_address: 0.0.0.0:1514, listen_protocol: udp}
- job_name: pods
  kubernetes_sd_configs: [{role: pod}]
- job_name: journal
  journal: {}
`;

t.test("it says what it reads, where it sends, where its state and its pages are", (t) => {
  t.equal(
    said(text),
    "collecting /var/log/*.log, syslog on udp 0.0.0.0:1514, pods of Kubernetes, the journal (4 jobs); " +
      "sending to http://loki:3100/loki/api/v1/push, https://b/push; " +
      "positions and disk buffer in /data; pages on http://0.0.0.0:9080/targets",
  );
  t.match(said("server: {disable: true}"), /^collecting nothing: no job has a source; .*no pages$/);
  t.match(said(text, { readsInput: true }), /^collecting standard input; .*no pages$/);
  t.end();
});

t.test("a dry run says that it does not end", (t) => {
  t.equal(
    said(text, { isDry: true }),
    "dry run, reading /var/log/*.log, syslog on udp 0.0.0.0:1514, pods of Kubernetes, the journal (4 jobs); " +
      "printing what would be sent, from the files' start, and keeping nothing; " +
      "goes on until it is stopped (Ctrl-C)",
  );
  t.end();
});

t.test("of very many paths some are named", (t) => {
  const labels = Array.from({ length: 20 }, (_, index) => `{labels: {__path__: /${index}}}`);
  const many = said(`scrape_configs: [{job_name: a, static_configs: [${labels.join(", ")}]}]`);
  t.match(many, /^collecting \/0, \/1, .*\/7 and 12 more \(1 job\);/);
  t.end();
});
