/** What discovery knows of a pod, as Prometheus' role pod has it: for each port of each container a set of
 *  `__meta_kubernetes_*` labels, one for a container without ports. Pure. Ephemeral containers have logs too and are
 *  among them, and so are pods without an address: those that never got to run have logs of their init containers. */
import { labelName } from "../metaLabels.ts";
import type { KubernetesObject } from "./ListWatch.ts";

interface Container {
  readonly name?: string;
  readonly image?: string;
  readonly ports?:
    | ReadonlyArray<
      { readonly name?: string; readonly containerPort?: number; readonly protocol?: string }
    >
    | null;
}

interface ContainerStatus {
  readonly name?: string;
  readonly containerID?: string;
}

/** The parts of a pod that labels are made of. */
export interface Pod extends KubernetesObject {
  readonly metadata?: KubernetesObject["metadata"] & {
    readonly ownerReferences?:
      | ReadonlyArray<
        { readonly kind?: string; readonly name?: string; readonly controller?: boolean }
      >
      | null;
  };
  readonly spec?: {
    readonly nodeName?: string;
    readonly containers?: ReadonlyArray<Container> | null;
    readonly initContainers?: ReadonlyArray<Container> | null;
    readonly ephemeralContainers?: ReadonlyArray<Container> | null;
  };
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly hostIP?: string;
    readonly conditions?:
      | ReadonlyArray<{ readonly type?: string; readonly status?: string }>
      | null;
    readonly containerStatuses?: ReadonlyArray<ContainerStatus> | null;
    readonly initContainerStatuses?: ReadonlyArray<ContainerStatus> | null;
    readonly ephemeralContainerStatuses?: ReadonlyArray<ContainerStatus> | null;
  };
}

const prefix = "__meta_kubernetes_";

/** The label sets of a pod; `node` is its node if that is to be told, too. */
export function podLabels(pod: Pod, node?: KubernetesObject): ReadonlyArray<Map<string, string>> {
  const { spec, status } = pod;
  const common = [...ofPod(pod), ...ofNode(node)];
  const kinds = [
    [spec?.containers, status?.containerStatuses, "false"],
    [spec?.initContainers, status?.initContainerStatuses, "true"],
    [spec?.ephemeralContainers, status?.ephemeralContainerStatuses, "false"],
  ] as const;
  return kinds.flatMap(([containers, statuses, isInit]) =>
    (containers ?? []).flatMap((container) => {
      const id = statuses?.find(({ name }) => name === container.name)?.containerID;
      const own = ofContainer(container, id ?? "", isInit);
      const address = status?.podIP ?? "";
      const ports = container.ports ?? [];
      if (ports.length === 0) return [new Map([...common, ...own, ["__address__", address]])];
      return ports.map((port) =>
        new Map([
          ...common,
          ...own,
          [`${prefix}pod_container_port_name`, port.name ?? ""],
          [`${prefix}pod_container_port_number`, String(port.containerPort ?? "")],
          [`${prefix}pod_container_port_protocol`, port.protocol ?? "TCP"],
          ["__address__", hostPort(address, port.containerPort)],
        ])
      );
    })
  );
}

type Pairs = Array<readonly [string, string]>;

function ofPod({ metadata, spec, status }: Pod): Pairs {
  const controller = metadata?.ownerReferences?.find((owner) => owner.controller === true);
  const isReady = status?.conditions?.find(({ type }) => type === "Ready")?.status ?? "unknown";
  return [
    [`${prefix}namespace`, metadata?.namespace ?? ""],
    [`${prefix}pod_name`, metadata?.name ?? ""],
    [`${prefix}pod_ip`, status?.podIP ?? ""],
    [`${prefix}pod_ready`, isReady.toLowerCase()],
    [`${prefix}pod_phase`, status?.phase ?? ""],
    [`${prefix}pod_node_name`, spec?.nodeName ?? ""],
    [`${prefix}pod_host_ip`, status?.hostIP ?? ""],
    [`${prefix}pod_uid`, metadata?.uid ?? ""],
    ...(controller === undefined ? [] : [
      [`${prefix}pod_controller_kind`, controller.kind ?? ""] as const,
      [`${prefix}pod_controller_name`, controller.name ?? ""] as const,
    ]),
    ...ofMap("pod_label", metadata?.labels),
    ...ofMap("pod_annotation", metadata?.annotations),
  ];
}

function ofNode(node: KubernetesObject | undefined): Pairs {
  if (node === undefined) return [];
  return [
    [`${prefix}node_name`, node.metadata?.name ?? ""],
    ...ofMap("node_label", node.metadata?.labels),
    ...ofMap("node_annotation", node.metadata?.annotations),
  ];
}

/** `pod_label_app`, and `pod_labelpresent_app` to tell an empty value from none. */
function ofMap(kind: string, values: Readonly<Record<string, string>> | null | undefined): Pairs {
  return Object.entries(values ?? {}).flatMap(([name, value]): Pairs => [
    [`${prefix}${kind}_${labelName(name)}`, value],
    [`${prefix}${kind}present_${labelName(name)}`, "true"],
  ]);
}

function ofContainer({ name, image }: Container, id: string, isInit: string): Pairs {
  return [
    [`${prefix}pod_container_name`, name ?? ""],
    [`${prefix}pod_container_image`, image ?? ""],
    [`${prefix}pod_container_id`, id],
    [`${prefix}pod_container_init`, isInit],
  ];
}

function hostPort(address: string, port: number | undefined): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port ?? ""}`;
}
