/** Certificates as others read them: Node's X509Certificate has the names and dates, and a TLS server takes exactly the clients
 *  that its authority signed. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo } from "node:net";
import * as tls from "node:tls";
import t from "tap";
import {
  createAuthority,
  createSelfTrusting,
  issueCertificate,
  type KeyPair,
} from "./certificates.ts";

const notBefore = new Date("2026-01-02T03:04:05Z");
const notAfter = new Date("2056-01-02T03:04:05Z");
const hosts = ["nats-0.nats", "localhost", "127.0.0.1"];
const always = { notBefore: new Date(Date.now() - 60_000), notAfter };

t.test("a certificate says what it was asked to", async (t) => {
  const authority = await createAuthority({ notBefore, notAfter });
  const { certificate, key } = await issueCertificate(authority, {
    commonName: "ingester",
    hosts,
    notBefore,
    notAfter,
  });
  const [root, leaf] = [
    new X509Certificate(authority.certificate),
    new X509Certificate(certificate),
  ];
  t.equal(root.ca, true);
  t.equal(leaf.ca, false);
  t.equal(leaf.subject, "CN=ingester");
  t.equal(leaf.issuer, root.subject);
  t.equal(leaf.subjectAltName, "DNS:nats-0.nats, DNS:localhost, IP Address:127.0.0.1");
  t.same([leaf.validFromDate, leaf.validToDate], [notBefore, notAfter]);
  t.ok(leaf.checkIssued(root));
  t.ok(leaf.verify(root.publicKey));
  t.ok(leaf.checkPrivateKey(createPrivateKey(key)));
  t.equal(leaf.checkHost("nats-0.nats"), "nats-0.nats");
  t.equal(leaf.checkHost("nats-1.nats"), undefined);
  t.equal(leaf.checkIP("127.0.0.1"), "127.0.0.1");
  t.same(leaf.keyUsage, ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
});

t.test("a server takes the clients of its authority and no others", async (t) => {
  const authority = await createAuthority(always);
  const issue = (from: KeyPair, commonName: string) =>
    issueCertificate(from, { ...always, commonName, hosts });
  const stranger = await issue(await createAuthority(always), "ingester");
  const server = await issue(authority, "server");
  t.equal(await greet(server, await issue(authority, "ingester"), authority), "CN=ingester");
  await t.rejects(greet(server, stranger, authority));
  await t.rejects(greet(stranger, await issue(authority, "ingester"), authority));
});

t.test("who holds a certificate that trusts itself talks to its other holders alone", async (t) => {
  const own = await createSelfTrusting({ ...always, commonName: "route", hosts });
  const other = await createSelfTrusting({ ...always, commonName: "route", hosts });
  t.equal(await greet(own, own, own), "CN=route");
  await t.rejects(greet(own, other, own));
});

/** The subject that a server sees of a client, when both trust `authority` alone. */
async function greet(server: KeyPair, client: KeyPair, authority: KeyPair): Promise<string> {
  const ca = authority.certificate;
  const listener = tls.createServer({
    cert: server.certificate,
    key: server.key,
    ca,
    requestCert: true,
    rejectUnauthorized: true,
  });
  listener.on("secureConnection", (socket) => {
    const { subject } = new X509Certificate(socket.getPeerX509Certificate()!.raw);
    socket.end(subject);
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  try {
    const socket = tls.connect({
      host: "127.0.0.1",
      port,
      ca,
      cert: client.certificate,
      key: client.key,
    });
    let seen = "";
    for await (const part of socket) seen += String(part);
    if (seen === "") throw new Error("the server closed the connection");
    return seen;
  } finally {
    listener.close();
  }
}
