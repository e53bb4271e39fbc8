/** The Kubernetes manifests as they are applied: rendered by kustomize, parsed, and their containers run as processes on this
 *  machine. Owns the mapping of a container's paths to this machine's; what must hold of them is the tests' business. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
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
  readonly env?: ReadonlyArray<{ readonly name: string; readonly value?: string }>;
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

/** Manifests that make pods. */
export function workloads(manifests: ReadonlyArray<Manifest>): ReadonlyArray<Manifest> {
  return manifests.filter(({ spec }) => spec?.template?.spec.containers !== undefined);
}

/** A container run as a process: its own command, arguments, environment and files, with the container's paths and the port
 *  replaced by this machine's. */
export class ContainerProcess {
  readonly port: number;
  readonly #directory: string;
  readonly #command: ReadonlyArray<string>;
  readonly #environment: NodeJS.ProcessEnv;
  #child: ChildProcess | undefined;
  #ended: Promise<number | null> = Promise.resolve(null);
  output = "";

  private constructor(
    directory: string,
    port: number,
    command: ReadonlyArray<string>,
    environment: NodeJS.ProcessEnv,
  ) {
    this.#directory = directory;
    this.port = port;
    this.#command = command;
    this.#environment = environment;
  }

  static async of(manifests: ReadonlyArray<Manifest>, pod: PodSpec): Promise<ContainerProcess> {
    const container = pod.containers[0] as Container;
    const directory = mkdtempSync(join(tmpdir(), "tailrace-container-"));
    const port = await freePort();
    const containerPort = container.ports?.[0]?.containerPort;
    const paths = (container.volumeMounts ?? []).map(({ mountPath }) => mountPath);
    const local = (text: string): string => {
      const replaced = paths.reduce(
        (text, path) => text.replaceAll(path, `${directory}${path}`),
        text.replaceAll("/app", root.replace(/\/$/, "")),
      );
      return replaced.replaceAll(String(containerPort), String(port));
    };
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
    const environment: NodeJS.ProcessEnv = { PATH: `${root}node_modules/.bin:/usr/bin:/bin` };
    for (const { name, value } of container.env ?? []) environment[name] = local(value ?? "");
    return new ContainerProcess(directory, port, command, environment);
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
    const path = probe?.httpGet?.path;
    if (path === undefined) throw new Error("the container has no such HTTP probe");
    while (this.#child?.exitCode === null) {
      const ok = await fetch(`http://127.0.0.1:${this.port}${path}`).then(
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
