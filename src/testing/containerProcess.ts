/** A container of a manifest run as a process of this machine: its own command, arguments, environment and files, with the
 *  container's paths, addresses and ports replaced by this machine's. Owns that mapping, and ending as the kubelet ends a
 *  pod. Invariant: it signals only what it started. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Container, Manifest, PodSpec, Probe } from "./manifests.ts";
import { findNatsServer } from "./natsProgram.ts";
import { freePort, type ProcessUsage, usageOf } from "./serverProcess.ts";

const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount";

/** Files by name. */
export type Files = Readonly<Record<string, string>>;

/** What surrounds a pod. */
export interface PodSurroundings {
  readonly podName: string;
  readonly nodeName?: string;
  /** Where this machine has the API server. */
  readonly apiPort?: number;
  /** The files of Secrets, by the Secret's name. */
  readonly secrets?: Pick<ReadonlyMap<string, Files>, "get">;
  /** What a pod that has a token finds beside it. */
  readonly serviceAccount?: Files;
  /** Addresses in the cluster, as "host:port", and where this machine has them. */
  readonly addresses?: ReadonlyMap<string, string>;
  /** Directories of the node, and where this machine has them. */
  readonly hostPaths?: ReadonlyMap<string, string>;
}

export class ContainerProcess {
  /** By the name of the container's port. */
  readonly ports: ReadonlyMap<string, number>;
  readonly #directory: string;
  #given: Given;
  #child: ChildProcess | undefined;
  #ended: Promise<number | null> = Promise.resolve(null);
  output = "";

  private constructor(directory: string, ports: ReadonlyMap<string, number>, given: Given) {
    this.#directory = directory;
    this.ports = ports;
    this.#given = given;
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
    directories.add(directory);
    const own = ports ?? await portsFor(container);
    return new ContainerProcess(
      directory,
      own,
      given(manifests, pod, directory, own, surroundings),
    );
  }

  get container(): Container {
    return this.#given.container;
  }

  /** What it is from its next start on, with the volumes and ports that it has. */
  become(manifests: ReadonlyArray<Manifest>, pod: PodSpec, surroundings: PodSurroundings): void {
    this.#given = given(manifests, pod, this.#directory, this.ports, surroundings);
  }

  /** The first of the container's ports. */
  get port(): number {
    return [...this.ports.values()][0]!;
  }

  /** Secrets are as they are at this moment. */
  start(): void {
    this.#given.mount();
    const { command = [], args = [] } = this.container;
    const [program, ...parameters] = [...command, ...args].map(this.#given.local) as [string];
    // Out of sight of the test runner, which adds hooks to what it sees being started.
    const child = spawn("env", ["-u", "NODE_OPTIONS", program, ...parameters], {
      env: this.#given.environment,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const remember = (part: Buffer) => {
      this.output = (this.output + part.toString()).slice(-200_000);
    };
    child.stdout?.on("data", remember);
    child.stderr?.on("data", remember);
    this.#child = child;
    running.add(child);
    this.#ended = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => {
        running.delete(child);
        resolve(code);
      });
    });
  }

  /** Asks the probes until each has succeeded, as the kubelet does. */
  async untilReady(): Promise<void> {
    const { startupProbe, readinessProbe, livenessProbe } = this.container;
    for (const probe of [startupProbe, readinessProbe, livenessProbe]) {
      if (probe !== undefined) await this.#until(probe);
    }
  }

  async #until({ httpGet }: Probe): Promise<void> {
    const { path, port: portName = "" } = httpGet ?? {};
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
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`the container ended before ${path} answered:\n${this.output}`);
  }

  /** Waits for the end of a process that ends by itself. The exit code. */
  async ended(): Promise<number | null> {
    return await this.#ended;
  }

  /** As the kubelet ends a pod: preStop to its end, SIGTERM, and then waits. The exit code. */
  async stop(): Promise<number | null> {
    const hook = this.container.lifecycle?.preStop?.exec?.command;
    if (hook !== undefined) await this.#runHook(hook);
    this.#child?.kill("SIGTERM");
    return await this.#ended;
  }

  /** In the container the program has the process id 1. */
  async #runHook(command: ReadonlyArray<string>): Promise<void> {
    const [program, ...parameters] = command.map((part) =>
      this.#given.local(part).replace(/^ldm=1$/, `ldm=${this.#child?.pid}`)
    ) as [string];
    const hook = spawn(program, parameters, { env: this.#given.environment, stdio: "ignore" });
    await new Promise<void>((resolve, reject) => {
      hook.once("error", reject);
      hook.once("close", (code) => {
        if (code === 0) resolve();
        else reject(new Error(`preStop ${command.join(" ")} ended with ${code}`));
      });
    });
  }

  /** As a node ends that loses its power. */
  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#ended;
  }

  /** What it has used since its start. */
  usage(): ProcessUsage {
    return usageOf(this.#child?.pid ?? 0);
  }

  /** The directory that the container knows as `mountPath`. */
  pathOf(mountPath: string): string {
    return `${this.#directory}${mountPath}`;
  }

  async remove(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#ended.catch(() => null);
    rmSync(this.#directory, { recursive: true, force: true });
    directories.delete(this.#directory);
  }
}

/** What manifests say of a container, for this machine. */
interface Given {
  readonly container: Container;
  readonly local: (text: string) => string;
  readonly environment: NodeJS.ProcessEnv;
  readonly mount: () => void;
}

function given(
  manifests: ReadonlyArray<Manifest>,
  pod: PodSpec,
  directory: string,
  ports: ReadonlyMap<string, number>,
  surroundings: PodSurroundings,
): Given {
  const container = pod.containers[0] as Container;
  const local = localiser(container, pod, directory, ports, surroundings);
  return {
    container,
    local,
    environment: environmentOf(container, local, surroundings),
    mount: () => mountVolumes(container, pod, directory, local, manifests, surroundings),
  };
}

function mountVolumes(
  container: Container,
  pod: PodSpec,
  directory: string,
  local: (text: string) => string,
  manifests: ReadonlyArray<Manifest>,
  surroundings: PodSurroundings,
): void {
  for (const { name, mountPath } of container.volumeMounts ?? []) {
    const path = `${directory}${mountPath}`;
    const volume = pod.volumes?.find((volume) => volume.name === name);
    if (volume?.hostPath === undefined) {
      writeFiles(path, volume === undefined ? {} : filesOf(volume, manifests, surroundings), local);
    }
  }
  if (surroundings.serviceAccount !== undefined) {
    writeFiles(`${directory}${serviceAccount}`, surroundings.serviceAccount, (text) => text);
  }
}

/** A free port of this machine for each of a container's. */
export async function portsFor(container: Container): Promise<ReadonlyMap<string, number>> {
  const ports = new Map<string, number>();
  for (const { name } of container.ports ?? []) ports.set(name, await freePort());
  return ports;
}

function filesOf(
  { configMap, secret }: NonNullable<PodSpec["volumes"]>[number],
  manifests: ReadonlyArray<Manifest>,
  { secrets }: PodSurroundings,
): Files {
  if (secret !== undefined) {
    const files = secrets?.get(secret.secretName);
    if (files === undefined) throw new Error(`there is no Secret ${secret.secretName}`);
    return files;
  }
  if (configMap === undefined) return {};
  const files = manifests.find(({ kind, metadata }) =>
    kind === "ConfigMap" && metadata.name === configMap.name
  )?.data;
  if (files === undefined) throw new Error(`no ConfigMap ${configMap.name} is rendered`);
  return files;
}

function writeFiles(directory: string, files: Files, local: (text: string) => string): void {
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(directory, name), local(text), { mode: 0o600 });
  }
}

