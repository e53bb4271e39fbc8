/** `tailrace cluster credentials`: makes the Secrets that NATS and the roles know each other by, through the API of the Kubernetes
 *  cluster that it runs in. Owns the talk to that API; cluster/credentials.ts owns which Secrets there are. */
import { Console, Effect } from "effect";
import { Command, Flag } from "effect/cli";
import { ensureCredentials, type SecretStore, type SecretTexts } from "../cluster/credentials.ts";
import { rolePermissions } from "../cluster/permissions.ts";
import { errorText, readTextFile } from "../platform/files.ts";
import { failed } from "./failure.ts";

export const credentials = Command.make(
  "credentials",
  {
    api: Flag.String("kubernetes-api").pipe(
      Flag.withDescription("Address of the Kubernetes API"),
      Flag.withDefault("https://kubernetes.default.svc"),
    ),
    account: Flag.String("service-account").pipe(
      Flag.withDescription("Directory with the token, the namespace and the API's ca.crt"),
      Flag.withDefault("/var/run/secrets/kubernetes.io/serviceaccount"),
    ),
    hosts: Flag.String("hosts").pipe(
      Flag.withDescription("Names and addresses of the NATS servers, with commas between them"),
    ),
  },
  ({ api, account, hosts }) =>
    Effect.tryPromise({
      try: async () => {
        const [token, namespace] = await Promise.all(
          ["token", "namespace"].map((name) => readTextFile(`${account}/${name}`)),
        ) as [string, string];
        const store = kubernetesSecrets(api, namespace.trim(), token.trim());
        // Whatever the numbers are, the roles are the same.
        const roles = rolePermissions({ partitions: 1, objectShards: 1 }).map(({ role }) => role);
        return await ensureCredentials(store, {
          hosts: hosts.split(",").map((host) => host.trim()).filter((host) => host !== ""),
          roles: [...roles, "operator", "admin"],
          now: new Date(),
        });
      },
      catch: (error) => failed(`cannot make the credentials: ${errorText(error)}`),
    }).pipe(
      Effect.flatMap((made) =>
        Console.log(made.length === 0 ? "every Secret is there" : `made: ${made.join(", ")}`)
      ),
    ),
).pipe(
  Command.withShortDescription("Make the certificates of a cluster on Kubernetes"),
  Command.withDescription(
    "Make the Secrets that NATS and the roles know each other by, those that are missing. Runs in the cluster, as the\n" +
      "Job `credentials` of k8s/; on Deno with --cert=<the API's ca.crt>.",
  ),
);

/** Marks the Secrets that this program made. */
const managedBy = { "app.kubernetes.io/managed-by": "tailrace" };
const requestMs = 30_000;

function kubernetesSecrets(api: string, namespace: string, token: string): SecretStore {
  const call = async (method: string, name: string, body?: unknown) => {
    const at = name === "" ? "" : `/${name}`;
    const url = `${api.replace(/\/$/, "")}/api/v1/namespaces/${namespace}/secrets${at}`;
    const response = await fetch(url, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      signal: AbortSignal.timeout(requestMs),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (response.ok || response.status === 404 || response.status === 409) {
      return { status: response.status, text };
    }
    throw new Error(`${method} ${url} is answered ${response.status}: ${text.slice(0, 500)}`);
  };
  const secret = (name: string, stringData: SecretTexts) => ({
    apiVersion: "v1",
    kind: "Secret",
    type: "kubernetes.io/tls",
    metadata: { name, labels: managedBy },
    stringData,
  });
  return {
    get: async (name) => {
      const { status, text } = await call("GET", name);
      if (status === 404) return undefined;
      const { metadata, data = {} } = JSON.parse(text) as {
        readonly metadata: { readonly labels?: Readonly<Record<string, string>> };
        readonly data?: Readonly<Record<string, string>>;
      };
      const texts = Object.entries(data).map(([key, value]) => [key, atob(value)] as const);
      return {
        texts: Object.fromEntries(texts),
        isOurs: metadata.labels?.["app.kubernetes.io/managed-by"] === "tailrace",
      };
    },
    create: async (name, texts) => {
      const { status, text } = await call("POST", "", secret(name, texts));
      if (status === 404) throw new Error(`there is no namespace ${namespace}: ${text}`);
      return status !== 409;
    },
    replace: async (name, texts) => {
      const { status, text } = await call("PUT", name, secret(name, texts));
      if (status >= 400) throw new Error(`the Secret ${name} changed or went meanwhile: ${text}`);
    },
  };
}
