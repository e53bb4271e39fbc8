/** `kubernetes_sd_configs`: the files of this node's pods. Owns which watches a configuration needs and turning pods
 *  into groups of files; ListWatch.ts owns the protocol, podLabels.ts the labels. Of a pod only its groups are kept.
 *
 *  As in Promtail, only pods of this node are asked for (NODE_NAME or HOSTNAME, unless a selector names one): files of
 *  others are not here. */
import { Effect, Layer } from "effect";
import { hostName } from "../../../platform/system.ts";
import { environment } from "../../../platform/terminal.ts";
import type { KubernetesSdConfig } from "../../config/scrapeConfig.ts";
import { type Job, Lines } from "../../Lines.ts";
import type { SourceState } from "../../sourceState.ts";
import type { FileGroup } from "../../tailing/FileTargets.ts";
import { FileTail } from "../../tailing/FileTail.ts";
import { InvalidGlob } from "../../tailing/glob.ts";
import { fileGroup } from "../staticTargets.ts";
import { type ClusterAccess, clusterAccess } from "./clusterAccess.ts";
import { type KubernetesObject, ListWatch } from "./ListWatch.ts";
import { type Pod, podLabels } from "./podLabels.ts";

/** Fails if a cluster's address or credentials cannot be read. One that does not answer is waited for. */
export const kubernetesLayer = Layer.effectDiscard(
  Effect.gen(function* () {
    const { jobs } = yield* Lines;
    for (const job of jobs) {
      for (const [index, config] of job.config.kubernetes_sd_configs.entries()) {
        yield* discover(job, index, config);
      }
    }
  }),
);

const discover = Effect.fnUntraced(function* (job: Job, index: number, config: KubernetesSdConfig) {
  const { targets } = yield* FileTail;
  const lines = yield* Lines;
  const access = yield* Effect.try({
    try: () => clusterAccess(config),
    catch: (error) => new Error(`scrape config "${job.name}": ${(error as Error).message}`),
  });
  const run = yield* Effect.context<never>();
  for (const namespace of namespacesOf(config, access)) {
    const where = `${access.address}${namespace === "" ? "" : `, namespace ${namespace}`}`;
    const pods = new PodTargets({
      job,
      prefix: `kubernetes/${job.name}/${index}/${namespace}`,
      keepsPods: config.attach_metadata.node,
      set: (target, groups) => targets.set(target, groups),
      onInvalid: (message) => void Effect.runForkWith(run)(Effect.logWarning(message)),
    });
    const state: SourceState = {
      job: job.name,
      kind: "kubernetes",
      where,
      isReady: false,
      detail: () => `${pods.podCount} pods`,
    };
    lines.sources.add(state);
    const onProblem = (problem: string | undefined) => {
      state.problem = problem;
      void Effect.runForkWith(run)(
        problem === undefined
          ? Effect.logInfo(`Kubernetes at ${where} answers again`)
          : Effect.logWarning(
            `Kubernetes at ${where} cannot be asked for pods, new ones are not found: ${problem}`,
          ),
      );
    };
    const watches = [podWatch({ access, namespace, config, pods, state, onProblem })];
    if (config.attach_metadata.node) watches.push(nodeWatch(access, pods, onProblem));
    for (const watch of watches) {
      yield* Effect.forkScoped(Effect.promise((signal) => watch.run(signal)));
    }
  }
});

function podWatch(
  { access, namespace, config, pods, state, onProblem }: {
    readonly access: ClusterAccess;
    readonly namespace: string;
    readonly config: KubernetesSdConfig;
    readonly pods: PodTargets;
    readonly state: SourceState;
    readonly onProblem: (problem: string | undefined) => void;
  },
): { readonly run: (signal: AbortSignal) => Promise<void> } {
  return new ListWatch<Pod>({
    access,
    path: namespace === ""
      ? "/api/v1/pods"
      : `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`,
    selectors: selectorsOf(config, nodeName()),
    onList: (list) => {
      pods.replace(list);
      state.isReady = true;
    },
    onChange: (type, pod) => {
      if (type === "DELETED") pods.remove(pod);
      else pods.put(pod);
    },
    onProblem,
  });
}

