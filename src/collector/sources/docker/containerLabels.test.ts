/** The labels of containers against Prometheus' documentation of docker_sd_configs. */
import t from "tap";
import { containerLabels, type DockerContainer } from "./containerLabels.ts";

const config = {
  host: "unix:///x.sock",
  port: 80,
  host_networking_host: "localhost",
  match_first_network: true,
  filters: [],
  refresh_interval: 60_000,
  follow_redirects: true,
  enable_http2: false,
};
const networks = [
  {
    Id: "n1",
    Name: "shop_default",
    Scope: "local",
    Internal: false,
    Ingress: false,
    Labels: { "a.b": "c" },
  },
  { Id: "n2", Name: "zoo", Scope: "local", Internal: true },
];
const web: DockerContainer = {
  Id: "c1",
  Names: ["/shop-web-1"],
  Labels: { "com.docker.compose.service": "web" },
  Ports: [
    { IP: "0.0.0.0", PrivatePort: 80, PublicPort: 8080, Type: "tcp" },
    { PrivatePort: 53, Type: "udp" },
    { PrivatePort: 443, Type: "tcp" },
  ],
  HostConfig: { NetworkMode: "shop_default" },
  NetworkSettings: {
    Networks: {
      zoo: { NetworkID: "n2", IPAddress: "10.1.0.2" },
      shop_default: { NetworkID: "n1", IPAddress: "10.0.0.2" },
    },
  },
};
const sidecar: DockerContainer = {
  Id: "c2",
  Names: ["/side"],
  HostConfig: { NetworkMode: "container:c1" },
  NetworkSettings: { Networks: {} },
};

function labels(container: DockerContainer, more: Partial<typeof config> = {}) {
  return containerLabels(container, [web, sidecar], networks, { ...config, ...more })
    .map((set) => Object.fromEntries(set));
}

t.test("a target for each TCP port, in the first network by name", (t) => {
  const targets = labels(web);
  t.equal(targets.length, 2);
  t.strictSame(targets[0], {
    __meta_docker_container_id: "c1",
    __meta_docker_container_name: "/shop-web-1",
    __meta_docker_container_network_mode: "shop_default",
    __meta_docker_container_label_com_docker_compose_service: "web",
    __meta_docker_network_id: "n1",
    __meta_docker_network_name: "shop_default",
    __meta_docker_network_scope: "local",
    __meta_docker_network_internal: "false",
    __meta_docker_network_ingress: "false",
    __meta_docker_network_label_a_b: "c",
    __meta_docker_network_ip: "10.0.0.2",
    __meta_docker_port_private: "80",
    __meta_docker_port_public: "8080",
    __meta_docker_port_public_ip: "0.0.0.0",
    __address__: "10.0.0.2:80",
  });
  t.equal(targets[1]!["__address__"], "10.0.0.2:443");
  t.equal(labels(web, { match_first_network: false }).length, 4);
  t.end();
});

t.test("a container in another's network, on the host's, and without any", (t) => {
  const [joined] = labels(sidecar);
  t.match(joined, {
    __meta_docker_container_name: "/side",
    __meta_docker_network_name: "shop_default",
    __address__: "10.0.0.2:80",
  });
  const [host] = labels({
    ...sidecar,
    HostConfig: { NetworkMode: "host" },
    NetworkSettings: { Networks: { host: { NetworkID: "h", IPAddress: "" } } },
  });
  t.equal(host!["__address__"], "localhost");
  t.strictSame(labels({ Id: "c3" }), [{
    __meta_docker_container_id: "c3",
    __meta_docker_container_name: "",
    __meta_docker_container_network_mode: "",
  }]);
  t.end();
});
