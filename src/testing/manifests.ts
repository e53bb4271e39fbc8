/** The Kubernetes manifests as they are applied: rendered by kustomize and parsed. containerProcess.ts runs what they say;
 *  what must hold of them is the tests' business. */
import { spawnSync } from "node:child_process";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse, parseAllDocuments } from "yaml";
import { type PermissionOptions, permissionsConfig } from "../cluster/permissions.ts";

/** What tests read of a manifest; the API server knows the rest. */
export interface Manifest {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly data?: Readonly<Record<string, string>>;
  readonly automountServiceAccountToken?: boolean;
  readonly spec?: {
    readonly replicas?: number;
    readonly minReplicas?: number;
    readonly scaleTargetRef?: { readonly name: string };
    readonly template?: { readonly metadata?: Manifest["metadata"]; readonly spec: PodSpec };
    readonly volumeClaimTemplates?: ReadonlyArray<{
      readonly metadata: { readonly name: string };
      readonly spec: { readonly resources: { readonly requests: { readonly storage: string } } };
    }>;
    readonly ports?: ReadonlyArray<{ readonly port: number; readonly targetPort?: string }>;
    readonly selector?: Readonly<Record<string, unknown>>;
  };
}

export interface PodSpec {
  readonly hostNetwork?: boolean;
  readonly hostPID?: boolean;
  readonly hostIPC?: boolean;
  readonly automountServiceAccountToken?: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly containers: ReadonlyArray<Container>;
  readonly topologySpreadConstraints?: ReadonlyArray<{
    readonly topologyKey: string;
    readonly maxSkew: number;
    readonly whenUnsatisfiable: string;
  }>;
  readonly volumes?: ReadonlyArray<{
    readonly name: string;
    readonly configMap?: { readonly name: string };
    readonly secret?: { readonly secretName: string };
    readonly hostPath?: { readonly path: string };
    readonly emptyDir?: { readonly sizeLimit: string };
  }>;
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: ReadonlyArray<string>;
  readonly args?: ReadonlyArray<string>;
  readonly env?: ReadonlyArray<{
    readonly name: string;
    readonly value?: string;
    readonly valueFrom?: {
      readonly secretKeyRef?: { readonly name: string; readonly key: string };
      readonly fieldRef?: { readonly fieldPath: string };
    };
  }>;
  readonly ports?: ReadonlyArray<{ readonly name: string; readonly containerPort: number }>;
  readonly startupProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly lifecycle?: {
    readonly preStop?: { readonly exec?: { readonly command: ReadonlyArray<string> } };
  };
  readonly resources?: {
    readonly requests?: Readonly<Record<string, string>>;
    readonly limits?: Readonly<Record<string, string>>;
  };
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly volumeMounts?: ReadonlyArray<{
    readonly name: string;
    readonly mountPath: string;
    readonly readOnly?: boolean;
  }>;
}

export interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string };
}

const root = fileURLToPath(new URL("../..", import.meta.url));

/** What `kubectl apply -k` would send for a folder of k8s/. Throws kustomize's message, or how to get it. */
export function renderManifests(folder: string): ReadonlyArray<Manifest> {
  const path = join(root, "k8s", folder);
  const cached = join(
    process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"),
    "tailrace/bin/kustomize",
  );
  const commands: ReadonlyArray<readonly [string, ...string[]]> = [
    ["kubectl", "kustomize", path],
    ["kustomize", "build", path],
    [cached, "build", path],
  ];
  for (const command of commands) {
    const [program, ...parameters] = command;
    const { status, stdout, stderr, error } = spawnSync(program, parameters, {
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024,
    });
    if (error !== undefined) continue;
    if (status !== 0) throw new Error(`${command.join(" ")} failed:\n${stderr}`);
    return parseAllDocuments(stdout).map((document) => document.toJS() as Manifest);
  }
  throw new Error(
    "The tests of the manifests need kubectl or kustomize on the PATH; with Go:\n" +
      "  go install sigs.k8s.io/kustomize/kustomize/v5@v5.5.0",
  );
}

/** The numbers that the roles' configuration file has. */
export function clusterSize(manifests: ReadonlyArray<Manifest>): PermissionOptions {
  const text = configMap(manifests, "tailrace")["tailrace.yaml"] ?? "";
  const settings = parse(text) as {
    readonly ingester: { readonly partitions: number };
    readonly nats: { readonly object_shards: number };
  };
  return {
    partitions: settings.ingester.partitions,
    objectShards: settings.nats.object_shards,
  };
}

/** The files of a ConfigMap, whose name kustomize has made longer by a hash, in the letters and digits that it uses. */
export function configMap(
  manifests: ReadonlyArray<Manifest>,
  name: string,
): Readonly<Record<string, string>> {
  const found = manifests.find(({ kind, metadata }) =>
    kind === "ConfigMap" && metadata.name.replace(/-[bcdfghkmt2456789]{10}$/, "") === name
  );
  if (found?.data === undefined) throw new Error(`no ConfigMap ${name} is rendered`);
  return found.data;
}

/** What k8s/base/nats/users.conf must hold: the permissions of the roles, each known by its certificate's subject, and an
 *  operator's, who may look at and back up all there is. */
export function natsUsers(size: PermissionOptions): string {
  const users = permissionsConfig(size, (role) => `user: "CN=${role}"`);
  return "# Made by `node test/kubernetes/writeUsers.ts`: do not edit. What each role may do, and no more.\n" +
    users.replace(
      /\]$/,
      '  # A person with the NATS command line: docs/nats.md.\n  { user: "CN=operator" }\n]\n',
    );
}

/** The labels of a workload's pods. */
export function podLabels({ spec }: Manifest): Readonly<Record<string, string>> {
  return spec?.template?.metadata?.labels ?? {};
}

/** Whether labels have all that a selector asks for. */
export function selects(
  selector: Readonly<Record<string, unknown>>,
  labels: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(selector).every(([name, value]) => labels[name] === value);
}

/** Manifests that make pods. */
export function workloads(manifests: ReadonlyArray<Manifest>): ReadonlyArray<Manifest> {
  return manifests.filter(({ spec }) => spec?.template?.spec.containers !== undefined);
}