function nodeWatch(
  access: ClusterAccess,
  pods: PodTargets,
  onProblem: (problem: string | undefined) => void,
): { readonly run: (signal: AbortSignal) => Promise<void> } {
  return new ListWatch<KubernetesObject>({
    access,
    path: "/api/v1/nodes",
    selectors: { fieldSelector: `metadata.name=${nodeName()}` },
    onList: (nodes) => pods.setNode(nodes[0]),
    onChange: (type, node) => pods.setNode(type === "DELETED" ? undefined : node),
    onProblem,
  });
}

/** Namespaces to be watched each on its own; "" is all of them. */
function namespacesOf(
  { namespaces: { names, own_namespace } }: KubernetesSdConfig,
  { ownNamespace }: ClusterAccess,
): ReadonlyArray<string> {
  const all = new Set([...names, ...(own_namespace ? [ownNamespace] : [])]);
  return all.size === 0 ? [""] : [...all];
}

/** The node that this runs on, as its pod is told. */
function nodeName(): string {
  return environment["NODE_NAME"] || hostName();
}

/** All selectors together, and the node unless they name one. */
export function selectorsOf(
  { selectors }: KubernetesSdConfig,
  node: string,
): Readonly<Record<string, string>> {
  const fields = selectors.map(({ field }) => field).filter((field) => field !== "");
  if (!fields.some((field) => field.includes("spec.nodeName="))) {
    fields.push(`spec.nodeName=${node}`);
  }
  const labels = selectors.map(({ label }) => label).filter((label) => label !== "");
  return {
    fieldSelector: fields.join(","),
    ...(labels.length === 0 ? {} : { labelSelector: labels.join(",") }),
  };
}

export interface PodTargetsOptions {
  readonly job: Job;
  /** Begins the names of targets. */
  readonly prefix: string;
  /** Whether labels of the node are wanted: it may become known, or change, after the pods. */
  readonly keepsPods: boolean;
  readonly set: (target: string, groups: ReadonlyArray<FileGroup>) => void;
  /** Told of a pod whose labels make a path that cannot be read. */
  readonly onInvalid: (message: string) => void;
}

/** The pods of one watch as targets. A target is only set when something about it has changed, since pods report
 *  more than that. */
export class PodTargets {
  readonly #options: PodTargetsOptions;
  /** By target: what its groups are, as text. */
  readonly #known = new Map<string, string>();
  readonly #pods = new Map<string, Pod>();
  #node: KubernetesObject | undefined;

  constructor(options: PodTargetsOptions) {
    this.#options = options;
  }

  get podCount(): number {
    return this.#known.size;
  }

  replace(pods: ReadonlyArray<Pod>): void {
    const listed = new Set(pods.map((pod) => this.#target(pod)));
    for (const target of this.#known.keys()) if (!listed.has(target)) this.#forget(target);
    for (const pod of pods) this.put(pod);
  }

  put(pod: Pod): void {
    const target = this.#target(pod);
    if (this.#options.keepsPods) this.#pods.set(target, pod);
    const groups = this.#groups(pod);
    const text = [...groups.keys()].join("\n\n");
    if (this.#known.get(target) === text) return;
    this.#known.set(target, text);
    this.#options.set(target, [...groups.values()]);
  }

  remove(pod: Pod): void {
    this.#forget(this.#target(pod));
  }

  setNode(node: KubernetesObject | undefined): void {
    this.#node = node;
    for (const pod of this.#pods.values()) this.put(pod);
  }

  /** The ports of one container are one target for logs. */
  #groups(pod: Pod): Map<string, FileGroup> {
    const groups = new Map<string, FileGroup>();
    try {
      for (const labels of podLabels(pod, this.#node)) {
        const group = fileGroup(this.#options.job, labels);
        if (group !== undefined) groups.set(`${group.pathText}\n${group.labels.text}`, group);
      }
    } catch (error) {
      if (!(error instanceof InvalidGlob)) throw error;
      const { namespace, name } = pod.metadata ?? {};
      this.#options.onInvalid(`Pod ${namespace}/${name} is not collected: ${error.message}`);
    }
    return groups;
  }

  #forget(target: string): void {
    this.#pods.delete(target);
    if (this.#known.delete(target)) this.#options.set(target, []);
  }

  /** A pod that is made anew under its old name is another one. */
  #target({ metadata }: Pod): string {
    return `${this.#options.prefix}/${metadata?.namespace}/${metadata?.name}/${metadata?.uid}`;
  }
}
