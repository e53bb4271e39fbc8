/** Ways to an API server: kubeconfigs as kubectl and cloud providers write them, and what cannot be used. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import type { KubernetesSdConfig } from "../../config/scrapeConfig.ts";
import { apiServerAddress, clusterAccess } from "./clusterAccess.ts";

const directory = mkdtempSync(join(tmpdir(), "tailrace-kubeconfig-"));
t.teardown(() => rmSync(directory, { recursive: true }));

const plain: KubernetesSdConfig = {
  role: "pod",
  namespaces: { own_namespace: false, names: [] },
  selectors: [],
  attach_metadata: { node: false },
  follow_redirects: true,
  enable_http2: false,
};

/** The access by a kubeconfig with this user, and more of its cluster. */
function access(user: string, cluster = "", context = "") {
  const path = join(directory, "config");
  writeFileSync(
    path,
    `
current-context: b
contexts: [{name: a, context: {}}, {name: b, context: {cluster: c, user: u ${context}}}]
clusters: [{name: c, cluster: {server: "https://10.0.0.1:6443/k8s" ${cluster}}}]
users: [{name: other, user: {token: wrong}}, {name: u, user: {${user}}}]
`,
  );
  return clusterAccess({ ...plain, kubeconfig_file: path });
}

t.test("a kubeconfig", (t) => {
  const byToken = access("token: abc", "", ", namespace: shop");
  t.equal(byToken.address, "https://10.0.0.1:6443/k8s");
  t.equal(byToken.authorization(), "Bearer abc");
  t.equal(byToken.ownNamespace, "shop");
  t.equal(access("username: me, password: pw").authorization(), "Basic bWU6cHc=");
  t.equal(access("").authorization(), undefined);
  writeFileSync(join(directory, "token"), "first\n");
  const byFile = access("tokenFile: token");
  t.equal(byFile.authorization(), "Bearer first", "a path beside the kubeconfig");
  writeFileSync(join(directory, "token"), "second\n");
  t.equal(byFile.authorization(), "Bearer second", "a token that was replaced");
  const pem = Buffer.from("-----BEGIN").toString("base64");
  access(
    `client-certificate-data: ${pem}, client-key-data: ${pem}`,
    `, certificate-authority-data: ${pem}, tls-server-name: x`,
  );
  t.throws(() => access("", ", certificate-authority: nowhere.crt"), /nowhere\.crt/);
  t.end();
});

t.test("what cannot be used is named", (t) => {
  t.throws(() => access("exec: {command: aws}"), /a user with exec, which is not supported/);
  t.throws(() => access("auth-provider: {name: gcp}"), /auth-provider/);
  const path = join(directory, "bad");
  const f = (text: string, expected: RegExp) => {
    writeFileSync(path, text);
    t.throws(() => clusterAccess({ ...plain, kubeconfig_file: path }), expected, text);
  };
  f("", /has no context ""/);
  f("current-context: x", /has no context "x"/);
  f("current-context: x\ncontexts: [{name: x, context: {cluster: y}}]", /no cluster "y"/);
  f("{", /cannot be read/);
  t.throws(() => clusterAccess({ ...plain, kubeconfig_file: "/nowhere" }), /cannot be read/);
  t.end();
});

t.test("an address, and a pod that is none", (t) => {
  const given = clusterAccess({ ...plain, api_server: "http://127.0.0.1:8001", bearer_token: "t" });
  t.equal(given.authorization(), "Bearer t");
  t.equal(given.ownNamespace, "default");
  t.equal(apiServerAddress({ ...plain, api_server: "http://127.0.0.1:8001" }), given.address);
  const host = process.env["KUBERNETES_SERVICE_HOST"];
  delete process.env["KUBERNETES_SERVICE_HOST"];
  t.throws(() => clusterAccess(plain), /this is not a pod/);
  t.equal(apiServerAddress(plain), undefined);
  process.env["KUBERNETES_SERVICE_HOST"] = "fd00::1";
  t.throws(() => clusterAccess(plain), /service account cannot be read/);
  if (host === undefined) delete process.env["KUBERNETES_SERVICE_HOST"];
  else process.env["KUBERNETES_SERVICE_HOST"] = host;
  t.end();
});
