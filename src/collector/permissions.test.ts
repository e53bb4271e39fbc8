/** What a configuration needs, by hand: nothing else is allowed on Deno. */
import { Result } from "effect";
import t from "tap";
import { parseConfig } from "./config/load.ts";
import { permissionsOf } from "./permissions.ts";

const text = `
server: {http_listen_address: 127.0.0.1, http_listen_port: 9080}
clients: [{url: "https://logs.example/loki/api/v1/push"}, {url: "http://[::1]:3100/loki/api/v1/push"}]
scrape_configs:
- job_name: a
  journal: {}
  syslog: {listen_address: ":1514"}
- job_name: b
  syslog: {listen_address: "[::1]:1515"}
  loki_push_api: {server: {http_listen_port: 3500}}
- job_name: c
  docker_sd_configs: [{host: "unix:///run/docker.sock"}, {host: "tcp://docker:2375"}]
  kubernetes_sd_configs: [{role: pod, api_server: "https://10.0.0.1"}]
`;

function parse(text: string) {
  return Result.getOrThrowWith(
    parseConfig({ file: "p.yaml", text, environment: null }),
    (error) => error,
  );
}

t.test("permissionsOf", (t) => {
  t.strictSame(permissionsOf(parse(text), "/var/lib/x"), {
    net: [
      "logs.example:443",
      "[::1]:3100",
      "127.0.0.1:9080",
      "unix:/run/docker.sock",
      "docker:2375",
      "0.0.0.0:1514",
      "[::1]:1515",
      "0.0.0.0:3500",
      "10.0.0.1:443",
    ],
    write: ["/var/lib/x", "/run/docker.sock"],
    run: ["journalctl"],
  });
  const dry = permissionsOf(parse(text), undefined);
  t.strictSame(dry.write, ["/run/docker.sock"], "a dry run keeps nothing");
  t.notOk(dry.net.includes("logs.example:443"), "and sends nothing");
  const least = "server: {disable: true}\nclients: [{url: 'http://a/push'}]";
  t.strictSame(permissionsOf(parse(least), "d"), { net: ["a:80"], write: ["d"], run: [] });
  t.end();
});
