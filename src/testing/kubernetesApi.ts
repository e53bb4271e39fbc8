/** The part of a Kubernetes API server that keeps Secrets, over TLS, with a token: for programs that run in a cluster. Owns
 *  what it keeps; it listens on loopback alone. */
import { request as httpRequest } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { createAuthority, issueCertificate } from "../cluster/certificates.ts";
import type { Files } from "./containerProcess.ts";

interface Secret {
  readonly metadata: { readonly name: string };
  readonly type?: string;
  readonly stringData?: Readonly<Record<string, string>>;
}

export class KubernetesApi {
  readonly #server: Server;
  readonly #secrets = new Map<string, Secret>();
  /** What is mounted into a pod that may talk to this server. */
  readonly serviceAccount: Files;

  private constructor(server: Server, serviceAccount: Files) {
    this.#server = server;
    this.serviceAccount = serviceAccount;
  }

  /** Requests for pods go on to `podsUrl`, a PodApi's. */
  static async start(namespace: string, podsUrl?: string): Promise<KubernetesApi> {
    const day = 86_400_000;
    const validity = {
      notBefore: new Date(Date.now() - day),
      notAfter: new Date(Date.now() + day),
    };
    const authority = await createAuthority(validity);
    const { certificate, key } = await issueCertificate(authority, {
      ...validity,
      commonName: "kubernetes",
      hosts: ["kubernetes.default.svc", "localhost", "127.0.0.1"],
    });
    const token = crypto.randomUUID();
    const files = { "ca.crt": authority.certificate, token, namespace };
    const server = createServer({ cert: certificate, key });
    const api = new KubernetesApi(server, files);
    server.on("request", async (request, response) => {
      const isKnown = request.headers.authorization === `Bearer ${token}`;
      if (isKnown && podsUrl !== undefined && /^\/api\/v1\/pods\b/.test(request.url ?? "")) {
        const { authorization: _, ...headers } = request.headers;
        const onward = httpRequest(`${podsUrl}${request.url}`, { headers }, (reply) => {
          response.writeHead(reply.statusCode ?? 500, reply.headers);
          reply.pipe(response);
        });
        onward.on("error", () => response.destroy());
        response.on("close", () => onward.destroy());
        return void onward.end();
      }
      let body = "";
      for await (const part of request) body += String(part);
      const reply = isKnown
        ? api.#answer(request.method ?? "", request.url ?? "", namespace, body)
        : { status: 401, body: {} };
      response.writeHead(reply.status, { "content-type": "application/json" });
      response.end(JSON.stringify(reply.body));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return api;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The files of each Secret, as it is now. */
  get secrets(): Pick<ReadonlyMap<string, Files>, "get" | "keys"> {
    return {
      get: (name) => this.#secrets.get(name)?.stringData,
      keys: () => this.#secrets.keys(),
    };
  }

  deleteSecret(name: string): void {
    this.#secrets.delete(name);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #answer(method: string, url: string, namespace: string, body: string) {
    const prefix = `/api/v1/namespaces/${namespace}/secrets`;
    const name = url.slice(prefix.length + 1);
    const stored = this.#secrets.get(name);
    if (!url.startsWith(prefix)) return { status: 404, body: {} };
    if (method === "GET") {
      if (stored === undefined) return { status: 404, body: {} };
      const data = Object.entries(stored.stringData ?? {}).map(([key, text]) => [key, btoa(text)]);
      return { status: 200, body: { ...stored, data: Object.fromEntries(data) } };
    }
    const secret = JSON.parse(body) as Secret;
    if (method === "POST" && this.#secrets.has(secret.metadata.name)) {
      return { status: 409, body: {} };
    }
    if (method === "PUT" && stored === undefined) return { status: 404, body: {} };
    this.#secrets.set(secret.metadata.name, secret);
    return { status: method === "POST" ? 201 : 200, body: secret };
  }
}
