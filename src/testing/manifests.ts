/** The Kubernetes manifests as they are applied: rendered by kustomize, parsed, and their containers run as processes on this
 *  machine. Owns the mapping of a container's paths to this machine's; what must hold of them is the tests' business. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse, parseAllDocuments } from "yaml";
import { type PermissionOptions, permissionsConfig } from "../cluster/permissions.ts";
import { findNatsServer } from "./natsProgram.ts";
import { freePort } from "./serverProcess.ts";

/** What tests read of a manifest; the API server knows the rest. */
export interface Manifest {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly template?: { readonly spec: PodSpec };
    readonly ports?: ReadonlyArray<{ readonly port: number; readonly targetPort?: string }>;
    readonly selector?: Readonly<Record<string, unknown>>;
  };
}

export interface PodSpec {
  readonly automountServiceAccountToken?: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly containers: ReadonlyArray<Container>;
  readonly volumes?: ReadonlyArray<{
    readonly name: string;
    readonly configMap?: { readonly name: string };
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
  readonly resources?: {
    readonly requests?: Readonly<Record<string, string>>;
    readonly limits?: Readonly<Record<string, string>>;
  };
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly volumeMounts?: ReadonlyArray<{ readonly name: string; readonly mountPath: string }>;
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

/** The files of a ConfigMap, whose name kustomize has made longer. */
export function configMap(
  manifests: ReadonlyArray<Manifest>,
  name: string,
): Readonly<Record<string, string>> {
  const found = manifests.find(({ kind, metadata }) =>
    kind === "ConfigMap" && metadata.name.replace(/-[a-z0-9]{10}$/, "") === name
  );
  if (found?.data === undefined) throw new Error(`no ConfigMap ${name} is rendered`);
  return found.data;
}

/** What k8s/base/nats/users.conf must hold: the permissions of the roles, passwords from the servers' environment. */
export function natsUsers(size: PermissionOptions): string {
  const users = permissionsConfig(
    size,
    (role) => `user: ${role}, password: $${role.toUpperCase()}_PASSWORD`,
  );
  return "# Made by `node test/kubernetes/writeUsers.ts`: do not edit. What each role may do, and no more.\n" +
    `${users}\n`;
}

/** Manifests that make pods. */
export function workloads(manifests: ReadonlyArray<Manifest>): ReadonlyArray<Manifest> {
  return manifests.filter(({ spec }) => spec?.template?.spec.containers !== undefined);
}

/** What surrounds a pod. */
export interface PodSurroundings {
  readonly podName: string;
  /** Passwords by "secret/key". */
  readonly secrets?: ReadonlyMap<string, string>;
  /** Addresses in the cluster, as "host:port", and where this machine has them. */
  readonly addresses?: ReadonlyMap<string, string>;
}

/** A container run as a process: its own command, arguments, environment and files, with the container's paths, addresses and
 *  ports replaced by this machine's. */
export class ContainerProcess {
  /** By the name of the container's port. */
  readonly ports: ReadonlyMap<string, number>;
  readonly #directory: string;
  readonly #command: ReadonlyArray<string>;
  readonly #environment: NodeJS.ProcessEnv;
  #child: ChildProcess | undefined;
  #ended: Promise<number | null> = Promise.resolve(null);
  output = "";

  private constructor(
    directory: string,
    ports: ReadonlyMap<string, number>,
    command: ReadonlyArray<string>,
    environment: NodeJS.ProcessEnv,
  ) {
    this.#directory = directory;
    this.ports = ports;
    this.#command = command;
    this.#environment = environment;
  }

  /** `ports` are this machine's for the container's, by name; free ones if there are none. */
  static async of(
    manifests: ReadonlyArray<Manifest>,
    pod: PodSpec,
    surroundings: PodSurroundings,
    ports?: ReadonlyMap<string, number>,
  ): Promise<ContainerProcess> {
    const container = pod.containers[0] as Container;
    const directory = mkdtempSync(join(tmpdir(), "tailrace-container-"));
    const own = ports ?? await portsFor(container);
    const local = localiser(container, directory, own, surroundings);
    for (const { name, mountPath } of container.volumeMounts ?? []) {
      mkdirSync(`${directory}${mountPath}`, { recursive: true });
      const map = pod.volumes?.find((volume) => volume.name === name)?.configMap;
      if (map === undefined) continue;
      const files = manifests.find(({ kind, metadata }) =>
        kind === "ConfigMap" && metadata.name === map.name
      )?.data;
      if (files === undefined) throw new Error(`no ConfigMap ${map.name} is rendered`);
      for (const [file, text] of Object.entries(files)) {
        writeFileSync(join(`${directory}${mountPath}`, file), local(text));
      }
    }
    const command = [...container.command ?? [], ...container.args ?? []].map(local);
    const environment: NodeJS.ProcessEnv = { PATH: pathOfContainers() };
    for (const { name, value, valueFrom } of container.env ?? []) {
      const secret = valueFrom?.secretKeyRef;
      const given = secret !== undefined
        ? surroundings.secrets?.get(`${secret.name}/${secret.key}`)
        : valueFrom?.fieldRef?.fieldPath === "metadata.name"
        ? surroundings.podName
        : value;
      if (given === undefined) throw new Error(`nothing is known of the variable ${name}`);
      // As Kubernetes expands $(NAME).
      const expanded = given.replace(/\$\((\w+)\)/g, (_, other) => environment[other] ?? "");
      environment[name] = local(expanded);
    }
    return new ContainerProcess(directory, own, command, environment);
  }

  /** The first of the container's ports. */
  get port(): number {
    return [...this.ports.values()][0]!;
  }

  start(): void {
    const [program, ...parameters] = this.#command as [string, ...string[]];
    const child = spawn(program, parameters, {
      env: this.#environment,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const remember = (part: Buffer) => {
      this.output = (this.output + part.toString()).slice(-200_000);
    };
    child.stdout?.on("data", remember);
    child.stderr?.on("data", remember);
    this.#child = child;
    this.#ended = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => resolve(code));
    });
  }

  /** Asks a probe until it succeeds, as the kubelet does. Throws with the output if the process ends first. */
  async until(probe: Probe | undefined): Promise<void> {
    const { path, port: portName = "" } = probe?.httpGet ?? {};
    const port = this.ports.get(portName);
    if (port === undefined) throw new Error("the container has no such HTTP probe");
    while (this.#child?.exitCode === null) {
      const ok = await fetch(`http://127.0.0.1:${port}${path}`).then(
        async (
          response,
        ) => (await response.text(), response.status >= 200 && response.status < 400),
        () => false,
      );
      if (ok) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`the container ended before ${path} answered:\n${this.output}`);
  }

  /** As the kubelet ends a pod: SIGTERM, and then waits. The exit code. */
  async stop(): Promise<number | null> {
    this.#child?.kill("SIGTERM");
    return await this.#ended;
  }

  async remove(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#ended.catch(() => null);
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** A free port of this machine for each of a container's. */
export async function portsFor(container: Container): Promise<ReadonlyMap<string, number>> {
  const ports = new Map<string, number>();
  for (const { name } of container.ports ?? []) ports.set(name, await freePort());
  return ports;
}

/** Turns a text of a container into one that means the same on this machine. */
function localiser(
  container: Container,
  directory: string,
  ports: ReadonlyMap<string, number>,
  { addresses = new Map() }: PodSurroundings,
): (text: string) => string {
  const replacements: Array<readonly [string, string]> = [
    ...addresses,
    ["/app", root.replace(/\/$/, "")],
    ["0.0.0.0", "127.0.0.1"],
  ];
  for (const { mountPath } of container.volumeMounts ?? []) {
    replacements.push([mountPath, `${directory}${mountPath}`]);
  }
  for (const { name, containerPort } of container.ports ?? []) {
    replacements.push([`:${containerPort}`, `:${ports.get(name)}`]);
    replacements.push([`port: ${containerPort}`, `port: ${ports.get(name)}`]);
  }
  // In one pass, so that nothing replaced is replaced again.
  const pattern = new RegExp(replacements.map(([from]) => escaped(from)).join("|"), "g");
  const to = new Map(replacements);
  return (text) => text.replace(pattern, (from) => to.get(from)!);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** Where the programs are that images have. */
function pathOfContainers(): string {
  const nats = findNatsServer();
  const folders = [`${root}node_modules/.bin`, ...(nats === undefined ? [] : [dirname(nats)])];
  return [...folders, "/usr/bin", "/bin"].join(":");
}
