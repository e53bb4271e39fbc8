/** The labels of a pod against Prometheus' documentation of kubernetes_sd_configs, role pod. */
import t from "tap";
import { selectorsOf } from "./KubernetesDiscovery.ts";
import { type Pod, podLabels } from "./podLabels.ts";

const pod: Pod = {
  metadata: {
    name: "web-0",
    namespace: "shop",
    uid: "8a2b",
    labels: { app: "web", "app.kubernetes.io/part-of": "" },
    annotations: { "prometheus.io/scrape": "true" },
    ownerReferences: [
      { kind: "Other", name: "x" },
      { kind: "StatefulSet", name: "web", controller: true },
    ],
  },
  spec: {
    nodeName: "node-1",
    containers: [{
      name: "nginx",
      image: "nginx:1",
      ports: [{ name: "http", containerPort: 80, protocol: "TCP" }, { containerPort: 53 }],
    }],
    initContainers: [{ name: "setup", image: "busybox" }],
  },
  status: {
    phase: "Running",
    podIP: "10.0.0.7",
    hostIP: "192.168.0.1",
    conditions: [{ type: "Ready", status: "True" }],
    containerStatuses: [{ name: "nginx", containerID: "containerd://abc" }],
  },
};

t.test("each port of a container is a target, one without ports is one", (t) => {
  const targets = podLabels(pod).map((labels) => Object.fromEntries(labels));
  t.equal(targets.length, 3);
  t.strictSame(targets[0], {
    __meta_kubernetes_namespace: "shop",
    __meta_kubernetes_pod_name: "web-0",
    __meta_kubernetes_pod_ip: "10.0.0.7",
    __meta_kubernetes_pod_ready: "true",
    __meta_kubernetes_pod_phase: "Running",
    __meta_kubernetes_pod_node_name: "node-1",
    __meta_kubernetes_pod_host_ip: "192.168.0.1",
    __meta_kubernetes_pod_uid: "8a2b",
    __meta_kubernetes_pod_controller_kind: "StatefulSet",
    __meta_kubernetes_pod_controller_name: "web",
    __meta_kubernetes_pod_label_app: "web",
    __meta_kubernetes_pod_labelpresent_app: "true",
    __meta_kubernetes_pod_label_app_kubernetes_io_part_of: "",
    __meta_kubernetes_pod_labelpresent_app_kubernetes_io_part_of: "true",
    __meta_kubernetes_pod_annotation_prometheus_io_scrape: "true",
    __meta_kubernetes_pod_annotationpresent_prometheus_io_scrape: "true",
    __meta_kubernetes_pod_container_name: "nginx",
    __meta_kubernetes_pod_container_image: "nginx:1",
    __meta_kubernetes_pod_container_id: "containerd://abc",
    __meta_kubernetes_pod_container_init: "false",
    __meta_kubernetes_pod_container_port_name: "http",
    __meta_kubernetes_pod_container_port_number: "80",
    __meta_kubernetes_pod_container_port_protocol: "TCP",
    __address__: "10.0.0.7:80",
  });
  t.equal(targets[1]!["__address__"], "10.0.0.7:53");
  t.match(targets[2], {
    __meta_kubernetes_pod_container_name: "setup",
    __meta_kubernetes_pod_container_init: "true",
    __address__: "10.0.0.7",
  });
  t.end();
});

t.test("labels of the node come along if they are wanted", (t) => {
  const node = { metadata: { name: "node-1", labels: { "topology.kubernetes.io/zone": "a" } } };
  t.match(Object.fromEntries(podLabels(pod, node)[0]!), {
    __meta_kubernetes_node_name: "node-1",
    __meta_kubernetes_node_label_topology_kubernetes_io_zone: "a",
    __meta_kubernetes_node_labelpresent_topology_kubernetes_io_zone: "true",
  });
  t.strictSame(podLabels({}), [], "an empty object has no containers");
  t.end();
});

t.test("selectors are joined, and the node is always one of them", (t) => {
  const select = (...selectors: ReadonlyArray<{ label: string; field: string }>) =>
    selectorsOf({
      role: "pod",
      namespaces: { own_namespace: false, names: [] },
      attach_metadata: { node: false },
      follow_redirects: true,
      enable_http2: false,
      selectors: selectors.map((selector) => ({ role: "pod", ...selector })),
    }, "n1");
  t.strictSame(select(), { fieldSelector: "spec.nodeName=n1" });
  t.strictSame(
    select({ label: "app in (a,b)", field: "" }, { label: "x=y", field: "status.phase=Running" }),
    {
      labelSelector: "app in (a,b),x=y",
      fieldSelector: "status.phase=Running,spec.nodeName=n1",
    },
  );
  t.strictSame(select({ label: "", field: "spec.nodeName=n1" }), {
    fieldSelector: "spec.nodeName=n1",
  });
  t.end();
});
