/** Which Secrets are made: all of them once, one that is missing, all again with a new authority; never those of users. */
import { X509Certificate } from "node:crypto";
import t from "tap";
import { ensureCredentials, type SecretStore, type StoredSecret } from "./credentials.ts";

const options = {
  hosts: ["nats-0.nats", "127.0.0.1"],
  roles: ["distributor", "ingester"],
  now: new Date("2026-03-01T00:00:00Z"),
};
const names = ["nats-ca", "nats-server", "nats-client-distributor", "nats-client-ingester"];
const all = ["nats-route", ...names];

t.test("what is missing is made, what is there stays", async (t) => {
  const { secrets, store } = memory();
  t.same(await ensureCredentials(store, options), all);
  t.same(await ensureCredentials(store, options), []);
  const before = new Map(secrets);
  secrets.delete("nats-client-ingester");
  t.same(await ensureCredentials(store, options), ["nats-client-ingester"]);
  t.equal(secrets.get("nats-server"), before.get("nats-server"));
  const { texts } = secrets.get("nats-client-ingester")!;
  const certificate = new X509Certificate(texts["tls.crt"]!);
  t.equal(certificate.subject, "CN=ingester");
  t.equal(certificate.validToDate.toISOString(), "2036-03-01T00:00:00.000Z");
  t.equal(texts["ca.crt"], secrets.get("nats-ca")!.texts["tls.crt"]);
  t.ok(certificate.verify(new X509Certificate(texts["ca.crt"]!).publicKey));
});

t.test("a role that is new gets its certificate from the authority that there is", async (t) => {
  const { secrets, store } = memory();
  await ensureCredentials(store, options);
  const made = await ensureCredentials(store, { ...options, roles: [...options.roles, "ruler"] });
  t.same(made, ["nats-client-ruler"]);
  const { texts } = secrets.get("nats-client-ruler")!;
  t.equal(texts["ca.crt"], secrets.get("nats-ca")!.texts["tls.crt"]);
});

t.test("a new authority signs everything anew, but for what is the user's", async (t) => {
  const { secrets, store } = memory();
  await ensureCredentials(store, options);
  const own = { texts: { "ca.crt": "mine" }, isOurs: false };
  secrets.set("nats-client-ingester", own);
  secrets.delete("nats-ca");
  t.same(await ensureCredentials(store, options), [
    "nats-ca",
    "nats-server",
    "nats-client-distributor",
  ]);
  t.equal(secrets.get("nats-client-ingester"), own);
});

t.test("with certificates of somebody else's there is no authority", async (t) => {
  const { secrets, store } = memory();
  for (const name of names.slice(1)) secrets.set(name, { texts: {}, isOurs: false });
  t.same(await ensureCredentials(store, options), ["nats-route"]);
});

t.test("two at once agree on one authority", async (t) => {
  const { secrets, store } = memory();
  await Promise.all([ensureCredentials(store, options), ensureCredentials(store, options)]);
  const authority = secrets.get("nats-ca")!.texts["tls.crt"];
  for (const name of names) t.equal(secrets.get(name)!.texts["ca.crt"], authority, name);
});

function memory() {
  const secrets = new Map<string, StoredSecret>();
  const store: SecretStore = {
    get: async (name) => secrets.get(name),
    create: async (name, texts) => {
      if (secrets.has(name)) return false;
      secrets.set(name, { texts, isOurs: true });
      return true;
    },
    replace: async (name, texts) => void secrets.set(name, { texts, isOurs: true }),
  };
  return { secrets, store };
}
