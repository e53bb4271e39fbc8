/** The configuration of `tailrace collect`: a file of Promtail's, or none with --kubernetes, and the flags that go over either.
 *  Owns those flags and what they are called in messages; src/collector owns what a configuration means. */
import { Config, Effect, Option } from "effect";
import { Flag } from "effect/cli";
import {
  type CollectorConfig,
  ConfigInvalid,
  configWarnings,
  kubernetesConfig,
  parseConfig,
  withClient,
} from "../collector/mod.ts";
import { errorTextWithoutPath, readTextFile } from "../platform/files.ts";
import { hostName } from "../platform/system.ts";
import { environment } from "../platform/terminal.ts";
import { type CommandFailed, misused } from "./failure.ts";

export const configFlags = {
  file: Flag.String("config.file").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("The configuration, as Promtail's"),
    Flag.optional,
  ),
  expandEnvironment: Flag.Boolean("config.expand-env").pipe(
    Flag.withDescription("Put ${VARIABLES} of the environment into the configuration"),
    Flag.withDefault(false),
  ),
  kubernetes: Flag.Boolean("kubernetes").pipe(
    Flag.withDescription("Collect the pods of this node (NODE_NAME), without a configuration"),
    Flag.withDefault(false),
  ),
  clientUrl: Flag.String("client.url").pipe(
    Flag.withMetavar("URL"),
    Flag.withDescription("A server to send to; also TAILRACE_CLIENT_URL"),
    Flag.withFallbackConfig(Config.String("TAILRACE_CLIENT_URL")),
    Flag.optional,
  ),
  clientTenant: Flag.String("client.tenant-id").pipe(
    Flag.withMetavar("NAME"),
    Flag.withDescription("The tenant for --client.url; also TAILRACE_TENANT"),
    Flag.withFallbackConfig(Config.String("TAILRACE_TENANT")),
    Flag.withDefault(""),
  ),
  clientLabels: Flag.String("client.external-labels").pipe(
    Flag.withMetavar("NAME=VALUE,…"),
    Flag.withDescription("Labels that all streams sent to --client.url get"),
    Flag.withDefault(""),
  ),
  httpAddress: Flag.String("server.http-listen-address").pipe(
    Flag.withDescription("Address of the pages"),
    Flag.optional,
  ),
  httpPort: Flag.Int("server.http-listen-port").pipe(
    Flag.withMetavar("PORT"),
    Flag.withDescription("Of /ready, /metrics and /targets (with --kubernetes 3101)"),
    Flag.optional,
  ),
  podLogs: Flag.String("kubernetes.pod-logs").pipe(
    Flag.withMetavar("DIRECTORY"),
    Flag.withDescription("Where the kubelet puts logs"),
    Flag.withDefault("/var/log/pods"),
  ),
  kubeconfig: Flag.String("kubernetes.kubeconfig").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("How to reach the cluster from outside; also KUBECONFIG"),
    Flag.withFallbackConfig(Config.String("KUBECONFIG")),
    Flag.withDefault(""),
  ),
};

export interface ConfigOptions {
  readonly file: Option.Option<string>;
  readonly expandEnvironment: boolean;
  readonly kubernetes: boolean;
  readonly clientUrl: Option.Option<string>;
  readonly clientTenant: string;
  readonly clientLabels: string;
  readonly httpAddress: Option.Option<string>;
  readonly httpPort: Option.Option<number>;
  readonly podLogs: string;
  readonly kubeconfig: string;
}

const kubernetesPort = 3101;
const kubernetesDirectory = "/var/lib/tailrace-collector";

/** What the configuration is called in messages. */
export function configName({ file }: ConfigOptions): string {
  return Option.getOrElse(file, () => "--kubernetes");
}

/** Where positions and the disk buffer are, unless a flag says. */
export function defaultDirectory({ kubernetes }: ConfigOptions, config: CollectorConfig): string {
  if (kubernetes) return kubernetesDirectory;
  return `${config.positions.filename.replace(/\.ya?ml$/, "")}.d`;
}

