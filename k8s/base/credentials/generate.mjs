/** Makes the Secret with the passwords of NATS' users if there is none yet: each of 32 letters and digits, never shown, never
 *  changed. Runs in the Job of job.yaml, with a token that may do just this. */
const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount";
const api = Deno.env.get("KUBERNETES_API") ?? "https://kubernetes.default.svc";
const read = (name) => Deno.readTextFileSync(`${serviceAccount}/${name}`).trim();
const namespace = Deno.env.get("NAMESPACE") ?? read("namespace");
const token = Deno.env.get("KUBERNETES_TOKEN") ?? read("token");
const users = ["distributor", "ingester", "querier", "ruler", "route", "admin"];

/** NATS reads a password as a word of its configuration: it must begin with a letter. */
function password() {
  const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const all = `${letters}0123456789`;
  // Values from 248 on would make some characters likelier than others.
  const random = [];
  while (random.length < 32) {
    const [byte] = crypto.getRandomValues(new Uint8Array(1));
    const from = random.length === 0 ? letters : all;
    if (byte < 256 - 256 % from.length) random.push(from[byte % from.length]);
  }
  return random.join("");
}

const response = await fetch(`${api}/api/v1/namespaces/${namespace}/secrets`, {
  method: "POST",
  headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
  body: JSON.stringify({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "nats-credentials" },
    stringData: Object.fromEntries(users.map((user) => [user, password()])),
  }),
});
const text = await response.text();
if (response.status === 201) console.log("made the Secret nats-credentials");
else if (response.status === 409) console.log("the Secret nats-credentials is there");
else {
  console.error(`cannot make the Secret nats-credentials: ${response.status} ${text}`);
  Deno.exit(1);
}
