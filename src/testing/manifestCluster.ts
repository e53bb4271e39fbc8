/** The workloads of rendered manifests as processes: what `kubectl apply -k` would start, with as many pods as the manifests
 *  say, Secrets made by the manifests' own Job, Services that lead to ready pods, and rolling restarts as Kubernetes'
 *  controllers do them. Owns pods and their order; containerProcess.ts runs one. */
import { rmSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import type { AddressInfo } from "node:net";
import { ContainerProcess, type PodSurroundings, portsFor } from "./containerProcess.ts";
import { KubernetesApi } from "./kubernetesApi.ts";
import { type Manifest, podLabels, type PodSpec, selects, workloads } from "./manifests.ts";

interface Pod {
  readonly name: string;
  workload: Manifest;
  readonly process: ContainerProcess;
  isReady: boolean;
  /** Set while it is being stopped: another one is in its place. */
  isEnding?: boolean;
}

/** The only node there is. */
export const nodeName = "node-1";

export interface ManifestClusterOptions {
  /** Where the API's pods are: the base URL of a PodApi. */
  readonly podsUrl?: string;
  /** Directories of the node, and where this machine has them. */
  readonly hostPaths?: ReadonlyMap<string, string>;
}

/** Until every node's proxy knows of a change. */
const proxiesLearnMs = 2000;

/** By name, as pods know each other: a sandbox that allows a name does not allow its address. */
const thisMachine = "localhost";

/** The API's name as pods know it. */
const apiHost = "kubernetes.default.svc";

export class ManifestCluster {
  #manifests: ReadonlyArray<Manifest>;
  readonly #options: ManifestClusterOptions;
  readonly api: KubernetesApi;
  readonly #pods: Pod[] = [];
  /** Pods that are replaced already: what is wrong with how each ended. */
  readonly #ending: Promise<string>[] = [];
  readonly #services = new Map<string, Server>();
  readonly #addresses = new Map<string, string>();
  readonly #statefulPorts = new Map<string, ReadonlyMap<string, number>>();
  #podCount = 0;

  private constructor(
    manifests: ReadonlyArray<Manifest>,
    options: ManifestClusterOptions,
    api: KubernetesApi,
  ) {
    this.#manifests = manifests;
    this.#options = options;
    this.api = api;
  }

  /** Starts everything at once, as applying does, and waits until every pod is ready. */
  static async start(manifests: ReadonlyArray<Manifest>, options: ManifestClusterOptions = {}) {
    const namespace = manifests.find(({ kind }) => kind === "Namespace")?.metadata.name ?? "";
    const cluster = new ManifestCluster(
      manifests,
      options,
      await KubernetesApi.start(namespace, options.podsUrl),
    );
    try {
      await cluster.#reserveAddresses();
      await cluster.runJobs();
      const starting = cluster.workloads.flatMap((workload) =>
        Array.from(
          { length: cluster.#replicas(workload) },
          (_, index) => cluster.#startPod(workload, index),
        )
      );
      await Promise.all(starting);
    } catch (error) {
      await cluster.remove();
      throw error;
    }
    return cluster;
  }

  /** Everything that runs for good, in the manifests' order. */
  get workloads(): ReadonlyArray<Manifest> {
    return workloads(this.#manifests).filter(({ kind }) => kind !== "Job");
  }

  /** Where this machine has a Service, as a base URL. */
  serviceUrl(name: string): string {
    const server = this.#services.get(name);
    if (server === undefined) throw new Error(`no Service ${name} with a port is rendered`);
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** The processes of a workload. */
  of(name: string): ReadonlyArray<ContainerProcess> {
    return this.#pods.filter(({ workload }) => workload.metadata.name === name)
      .map(({ process }) => process);
  }

  /** Runs every Job to its end. */
  async runJobs(): Promise<void> {
    for (const job of workloads(this.#manifests).filter(({ kind }) => kind === "Job")) {
      const process = await this.#processOf(job, `${job.metadata.name}-0`);
      process.start();
      const code = await process.ended();
      await process.remove();
      if (code !== 0) {
        throw new Error(`Job ${job.metadata.name} ended with ${code}:\n${process.output}`);
      }
    }
  }

  /** `kubectl rollout restart` and `kubectl rollout status`: until the new pods are ready. Throws if a container that it waits
   *  for does not end well; `stop` says it of the others. */
  async rollingRestart(workload: Manifest): Promise<void> {
    const old = this.#pods.filter((pod) => pod.workload === workload && pod.isEnding !== true);
    if (workload.kind === "Deployment") {
      // One more than there should be, and none less: the next one starts while an old one ends.
      for (const [index, pod] of old.entries()) {
        await this.#startPod(workload, index);
        this.#ending.push(this.#replaced(pod));
      }
      return;
    }
    // From the last to the first, the same volume, one at a time.
    for (const pod of old.toReversed()) {
      const problem = await this.#stopPod(pod);
      if (problem !== "") throw new Error(problem);
      pod.process.become(this.#manifests, podOf(workload), this.#surroundings(workload, pod.name));
      await this.#startAgain(pod);
    }
  }

  /** `kubectl apply` of manifests that differ in what pods are given: all workloads roll at once, and the result waits for all. */
  async apply(manifests: ReadonlyArray<Manifest>): Promise<void> {
    this.#manifests = manifests;
    await this.runJobs();
    for (const workload of this.workloads) {
      for (const pod of this.#pods) {
        if (pod.workload.metadata.name === workload.metadata.name) pod.workload = workload;
      }
    }
    await Promise.all(this.workloads.map((workload) => this.rollingRestart(workload)));
  }

  /** `kubectl scale` of a Deployment, until there are as many pods as there should be. */
  async scale(workload: Manifest, count: number): Promise<void> {
    const pods = this.#pods.filter((pod) => pod.workload === workload && pod.isEnding !== true);
    const missing = Math.max(0, count - pods.length);
    await Promise.all([
      ...Array.from(
        { length: missing },
        (_, index) => this.#startPod(workload, pods.length + index),
      ),
      ...pods.slice(count).map(async (pod) => {
        const problem = await this.#replaced(pod);
        if (problem !== "") throw new Error(problem);
      }),
    ]);
  }

  /** Ends a pod for good; the result is what is wrong with that. */
  async #replaced(pod: Pod): Promise<string> {
    pod.isEnding = true;
    const problem = await this.#stopPod(pod);
    this.#pods.splice(this.#pods.indexOf(pod), 1);
    await pod.process.remove();
    return problem;
  }

  async #startAgain(pod: Pod): Promise<void> {
    pod.process.start();
    await pod.process.untilReady();
    pod.isReady = true;
  }

  /** A node or a zone loses its power, and each workload that is named a pod, as often as it is named; with `loseVolume` the disk,
   *  too. The controllers start them again `afterMs` later. */
  async loseNode(
    names: ReadonlyArray<string>,
    { loseVolume = false, afterMs = 0 }: { loseVolume?: boolean; afterMs?: number } = {},
  ): Promise<void> {
    const lost: Pod[] = [];
    for (const name of names) {
      lost.push(
        this.#pods.find((pod) =>
          pod.workload.metadata.name === name && pod.isEnding !== true && !lost.includes(pod)
        )!,
      );
    }
    await Promise.all(lost.map(async (pod) => {
      pod.isReady = false;
      await pod.process.kill();
    }));
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    await Promise.all(lost.map(async (pod) => {
      if (loseVolume) rmSync(pod.process.pathOf("/data"), { recursive: true });
      await this.#startAgain(pod);
    }));
  }

  /** Starts what was stopped, with empty volumes if told so. */
  async startWorkload(name: string, loseVolumes = false): Promise<void> {
    const pods = this.#pods.filter(({ workload }) => workload.metadata.name === name);
    await Promise.all(pods.map(async (pod) => {
      if (loseVolumes) rmSync(pod.process.pathOf("/data"), { recursive: true });
      await this.#startAgain(pod);
    }));
  }

  /** Ends everything and starts it again, all at once. */
  async restartAtOnce(): Promise<void> {
    const problems = await this.stop();
    if (problems.length > 0) throw new Error(problems.join("\n"));
    await Promise.all(this.#pods.map((pod) => this.#startAgain(pod)));
  }

  /** Ends every pod as the kubelet does. What is wrong with how they ended, and those that were replaced before. */
  async stop(): Promise<ReadonlyArray<string>> {
    const rest = this.#pods.toReversed().filter(({ isEnding }) => isEnding !== true);
    const problems = await Promise.all([
      ...this.#ending.splice(0),
      ...rest.map((pod) => this.#stopPod(pod)),
    ]);
    return problems.filter((problem) => problem !== "");
  }

  async remove(): Promise<void> {
    for (const server of this.#services.values()) server.close();
    this.api.close();
    await Promise.all(this.#pods.map(({ process }) => process.remove()));
  }

  /** Names must be known before anything starts: NATS' servers by their pods' names, others by their Services'. */
  async #reserveAddresses(): Promise<void> {
    this.#addresses.set(`${apiHost}:443`, `${thisMachine}:${this.api.port}`);
    this.#addresses.set(apiHost, thisMachine);
    for (const workload of this.workloads.filter(({ kind }) => kind === "StatefulSet")) {
      const { name } = workload.metadata;
      const container = workload.spec!.template!.spec.containers[0]!;
      for (let index = 0; index < this.#replicas(workload); index++) {
        const ports = await portsFor(container);
        this.#statefulPorts.set(`${name}-${index}`, ports);
        for (const { name: portName, containerPort } of container.ports ?? []) {
          const address = `${name}-${index}.${name}:${containerPort}`;
          this.#addresses.set(address, `${thisMachine}:${ports.get(portName)}`);
        }
      }
    }
    for (const { kind, metadata, spec } of this.#manifests) {
      const [port] = spec?.ports ?? [];
      if (kind !== "Service" || spec?.selector === undefined || port === undefined) continue;
      const server = await this.#openService(spec.selector, port.targetPort ?? "");
      this.#services.set(metadata.name, server);
      const local = `${thisMachine}:${(server.address() as AddressInfo).port}`;
      this.#addresses.set(`${metadata.name}.${metadata.namespace}.svc:${port.port}`, local);
    }
  }

  /** Each connection goes to one of the pods that are ready, in turn. */
  async #openService(
    selector: Readonly<Record<string, unknown>>,
    portName: string,
  ): Promise<Server> {
    let turn = 0;
    const server = createServer({ allowHalfOpen: true }, (client) => {
      const ready = this.#pods.filter(({ workload, isReady }) =>
        isReady && selects(selector, podLabels(workload))
      );
      const pod = ready[turn++ % Math.max(1, ready.length)];
      const port = pod?.process.ports.get(portName);
      client.on("error", () => client.destroy());
      if (port === undefined) return void client.destroy();
      const target = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
      target.on("error", () => client.destroy());
      client.on("close", () => target.destroy());
      target.on("close", () => client.destroy());
      client.pipe(target).pipe(client);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  async #startPod(workload: Manifest, index: number): Promise<void> {
    const isStateful = workload.kind === "StatefulSet";
    const suffix = isStateful ? index : `x${this.#podCount++}`;
    const name = `${workload.metadata.name}-${suffix}`;
    const process = await this.#processOf(workload, name);
    const pod = { name, workload, process, isReady: false };
    this.#pods.push(pod);
    process.start();
    await process.untilReady();
    pod.isReady = true;
  }

  /** It still gets new connections for a while: nodes learn late that a pod is going. The result is what is wrong with that. */
  async #stopPod(pod: Pod): Promise<string> {
    const learning = setTimeout(() => pod.isReady = false, proxiesLearnMs);
    const code = await pod.process.stop();
    clearTimeout(learning);
    pod.isReady = false;
    const { name } = pod.workload.metadata;
    return code === 0 ? "" : `${name} ended with ${code}:\n${pod.process.output}`;
  }

  #processOf(workload: Manifest, podName: string): Promise<ContainerProcess> {
    return ContainerProcess.of(
      this.#manifests,
      podOf(workload),
      this.#surroundings(workload, podName),
      this.#statefulPorts.get(podName),
    );
  }

  #surroundings(workload: Manifest, podName: string): PodSurroundings {
    return {
      podName,
      nodeName,
      apiPort: this.api.port,
      secrets: this.api.secrets,
      addresses: this.#addresses,
      ...(this.#options.hostPaths === undefined ? {} : { hostPaths: this.#options.hostPaths }),
      ...(podOf(workload).automountServiceAccountToken === true
        ? { serviceAccount: this.api.serviceAccount }
        : {}),
    };
  }

  /** As the workload says, or its autoscaler at least. */
  #replicas({ metadata, spec }: Manifest): number {
    const autoscaler = this.#manifests.find((manifest) =>
      manifest.kind === "HorizontalPodAutoscaler" &&
      manifest.spec?.scaleTargetRef?.name === metadata.name
    );
    return autoscaler?.spec?.minReplicas ?? spec?.replicas ?? 1;
  }
}

function podOf(workload: Manifest): PodSpec {
  return workload.spec!.template!.spec;
}
