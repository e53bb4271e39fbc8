/** Every way in which NATS can be told who a client is: user and password, nkeys, a creds file, TLS and mutual TLS; and that a
 *  client which has not what is asked for says so and does not start. */
import { nkeys } from "@nats-io/transport-node";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { createAuthority, issueCertificate } from "../../src/cluster/certificates.ts";
import { NatsServers } from "../../src/testing/natsServer.ts";
import { PushClient } from "../../src/testing/pushClient.ts";
import { QueryClient } from "../../src/testing/queryClient.ts";
import { runtimes, ServerProcess } from "../../src/testing/serverProcess.ts";

const directory = mkdtempSync(join(tmpdir(), "tailrace-credentials-"));
t.teardown(() => rmSync(directory, { recursive: true, force: true }));

const file = (name: string, text: string | Uint8Array) => {
  const path = join(directory, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
};

interface Way {
  readonly name: string;
  readonly config: string;
  readonly settings: Readonly<Record<string, string>>;
  /** What a client does without, so that it is refused. */
  readonly without: ReadonlyArray<string>;
  readonly isTls?: boolean;
}

const validity = {
  notBefore: new Date(Date.now() - 3_600_000),
  notAfter: new Date(Date.now() + 86_400_000),
};
const authority = await createAuthority(validity);
const caFile = file("ca.pem", authority.certificate);
const issue = (commonName: string) =>
  issueCertificate(authority, { ...validity, commonName, hosts: ["localhost", "127.0.0.1"] });
const [serverPair, clientPair] = [await issue("nats"), await issue("tailrace")];
const serverCert = file("server.pem", serverPair.certificate);
const serverKey = file("server.key", serverPair.key);
const tlsBlock = (verify: boolean) =>
  `tls { cert_file: "${serverCert}", key_file: "${serverKey}", ca_file: "${caFile}", verify: ${verify} }`;
const nkey = nkeys.createUser();
const jwt = jwtAccount();

const ways: ReadonlyArray<Way> = [
  {
    name: "user and password",
    config: "authorization { users: [{ user: tailrace, password: secret }] }",
    settings: { "nats.user": "tailrace", "nats.password": "secret" },
    without: ["nats.user", "nats.password"],
  },
  {
    name: "an nkey",
    config: `authorization { users: [{ nkey: ${nkey.getPublicKey()} }] }`,
    settings: { "nats.nkey_file": file("user.nk", nkey.getSeed()) },
    without: ["nats.nkey_file"],
  },
  {
    name: "a creds file",
    config: jwt.config,
    settings: { "nats.creds_file": file("user.creds", jwt.creds) },
    without: ["nats.creds_file"],
  },
  {
    name: "TLS",
    config: tlsBlock(false),
    settings: { "nats.tls_ca_file": caFile },
    without: ["nats.tls_ca_file"],
    isTls: true,
  },
  {
    name: "mutual TLS",
    config: tlsBlock(true),
    settings: {
      "nats.tls_ca_file": caFile,
      "nats.tls_cert_file": file("client.pem", clientPair.certificate),
      "nats.tls_key_file": file("client.key", clientPair.key),
    },
    without: ["nats.tls_cert_file", "nats.tls_key_file"],
    isTls: true,
  },
];

for (const { name, config, settings, without, isTls } of ways) {
  t.test(name, async (t) => {
    const servers = await NatsServers.start({ nodes: 1, config, wait: false });
    t.teardown(() => servers.remove());
    // By its name, as on Kubernetes: the sandbox knows no addresses.
    const named = servers.urls.replace("127.0.0.1", "localhost");
    const url = isTls === true ? named.replace("nats:", "tls:") : named;
    const base = {
      "storage.engine": "nats",
      "nats.url": url,
      "nats.replicas": "1",
      "ingester.partitions": "1",
      "querier.workers": "1",
    };
    for (const runtime of runtimes) {
      const server = await ServerProcess.start({ runtime, settings: { ...base, ...settings } });
      t.teardown(() => server.remove());
      const now = BigInt(Date.now()) * 1_000_000n;
      const labels = `{app="${runtime}"}`;
      await new PushClient(server.baseUrl).push([{
        labels,
        entries: [{ timestamp: now, line: "hello" }],
      }]);
      const range = { query: labels, start: now - 1n, end: now + 1n };
      const found = await new QueryClient(server.baseUrl).all(range);
      t.same(found.map(({ line }) => line), ["hello"], runtime);
      await server.kill();

      const kept = Object.entries(settings).filter(([setting]) => !without.includes(setting));
      const refused = await ServerProcess.create({
        runtime,
        settings: { ...base, ...Object.fromEntries(kept) },
      });
      t.teardown(() => refused.remove());
      refused.launch();
      const says = /NATS at .* refuses this client|asks? for a client's certificate/;
      while (refused.isRunning && !says.test(refused.output)) await sleep(100);
      t.match(refused.output, says, `${runtime}: without it says why`);
      const ready = await fetch(`${refused.baseUrl}/ready`).then(({ ok }) => ok, () => false);
      t.notOk(ready, "and does not start");
      await refused.kill();
    }
  });
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** A server's configuration in operator mode with one account, and a user's creds file. */
function jwtAccount() {
  const [operator, account, system, user] = [
    nkeys.createOperator(),
    nkeys.createAccount(),
    nkeys.createAccount(),
    nkeys.createUser(),
  ];
  const unlimited = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
  const limits = {
    subs: -1,
    data: -1,
    payload: -1,
    imports: -1,
    exports: -1,
    wildcards: true,
    conn: -1,
    leaf: -1,
    ...unlimited,
  };
  const accountJwt = (key: nkeys.KeyPair, more: object) =>
    token(operator, key, "account", { limits: { ...limits, ...more }, type: "account" });
  const operatorJwt = token(operator, operator, "operator", {
    system_account: system.getPublicKey(),
  });
  const none = { mem_storage: 0, disk_storage: 0, streams: 0, consumer: 0 };
  const userJwt = token(account, user, "user", { subs: -1, data: -1, payload: -1 });
  const seed = new TextDecoder().decode(user.getSeed());
  return {
    config: `operator: ${operatorJwt}
system_account: ${system.getPublicKey()}
resolver: MEMORY
resolver_preload: {
  ${account.getPublicKey()}: ${accountJwt(account, {})}
  ${system.getPublicKey()}: ${accountJwt(system, none)}
}`,
    creds: `-----BEGIN NATS USER JWT-----
${userJwt}
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
${seed}
------END USER NKEY SEED------
`,
  };
}

/** A JWT as nsc makes it: claims about `subject` that `issuer` signs. */
function token(
  issuer: nkeys.KeyPair,
  subject: nkeys.KeyPair,
  type: string,
  claims: object,
): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const head = part({ typ: "JWT", alg: "ed25519-nkey" });
  const body = part({
    jti: crypto.randomUUID(),
    iat: Math.floor(Date.now() / 1000),
    iss: issuer.getPublicKey(),
    name: type,
    sub: subject.getPublicKey(),
    nats: { ...claims, type, version: 2 },
  });
  const signature = issuer.sign(new TextEncoder().encode(`${head}.${body}`));
  return `${head}.${body}.${Buffer.from(signature).toString("base64url")}`;
}