export interface LoadedConfig {
  readonly config: CollectorConfig;
  /** What in it has probably another effect than was meant. */
  readonly warnings: ReadonlyArray<string>;
}

/** The configuration with the flags over it, without mistakes. */
export const loadConfig = Effect.fnUntraced(function* (
  options: ConfigOptions,
): Effect.fn.Return<LoadedConfig, CommandFailed> {
  if (options.kubernetes) {
    if (Option.isSome(options.file)) {
      return yield* misused("--kubernetes needs no configuration: leave out --config.file");
    }
    return { config: yield* kubernetes(options), warnings: [] };
  }
  const { config, warnings } = yield* fromFile(options);
  const port = Option.getOrElse(options.httpPort, () => config.server.http_listen_port);
  const address = Option.getOrElse(options.httpAddress, () => config.server.http_listen_address);
  const server = { ...config.server, http_listen_address: address, http_listen_port: port };
  if (Option.isNone(options.clientUrl)) return { config: { ...config, server }, warnings };
  const client = {
    url: options.clientUrl.value,
    tenant: options.clientTenant,
    externalLabels: yield* labelsOf(options.clientLabels),
  };
  return yield* Effect.fromResult(withClient({ ...config, server }, client)).pipe(
    Effect.mapBoth({
      onFailure: (invalid) => misused(invalid.message),
      onSuccess: (config) => ({ config, warnings }),
    }),
  );
});

const fromFile = Effect.fnUntraced(function* (
  options: ConfigOptions,
): Effect.fn.Return<LoadedConfig, CommandFailed> {
  if (Option.isNone(options.file)) {
    return yield* misused("Missing --config.file=FILE; on Kubernetes, --kubernetes needs none");
  }
  const file = options.file.value;
  const text = yield* Effect.tryPromise({
    try: () => readTextFile(file),
    catch: (cause) => misused(`Cannot read ${file}: ${errorTextWithoutPath(cause)}`),
  });
  const source = { file, text, environment: options.expandEnvironment ? environment : null };
  return yield* Effect.fromResult(parseConfig(source)).pipe(
    Effect.mapBoth({
      onFailure: (invalid: ConfigInvalid) => misused(invalid.message),
      onSuccess: (config) => ({ config, warnings: configWarnings(source, config) }),
    }),
  );
});

const kubernetes = Effect.fnUntraced(function* (options: ConfigOptions) {
  if (Option.isNone(options.clientUrl)) {
    return yield* misused(
      "--kubernetes needs a server to send to: --client.url=http://tailrace:3100/loki/api/v1/push",
    );
  }
  const config = kubernetesConfig({
    url: options.clientUrl.value,
    tenant: options.clientTenant,
    externalLabels: yield* labelsOf(options.clientLabels),
    node: environment["NODE_NAME"] || hostName(),
    httpPort: Option.getOrElse(options.httpPort, () => kubernetesPort),
    podLogs: options.podLogs,
    // Within a pod its service account is meant, whatever else the environment has.
    kubeconfig: environment["KUBERNETES_SERVICE_HOST"] ? "" : options.kubeconfig,
  });
  return yield* Effect.fromResult(config).pipe(
    Effect.mapError((invalid) => misused(invalid.message)),
    Effect.map(({ server, ...rest }) => {
      const address = Option.getOrElse(options.httpAddress, () => server.http_listen_address);
      return { ...rest, server: { ...server, http_listen_address: address } };
    }),
  );
});

const labelsOf = Effect.fnUntraced(function* (text: string) {
  const labels: Record<string, string> = {};
  for (const pair of text.split(",").filter((pair) => pair.trim() !== "")) {
    const match = /^\s*([a-zA-Z_]\w*)\s*=(.*)$/.exec(pair);
    if (match === null) {
      return yield* misused(`--client.external-labels "${pair}": write name=value,name=value`);
    }
    labels[match[1]!] = match[2]!.trim();
  }
  return labels;
});
