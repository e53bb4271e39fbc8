/** A socket that fails between two steps of connecting, where the client listens to nothing, ends the connection and not the
 *  process. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import t, { type Test } from "tap";
import { createAuthority, issueCertificate } from "../cluster/certificates.ts";
import { connectNats, HeardTransport } from "./natsTransport.ts";

const info = `INFO {"server_id":"a","version":"2.12.0","max_payload":1024,"headers":true}\r\n`;

t.test("an error that comes between two steps closes the connection with it", async (t) => {
  const port = await listen(t, createServer((socket) => socket.on("error", () => {})));
  const transport = new HeardTransport();
  const socket = await transport.dial({ hostname: "127.0.0.1", port });
  t.equal(socket.listenerCount("close"), 0, "the client listens to nothing");
  // As the client does it at the end of each step.
  socket.removeAllListeners();
  const failure = new Error("received fatal alert: CertificateRequired");
  socket.destroy(failure);
  await new Promise((resolve) => setTimeout(resolve, 10));
  Object.assign(transport, { socket, connected: true });
  transport.setupHandlers();
  t.equal(await transport.closed(), failure, "which says why");
});

t.test("a server that closes at once, and one that is not there, are said to be so", async (t) => {
  const closing = await listen(t, createServer((socket) => socket.destroy()));
  await t.rejects(connectNats(options(closing)), { name: "ConnectionError" });
  await t.rejects(connectNats({ ...options(closing), servers: ["127.0.0.1:1"] }), {
    message: /refused/,
  });
});

t.test("TLS: a server of another authority is refused, one of ours is talked to", async (t) => {
  const validity = {
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 3_600_000),
  };
  const [ours, theirs] = [await createAuthority(validity), await createAuthority(validity)];
  for (const authority of [ours, theirs]) {
    const pair = await issueCertificate(authority, {
      ...validity,
      commonName: "nats",
      hosts: ["localhost"],
    });
    const server = createTlsServer({ key: pair.key, cert: pair.certificate }, (socket) => {
      socket.on("error", () => {});
      socket.on("data", (data) => {
        if (String(data).includes("PING")) socket.write("PONG\r\n");
      });
    });
    server.on("tlsClientError", () => {});
    const port = await listen(
      t,
      createServer((socket) => {
        socket.write(
          info.replace("}", `,"tls_required":true}`),
          () => server.emit("connection", socket),
        );
      }),
    );
    const connecting = connectNats({
      servers: [`tls://localhost:${port}`],
      resolve: false,
      timeout: 3000,
      reconnect: false,
      tls: { ca: ours.certificate },
    });
    if (authority === theirs) {
      await t.rejects(connecting, { message: /certificate|issuer/ });
    } else {
      const connection = await connecting;
      t.equal(connection.info?.max_payload, 1024);
      await connection.close();
    }
  }
});

function options(port: number) {
  return { servers: [`127.0.0.1:${port}`], resolve: false, timeout: 1500, reconnect: false };
}

async function listen(t: Test, server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}
