/** Stands in for an Alertmanager and for a receiver of Prometheus' remote write, and remembers what it was sent. Reads remote
 *  write with the snappy library and a protobuf reader of its own. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { uncompressSync } from "snappy";
import { until } from "./ruleClient.ts";

export interface ReceivedAlert {
  readonly startsAt: string;
  readonly endsAt: string;
  readonly generatorURL: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface ReceivedSample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly bits: bigint;
  readonly atMs: number;
  readonly tenant: string;
}

export class FakeAlertmanager {
  readonly alerts: ReceivedAlert[] = [];
  readonly samples: ReceivedSample[] = [];
  /** Of the last request. */
  authorization = "";
  requestCount = 0;
  /** The status of the next answers; 200 when there are no more. */
  readonly statuses: number[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<FakeAlertmanager> {
    const server = createServer();
    const fake = new FakeAlertmanager(server);
    server.on("request", (request, response) => {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", () => {
        fake.requestCount++;
        fake.authorization = request.headers.authorization ?? "";
        response.statusCode = fake.statuses.shift() ?? 200;
        if (response.statusCode === 200) {
          const body = Buffer.concat(parts);
          if (request.url === "/api/v2/alerts") fake.alerts.push(...JSON.parse(body.toString()));
          else if (request.url === "/api/v1/write") {
            const tenant = String(request.headers["x-scope-orgid"] ?? "");
            fake.samples.push(...readWriteRequest(body, tenant));
          } else response.statusCode = 404;
        }
        response.end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  alertsUntil(wanted: (alerts: ReadonlyArray<ReceivedAlert>) => boolean) {
    return until(() => Promise.resolve(this.alerts), wanted);
  }

  samplesUntil(wanted: (samples: ReadonlyArray<ReceivedSample>) => boolean) {
    return until(() => Promise.resolve(this.samples), wanted);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/** The samples of a body of remote write. */
export function readWriteRequest(body: Uint8Array, tenant: string): ReadonlyArray<ReceivedSample> {
  const bytes = uncompressSync(Buffer.from(body), { asBuffer: true }) as Buffer;
  return fields(bytes).map(({ bytes: series }) => {
    const labels: Record<string, string> = {};
    let [value, bits, atMs] = [0, 0n, 0];
    for (const { number, bytes: part } of fields(series)) {
      const inside = fields(part);
      if (number === 1) labels[inside[0]!.bytes.toString()] = inside[1]!.bytes.toString();
      else {
        value = inside[0]!.bytes.readDoubleLE();
        bits = inside[0]!.bytes.readBigUInt64LE();
        atMs = Number(inside[1]!.value);
      }
    }
    return { labels, value, bits, atMs, tenant };
  });
}

function fields(buffer: Buffer) {
  const found: Array<{ number: number; value: bigint; bytes: Buffer }> = [];
  let at = 0;
  const varint = () => {
    let [value, shift] = [0n, 0n];
    for (;;) {
      const byte = buffer[at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 128) return value;
      shift += 7n;
    }
  };
  while (at < buffer.length) {
    const tag = Number(varint());
    const wire = tag & 7;
    if (wire === 0) {
      found.push({ number: tag >> 3, value: varint(), bytes: Buffer.alloc(0) });
      continue;
    }
    const length = wire === 1 ? 8 : Number(varint());
    found.push({ number: tag >> 3, value: 0n, bytes: buffer.subarray(at, at + length) });
    at += length;
  }
  return found;
}
