/** How batches leave the collector: over TLS and with every way to say who sends, to several servers of which some
 *  fail, through a buffer that is full. The servers are small ones of this test, which decode what they get with
 *  nothing of the collector's. */
import { appendFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { uncompressSync } from "snappy";
import type { Test } from "tap";
import t from "tap";
import {
  authority,
  clientCertificate,
  clientKey,
  serverCertificate,
  serverKey,
} from "../../src/testing/certificates.ts";
import { CollectorProcess } from "../../src/testing/collectorProcess.ts";
import { runtimes } from "../../src/testing/serverProcess.ts";

t.setTimeout(0);

interface Push {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** The common name of the client's certificate. */
  readonly peer: string | undefined;
  /** The protobuf, in which lines and labels stand as they are. */
  readonly text: string;
}

/** Remembers pushes and answers as told; no status means that the connection breaks. */
class Sink {
  readonly pushes: Push[] = [];
  answer: (path: string) => number | undefined = () => 204;
  port = 0;

  static async start(t: Test, isSecure: boolean): Promise<Sink> {
    const sink = new Sink();
    const listener: Parameters<typeof createServer>[1] = (request, response) => {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("error", () => {});
      request.on("end", () => {
        const path = request.url ?? "";
        const status = sink.answer(path);
        if (status === undefined) {
          request.socket.destroy();
          return;
        }
        const text = uncompressSync(Buffer.concat(parts)).toString("latin1");
        const peer = isSecure
          ? (request.socket as TLSSocket).getPeerCertificate().subject?.CN
          : undefined;
        const { headers } = request;
        if (status === 204) {
          sink.pushes.push({
            path,
            headers,
            peer: peer === undefined ? undefined : String(peer),
            text,
          });
        }
        response.writeHead(status, { "retry-after": "1", location: "/elsewhere" }).end("as told");
      });
    };
    const server = isSecure
      ? createTlsServer({
        cert: serverCertificate,
        key: serverKey,
        ca: authority,
        requestCert: true,
        rejectUnauthorized: false,
      }, listener)
      : createServer(listener);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    sink.port = (server.address() as AddressInfo).port;
    t.teardown(() => {
      server.closeAllConnections();
      server.close();
    });
    return sink;
  }

  /** The numbers of lines "line <number> " that came to a path, as they came. */
  numbers(path: string): number[] {
    return this.pushes.filter((push) => push.path === path).flatMap(({ text }) =>
      [...text.matchAll(/line (\d+) /g)].map(([, number]) => Number(number))
    );
  }
}

const fast = { min_period: "50ms", max_period: "200ms" };

function jobsOf(logs: string) {
  return [{
    job_name: "files",
    static_configs: [{ targets: ["localhost"], labels: { app: "a", __path__: `${logs}/*.log` } }],
  }];
}

function write(collector: CollectorProcess, from: number, to: number, padding = 0): void {
  let text = "";
  for (let number = from; number < to; number++) {
    // What does not compress, so that the buffer fills.
    let pad = "";
    while (pad.length < padding) pad += Math.random().toString(36).slice(2);
    text += `line ${number} ${pad}\n`;
  }
  appendFileSync(join(collector.logs, "a.log"), text);
}

async function until(collector: CollectorProcess, holds: () => boolean | Promise<boolean>) {
  while (!await holds()) {
    if (!collector.isRunning) throw new Error(`The collector has ended:\n${collector.output}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

for (const runtime of runtimes) {
  t.test(`${runtime}: each client is sent to as its configuration says`, async (t) => {
    const secure = await Sink.start(t, true);
    const plain = await Sink.start(t, false);
    const at = (path: string) => `https://127.0.0.1:${secure.port}${path}`;
    const plainAt = (path: string) => `http://127.0.0.1:${plain.port}${path}`;
    const answers: Record<string, Array<number | undefined>> = {
      "/failing": [500, 429, undefined, 503],
      "/refusing": [400],
      "/forbidding": [401],
      "/moved": [308, 301],
    };
    plain.answer = (path) => answers[path]?.length ? answers[path].shift() : 204;
    const collector = await CollectorProcess.create({ runtime, config: () => ({}) });
    t.teardown(() => collector.remove());
    const file = (name: string, text: string) => {
      writeFileSync(join(collector.directory, name), text);
      return join(collector.directory, name);
    };
    const ca_file = file("ca.pem", authority);
    const common = { batchwait: "100ms", backoff_config: fast };
    collector.configure({
      clients: [
        {
          ...common,
          url: at("/certificate"),
          tls_config: {
            ca_file,
            cert_file: file("client.pem", clientCertificate),
            key_file: file("client.key", clientKey),
            server_name: "logs.example",
          },
          basic_auth: { username: "müller", password_file: file("password", "päss:word\n") },
          tenant_id: "team",
        },
        {
          ...common,
          url: at("/unverified"),
          tls_config: { insecure_skip_verify: true },
          bearer_token_file: file("token", "secret\n"),
          headers: { "X-Extra": "yes" },
          external_labels: { cluster: "east", app: "not this" },
        },
        {
          ...common,
          url: at("/wrong-name"),
          tls_config: { ca_file, server_name: "other.example" },
        },
        { ...common, url: at("/unknown-authority") },
        { ...common, url: plainAt("/failing"), authorization: { type: "Token", credentials: "t" } },
        { ...common, url: plainAt("/refusing") },
        { ...common, url: plainAt("/forbidding") },
        { ...common, url: plainAt("/moved") },
        { ...common, url: "http://127.0.0.1:1/nobody" },
      ],
      scrape_configs: jobsOf(collector.logs),
    });
    await collector.launchAndWait();
    write(collector, 0, 5);
    const paths = ["/certificate", "/unverified", "/failing", "/forbidding", "/moved"];
    const sinkOf = (path: string) =>
      path === "/certificate" || path === "/unverified" ? secure : plain;
    await until(collector, () => paths.every((path) => sinkOf(path).numbers(path).length === 5));
    write(collector, 5, 8);
    await until(collector, () =>
      paths.every((path) => sinkOf(path).numbers(path).length === 8) &&
      plain.numbers("/refusing").length === 3);
    for (const path of paths) t.strictSame(sinkOf(path).numbers(path), upTo(8), path);
    t.strictSame(plain.numbers("/refusing"), [5, 6, 7], "a refused push is not sent again");
    const first = (path: string) => sinkOf(path).pushes.find((push) => push.path === path)!;
    const { headers, peer } = first("/certificate");
    t.equal(peer, "client.example");
    t.equal(headers["x-scope-orgid"], "team");
    t.equal(headers["content-type"], "application/x-protobuf");
    const basic = Buffer.from("müller:päss:word").toString("base64");
    t.equal(headers["authorization"], `Basic ${basic}`);
    const unverified = first("/unverified");
    t.equal(unverified.headers["authorization"], "Bearer secret");
    t.equal(unverified.headers["x-extra"], "yes");
    t.equal(unverified.headers["x-scope-orgid"], undefined);
    t.match(unverified.text, 'app="a", cluster="east"', "the entry's own labels win");
    t.notMatch(first("/certificate").text, "cluster");
    t.equal(first("/failing").headers["authorization"], "Token t");
    t.strictSame(
      secure.pushes.filter(({ path }) => !paths.includes(path)),
      [],
      "nobody else is told",
    );
    const dropped = `promtail_dropped_entries_total{host="127.0.0.1:${plain.port}",` +
      'reason="ingester_error"}';
    t.equal(await collector.metric(dropped), 5);
    t.match(
      collector.output,
      /refused a push of 5 lines .* status 400; it is not sent again: as told/,
    );
    t.match(collector.output, /127\.0\.0\.1:1 does not take pushes/);
    t.match(collector.output, /\(status 308\).* redirects to .*\/elsewhere/);
  });

  t.test(`${runtime}: a server that is away is waited for, across a crash and a full buffer`, async (t) => {
    const sink = await Sink.start(t, false);
    let isAway = true;
    sink.answer = () => isAway ? 503 : 204;
    const collector = await CollectorProcess.start({
      runtime,
      flags: ["--buffer-size=2MB"],
      config: (logs) => ({
        clients: [{
          url: `http://127.0.0.1:${sink.port}/only`,
          batchwait: "100ms",
          batchsize: 200_000,
          backoff_config: fast,
        }],
        scrape_configs: jobsOf(logs),
      }),
    });
    t.teardown(() => collector.remove());
    write(collector, 0, 400, 10_000);
    await until(collector, () => collector.output.includes("The disk buffer takes no more"));
    t.ok(await collector.metric("tailrace_collector_buffer_bytes") < 2_500_000);
    await collector.kill();
    await collector.launchAndWait();
    write(collector, 400, 500, 10_000);
    isAway = false;
    await until(collector, () => sink.numbers("/only").length >= 500);
    t.strictSame(sink.numbers("/only"), upTo(500), "in order, each once");
  });

  t.test(`${runtime}: a server that stays away costs the other only the buffer`, async (t) => {
    const sink = await Sink.start(t, false);
    let isAway = true;
    sink.answer = (path) => path === "/away" && isAway ? 503 : 204;
    const client = (path: string) => ({
      url: `http://127.0.0.1:${sink.port}${path}`,
      batchwait: "100ms",
      batchsize: 200_000,
      backoff_config: fast,
    });
    const collector = await CollectorProcess.start({
      runtime,
      flags: ["--buffer-size=2MB"],
      config: (logs) => ({
        clients: [client("/well"), client("/away")],
        scrape_configs: jobsOf(logs),
      }),
    });
    t.teardown(() => collector.remove());
    write(collector, 0, 500, 10_000);
    await until(collector, () => sink.numbers("/well").length >= 500);
    t.strictSame(sink.numbers("/well"), upTo(500));
    const dropped = await collector.metric(
      `promtail_dropped_entries_total{host="127.0.0.1:${sink.port}",reason="buffer_full"}`,
    );
    t.ok(dropped > 0, "what did not fit is counted");
    isAway = false;
    await until(collector, () => sink.numbers("/away").at(-1) === 499);
    const late = sink.numbers("/away");
    t.strictSame(late, upTo(500).slice(500 - late.length), "the newest, each once");
    t.equal(late.length, 500 - dropped);
  });
}
