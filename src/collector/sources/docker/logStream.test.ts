/** Docker's frames cut into lines, wherever the parts of the stream are cut. */
import t from "tap";
import { ContainerLogReader } from "./logStream.ts";

const encoder = new TextEncoder();

function frame(stream: number, text: string): Uint8Array {
  const content = encoder.encode(text);
  const bytes = new Uint8Array(8 + content.byteLength);
  bytes[0] = stream;
  new DataView(bytes.buffer).setUint32(4, content.byteLength);
  bytes.set(content, 8);
  return bytes;
}

/** What a reader makes of a stream that comes in parts of so many bytes. */
function read(frames: ReadonlyArray<Uint8Array>, size: number, isTerminal = false, max = 100) {
  const bytes = Buffer.concat(frames);
  const reader = new ContainerLogReader(isTerminal, max);
  const lines = [];
  for (let at = 0; at < bytes.byteLength; at += size) {
    lines.push(...reader.push(bytes.subarray(at, at + size)));
  }
  lines.push(...reader.end());
  return lines.map(({ stream, time, bytes }) =>
    `${stream} ${time} ${new TextDecoder().decode(bytes)}`
  );
}

const sizes = [1, 2, 3, 7, 8, 9, 20, 1000];

t.test("frames of two streams, lines in several frames", (t) => {
  const frames = [
    frame(1, "2024-01-01T00:00:00.000000001Z one\n"),
    frame(1, "2024-01-01T00:00:00.000000002Z first half, "),
    frame(2, "2024-01-01T00:00:00.000000003Z of stderr\n"),
    frame(1, "2024-01-01T00:00:00.000000004Z second half\n"),
    frame(1, "2024-01-01T00:00:00.000000005Z \n"),
    frame(2, ""),
    frame(2, "2024-01-01T00:00:00.000000006Z é no end"),
  ];
  for (const size of sizes) {
    t.strictSame(read(frames, size), [
      "stdout 2024-01-01T00:00:00.000000001Z one",
      "stderr 2024-01-01T00:00:00.000000003Z of stderr",
      "stdout 2024-01-01T00:00:00.000000002Z first half, second half",
      "stdout 2024-01-01T00:00:00.000000005Z ",
      "stderr 2024-01-01T00:00:00.000000006Z é no end",
    ], `parts of ${size} bytes`);
  }
  t.end();
});

t.test("a terminal's log has no frames and other ends of lines", (t) => {
  const raw = encoder.encode("2024-01-01T00:00:00Z a\r\n2024-01-01T00:00:01Z b c\r\n");
  for (const size of sizes) {
    t.strictSame(read([raw], size, true), [
      "stdout 2024-01-01T00:00:00Z a",
      "stdout 2024-01-01T00:00:01Z b c",
    ]);
  }
  t.end();
});

t.test("a line without an end is given out in pieces", (t) => {
  const long = frame(1, `2024-01-01T00:00:00Z ${"x".repeat(25)}\n`);
  const pieces = read([long], 8, false, 10).map((line) =>
    line.length - "stdout 2024-01-01T00:00:00Z ".length
  );
  t.ok(pieces.every((length) => length <= 18) && pieces.reduce((a, b) => a + b) === 25);
  t.end();
});

t.test("what is no log of Docker's is refused", (t) => {
  t.throws(() => read([encoder.encode("HTTP/1.1 200 OK")], 100), /form of frames/);
  t.throws(() => read([frame(1, "x".repeat(100))], 100), /no time/);
  t.end();
});
