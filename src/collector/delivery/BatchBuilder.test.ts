/** What a batch has in it, told from an encoder of its own; and that batches share no memory. */
import t from "tap";
import { encodePushRequest, type PushStream } from "../../testing/protobuf.ts";
import { StageEntry } from "../stages/entry.ts";
import { LabelSet } from "../stages/labelSet.ts";
import { BatchBuilder } from "./BatchBuilder.ts";

const noExternals = [LabelSet.empty];

function add(builder: BatchBuilder, labels: LabelSet, line: string, seconds: number): void {
  const entry = new StageEntry();
  const bytes = new TextEncoder().encode(line);
  entry.reset(labels, bytes, 0, bytes.byteLength, seconds, 5);
  builder.add(entry);
}

/** What `add` with these lines should come to. */
function requestOf(streams: ReadonlyArray<readonly [LabelSet, ReadonlyArray<string>]>) {
  return encodePushRequest(streams.map(([labels, lines]): PushStream => ({
    labels: labels.text,
    entries: lines.map((line, index) => ({
      line,
      timestamp: BigInt(index + 1) * 1_000_000_000n + 5n,
    })),
  })));
}

const a = LabelSet.of({ app: "a" });
const b = LabelSet.of({ app: "b" });

t.test("a batch has the lines since the last one, whatever was in that", (t) => {
  const builder = new BatchBuilder(noExternals);
  const long = "x".repeat(100_000);
  add(builder, a, long, 1);
  add(builder, b, "one", 1);
  add(builder, a, "two", 2);
  t.equal(builder.bytes, 100_006);
  const [first] = builder.take();
  t.equal(builder.bytes, 0);
  add(builder, b, "three", 1);
  add(builder, a, "four", 1);
  const [second] = builder.take();
  t.strictSame(first?.request, new Uint8Array(requestOf([[a, [long, "two"]], [b, ["one"]]])));
  t.strictSame(second?.request, new Uint8Array(requestOf([[b, ["three"]], [a, ["four"]]])));
  t.equal(first?.lines, 3);
  t.equal(second?.lineBytes, 9);
  t.strictSame(builder.take(), []);
  t.end();
});

t.test("each tenant and each set of external labels has a request of its own", (t) => {
  const externals = [LabelSet.empty, LabelSet.of({ cluster: "eu", app: "hidden" })];
  const builder = new BatchBuilder(externals);
  add(builder, a, "one", 1);
  add(builder, a.with("__tenant_id__", "team"), "two", 1);
  const withCluster = LabelSet.of({ cluster: "eu", app: "a" });
  t.strictSame(
    builder.take().map(({ tenant, external, request }) => [tenant, external, request]),
    [
      ["", externals[0]!.text, new Uint8Array(requestOf([[a, ["one"]]]))],
      ["", externals[1]!.text, new Uint8Array(requestOf([[withCluster, ["one"]]]))],
      ["team", externals[0]!.text, new Uint8Array(requestOf([[a, ["two"]]]))],
      ["team", externals[1]!.text, new Uint8Array(requestOf([[withCluster, ["two"]]]))],
    ],
  );
  t.end();
});

t.test("many large streams do not keep their memory for ever", (t) => {
  const builder = new BatchBuilder(noExternals);
  for (let round = 0; round < 3; round++) {
    for (let stream = 0; stream < 40; stream++) {
      add(builder, LabelSet.of({ app: String(stream) }), "y".repeat(500_000), 1);
    }
    builder.take();
    t.ok(builder.spareBytes > 0 && builder.spareBytes <= 8 << 20, `${builder.spareBytes} bytes`);
  }
  t.end();
});

t.test("streams and short lines weigh more than their bytes", (t) => {
  const builder = new BatchBuilder(noExternals);
  for (let line = 0; line < 1000; line++) add(builder, a, "", 1);
  t.equal(builder.bytes, 0);
  t.ok(builder.weight >= 10_000, `${builder.weight} of 1000 empty lines`);
  for (let stream = 0; stream < 1000; stream++) {
    add(builder, LabelSet.of({ app: String(stream) }), "x", 1);
  }
  t.equal(builder.bytes, 1000);
  t.ok(builder.weight >= 512_000, `${builder.weight} of 1000 streams`);
  builder.take();
  t.equal(builder.weight, 0);
  t.end();
});
