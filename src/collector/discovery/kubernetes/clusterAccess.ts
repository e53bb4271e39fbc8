/** How to reach an API server: by the service account of the pod that this runs in, by a kubeconfig, or by an address
 *  in the configuration. Owns where credentials lie and how a kubeconfig is read. */
import { parse } from "yaml";
import { errorText, joinPath, parentPath, readTextFileNow } from "../../../platform/files.ts";
import type { ClientTls } from "../../../platform/httpPush.ts";
import { HttpEndpoint } from "../../../platform/httpStream.ts";
import { environment } from "../../../platform/terminal.ts";
import { authorizationOf, type Credentials } from "../../authorization.ts";
import type { KubernetesSdConfig } from "../../config/scrapeConfig.ts";

export interface ClusterAccess {
  readonly endpoint: HttpEndpoint;
  /** What messages call the server. */
  readonly address: string;
  /** The header of the next request; throws if a token file cannot be read. */
  readonly authorization: () => string | undefined;
  /** The namespace that we run in. */
  readonly ownNamespace: string;
}

/** Where a cluster puts what its pods need to talk to it, unless KUBERNETES_SERVICE_ACCOUNT says otherwise. */
const serviceAccount = environment["KUBERNETES_SERVICE_ACCOUNT"] ??
  "/var/run/secrets/kubernetes.io/serviceaccount";

/** Throws with what is missing and what to do. */
export function clusterAccess(config: KubernetesSdConfig): ClusterAccess {
  const { api_server, kubeconfig_file } = config;
  if (kubeconfig_file !== undefined && kubeconfig_file !== "") {
    return fromKubeconfig(kubeconfig_file);
  }
  if (api_server !== undefined && api_server !== "") {
    return access(api_server, config.tls_config, config, "default");
  }
  return fromServiceAccount(serviceAccount);
}

/** The address of the API server that a configuration leads to, undefined if none can be told. */
export function apiServerAddress(config: KubernetesSdConfig): string | undefined {
  try {
    return clusterAccess(config).address;
  } catch {
    return undefined;
  }
}

function access(
  address: string,
  tls: ClientTls | undefined,
  credentials: Credentials,
  ownNamespace: string,
): ClusterAccess {
  return {
    endpoint: new HttpEndpoint(address, tls),
    address,
    authorization: () => authorizationOf(credentials),
    ownNamespace,
  };
}

function fromServiceAccount(directory: string): ClusterAccess {
  const host = environment["KUBERNETES_SERVICE_HOST"];
  const port = environment["KUBERNETES_SERVICE_PORT"];
  if (host === undefined || host === "") {
    throw new Error(
      "this is not a pod (KUBERNETES_SERVICE_HOST is not set), so there is no service account to use: " +
        "name the API server with api_server, or a kubeconfig with kubeconfig_file",
    );
  }
  const address = `https://${host.includes(":") ? `[${host}]` : host}:${port || 443}`;
  const tls = { ca_file: joinPath(directory, "ca.crt") };
  const credentials = { bearer_token_file: joinPath(directory, "token") };
  try {
    const namespace = readTextFileNow(joinPath(directory, "namespace")).trim();
    return access(address, tls, credentials, namespace);
  } catch (error) {
    throw new Error(
      `the pod's service account cannot be read: ${
        errorText(error)
      }; see automountServiceAccountToken`,
    );
  }
}

interface Kubeconfig {
  readonly "current-context"?: string;
  readonly contexts?: ReadonlyArray<{ name?: string; context?: Record<string, string> }>;
  readonly clusters?: ReadonlyArray<{ name?: string; cluster?: Record<string, unknown> }>;
  readonly users?: ReadonlyArray<{ name?: string; user?: Record<string, unknown> }>;
}

function fromKubeconfig(path: string): ClusterAccess {
  const fail = (message: string) => new Error(`the kubeconfig "${path}" ${message}`);
  let content: Kubeconfig | null;
  try {
    content = parse(readTextFileNow(path)) as Kubeconfig | null;
  } catch (error) {
    throw fail(`cannot be read: ${errorText(error)}`);
  }
  const name = content?.["current-context"];
  const context = content?.contexts?.find((entry) => entry.name === name)?.context;
  if (context === undefined) throw fail(`has no context "${name ?? ""}": see current-context`);
  const cluster = content?.clusters?.find((entry) => entry.name === context["cluster"])?.cluster;
  const server = cluster?.["server"];
  if (typeof server !== "string") {
    throw fail(`has no cluster "${context["cluster"]}" with a server`);
  }
  const user = content?.users?.find((entry) => entry.name === context["user"])?.user ?? {};
  for (const key of ["exec", "auth-provider"]) {
    if (user[key] !== undefined) {
      throw fail(`has a user with ${key}, which is not supported: use a token or a certificate`);
    }
  }
  const file = (value: unknown) => typeof value === "string" ? besides(path, value) : undefined;
  const tls: ClientTls = {
    ca: fromBase64(cluster?.["certificate-authority-data"]),
    ca_file: file(cluster?.["certificate-authority"]),
    server_name: text(cluster?.["tls-server-name"]),
    insecure_skip_verify: cluster?.["insecure-skip-tls-verify"] === true,
    cert: fromBase64(user["client-certificate-data"]),
    cert_file: file(user["client-certificate"]),
    key: fromBase64(user["client-key-data"]),
    key_file: file(user["client-key"]),
  };
  const username = text(user["username"]);
  const credentials: Credentials = {
    ...(username === undefined
      ? {}
      : { basic_auth: { username, password: text(user["password"]) ?? "" } }),
    bearer_token: text(user["token"]),
    bearer_token_file: file(user["tokenFile"]),
  };
  return access(server, tls, credentials, context["namespace"] ?? "default");
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function fromBase64(value: unknown): string | undefined {
  return typeof value === "string" ? atob(value) : undefined;
}

/** Paths in a kubeconfig are relative to it. */
function besides(path: string, relative: string): string {
  return relative.startsWith("/") ? relative : joinPath(parentPath(path), relative);
}
