/** Cutting bytes into lines and packing them: read back by a small decoder written for this test. */
import fc from "fast-check";
import t from "tap";
import { NanosecondClock } from "../platform/clock.ts";
import { type PushRequest, pushRequests } from "./pushRequest.ts";

const options = () => ({
  labels: '{a="b"}',
  requestBytes: 100,
  lineBytesMax: 1000,
  clock: new NanosecondClock(() => 1_700_000_000_123),
});

async function* parts(...chunks: ReadonlyArray<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

async function collect(
  input: AsyncIterable<Uint8Array>,
  changes: Partial<ReturnType<typeof options>> = {},
) {
  const requests: Array<PushRequest> = [];
  for await (const request of pushRequests(input, { ...options(), ...changes })) {
    requests.push(request);
  }
  return requests;
}

function text(...lines: Array<string>): Uint8Array {
  return new TextEncoder().encode(lines.join(""));
}

t.test("pushRequests cuts at line feeds and takes carriage returns off", async (t) => {
  const check = async (input: string, ...expected: Array<string>) => {
    const requests = await collect(parts(text(input)));
    const lines = requests.flatMap((request) => decode(request.bytes).entries)
      .map((entry) => Buffer.from(entry.line).toString("latin1"));
    t.strictSame(lines, expected, JSON.stringify(input));
  };
  await check("");
  await check("a", "a");
  await check("a\n", "a");
  await check("a\r\nb\n\nc", "a", "b", "", "c");
  await check("a\rb\n", "a\rb");
  await check("\r\n", "");
});

t.test("pushRequests keeps every byte of every line, however the input is cut", async (t) => {
  await fc.assert(fc.asyncProperty(
    fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 30 }),
    fc.array(fc.nat(200), { maxLength: 20 }),
    async (rawLines, cuts) => {
      const lines = rawLines.map((line) => line.filter((byte) => byte !== 10 && byte !== 13));
      const whole = Buffer.concat(lines.flatMap((line) => [line, Buffer.from("\n")]));
      const chunks: Array<Uint8Array> = [];
      let start = 0;
      for (const cut of cuts) chunks.push(whole.subarray(start, start += cut));
      chunks.push(whole.subarray(start));
      const requests = await collect(parts(...chunks));
      const entries = requests.flatMap((request) => decode(request.bytes).entries);
      t.equal(
        Buffer.compare(Buffer.concat(entries.map(({ line }) => line)), Buffer.concat(lines)),
        0,
      );
      t.strictSame(entries.map(({ line }) => line.length), lines.map((line) => line.length));
      entries.forEach(({ timestamp }, index) =>
        t.equal(timestamp, 1_700_000_000_123_000_000n + BigInt(index))
      );
      t.equal(requests.reduce((sum, request) => sum + request.lineCount, 0), lines.length);
      for (const { bytes, lineBytes } of requests) {
        t.equal(decode(bytes).labels, '{a="b"}');
        t.ok(lineBytes < 100 + 60, "a request ends after the line that fills it");
      }
    },
  ));
});

t.test("pushRequests cuts a line without an end instead of keeping it", async (t) => {
  const requests = await collect(parts(text("x".repeat(25)), text("y".repeat(10), "\nz")), {
    lineBytesMax: 10,
  });
  const lines = requests.flatMap((request) => decode(request.bytes).entries)
    .map((entry) => Buffer.from(entry.line).toString());
  t.equal(lines.join(""), "x".repeat(25) + "y".repeat(10) + "z");
  t.ok(lines.every((line) => line.length <= 10));
});

t.test("NanosecondClock never stands still and never goes back", (t) => {
  const times = [5.5, 5, 6, 6, 999.9999995, 999.9999995, 1000];
  const clock = new NanosecondClock(() => times.shift() ?? 0);
  let before = -1n;
  while (times.length > 0) {
    clock.tick();
    const now = BigInt(clock.seconds) * 1_000_000_000n + BigInt(clock.nanoseconds);
    t.ok(now > before && clock.nanoseconds < 1e9, `${now}`);
    before = now;
  }
  t.end();
});

/** PushRequest with one stream, as written in Loki's push.proto. */
function decode(request: Uint8Array) {
  const [stream] = fields(request);
  let labels = "";
  const entries: Array<{ timestamp: bigint; line: Uint8Array }> = [];
  for (const { number, bytes } of fields(stream!.bytes)) {
    if (number === 1) labels = Buffer.from(bytes).toString();
    if (number !== 2) continue;
    const [time, line] = fields(bytes);
    const [seconds, nanoseconds] = fields(time!.bytes);
    entries.push({
      timestamp: BigInt(seconds!.value) * 1_000_000_000n + BigInt(nanoseconds!.value),
      line: line!.bytes,
    });
  }
  return { labels, entries };
}

function fields(message: Uint8Array) {
  const found: Array<{ number: number; value: number; bytes: Uint8Array }> = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1;; scale *= 128) {
      const byte = message[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    const value = varint();
    const isBytes = (tag & 7) === 2;
    found.push({ number: tag >> 3, value, bytes: message.subarray(at, isBytes ? at + value : at) });
    if (isBytes) at += value;
  }
  return found;
}