function environmentOf(
  container: Container,
  local: (text: string) => string,
  { secrets, podName, nodeName, apiPort }: PodSurroundings,
): NodeJS.ProcessEnv {
  const fields: Readonly<Record<string, string | undefined>> = {
    "metadata.name": podName,
    "spec.nodeName": nodeName,
  };
  const environment: NodeJS.ProcessEnv = { PATH: pathOfContainers() };
  // As the kubelet tells every pod.
  if (apiPort !== undefined) environment["KUBERNETES_SERVICE_PORT"] = String(apiPort);
  for (const { name, value, valueFrom } of container.env ?? []) {
    const secret = valueFrom?.secretKeyRef;
    const given = secret !== undefined
      ? secrets?.get(secret.name)?.[secret.key]
      : valueFrom?.fieldRef !== undefined
      ? fields[valueFrom.fieldRef.fieldPath]
      : value;
    if (given === undefined) throw new Error(`nothing is known of the variable ${name}`);
    // As Kubernetes expands $(NAME).
    const expanded = given.replace(/\$\((\w+)\)/g, (_, other) => environment[other] ?? "");
    environment[name] = local(expanded);
  }
  return environment;
}

/** Turns a text of a container into one that means the same on this machine. */
function localiser(
  container: Container,
  pod: PodSpec,
  directory: string,
  ports: ReadonlyMap<string, number>,
  { addresses = new Map(), hostPaths }: PodSurroundings,
): (text: string) => string {
  const replacements: Array<readonly [string, string]> = [
    ...addresses,
    ["/app", root],
    ["0.0.0.0", "127.0.0.1"],
    [serviceAccount, `${directory}${serviceAccount}`],
  ];
  for (const { name, mountPath } of container.volumeMounts ?? []) {
    const { hostPath } = pod.volumes?.find((volume) => volume.name === name) ?? {};
    const node = hostPath === undefined ? undefined : hostPaths?.get(hostPath.path);
    replacements.push([mountPath, node ?? `${directory}${mountPath}`]);
  }
  for (const { name, containerPort } of container.ports ?? []) {
    replacements.push([`:${containerPort}`, `:${ports.get(name)}`]);
    for (const before of ["port: ", "port="]) {
      replacements.push([`${before}${containerPort}`, `${before}${ports.get(name)}`]);
    }
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
  const folders = [`${root}/node_modules/.bin`, ...(nats === undefined ? [] : [dirname(nats)])];
  return [...folders, "/usr/bin", "/bin"].join(":");
}

const running = new Set<ChildProcess>();
const directories = new Set<string>();

process.once("exit", cleanUp);
// serverProcess.ts then ends the process by the same signal.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, cleanUp);

function cleanUp(): void {
  for (const child of running) child.kill("SIGKILL");
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
}
