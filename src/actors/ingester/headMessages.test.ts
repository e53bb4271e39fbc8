/** What one process asks of another's unflushed rows, and the answer. */
import fc from "fast-check";
import t from "tap";
import { AnswerRefused } from "../../cluster/frames.ts";
import { buildBatch, decodeBatch, encodeBatch } from "../../streams/batch.ts";
import { makeMatcher } from "../../streams/matcher.ts";
import { columnsOf } from "../../testing/modelRows.ts";
import { headBytes, type HeadSlice, HeadTooLarge } from "../protocol/head.ts";
import {
  addSlices,
  decodeHeadQuestion,
  encodeHead,
  encodeHeadQuestion,
  HeadDecoder,
  streamsOf,
  tooLargeIn,
} from "./headMessages.ts";

const query = {
  tenant: "t",
  matchers: [makeMatcher("app", "=~", "a|b"), makeMatcher("level", "!=", "debug")],
  range: { start: -5n, end: 2n ** 62n },
};

t.test("a question arrives as it was asked", (t) => {
  const bytesOf = (text: string) => new TextEncoder().encode(text);
  for (const labelsOnly of [false, true]) {
    const asked = { query: { ...query, labelsOnly }, bytesMax: 1000 };
    const { query: got, bytesMax } = decodeHeadQuestion(bytesOf(encodeHeadQuestion(asked)));
    t.same([got.tenant, got.range, got.labelsOnly, bytesMax], ["t", query.range, labelsOnly, 1000]);
    t.same(
      got.matchers.map(({ name, op, value }) => name + op + value),
      ["app=~a|b", "level!=debug"],
    );
  }
  const byHand = '{"tenant":"fake","matchers":[],"start":"0","end":"9000000000000000000"}';
  const { query: got, bytesMax } = decodeHeadQuestion(bytesOf(byHand));
  t.same([got.tenant, got.labelsOnly, bytesMax], ["fake", false, Infinity]);
  t.end();
});

/** Lines of each stream of each batch. */
const batches = fc.array(
  fc.dictionary(fc.constantFrom("a", "b", "c"), fc.array(fc.string(), { maxLength: 5 }), {
    minKeys: 1,
  }),
  { maxLength: 6 },
);

function headOf(content: ReadonlyArray<Record<string, ReadonlyArray<string>>>) {
  const streams = new Map<string, HeadSlice[]>();
  for (const [offset, lines] of content.entries()) {
    const rows = Object.values(lines).flat().map((line, i) => ({
      timestamp: BigInt(i),
      line: [...new TextEncoder().encode(line)],
      metadata: [],
    }));
    let rowEnd = 0;
    const slices = Object.entries(lines).map(([app, { length }]) => {
      const rowStart = rowEnd;
      rowEnd += length;
      return { labels: `{app="${app}"}`, rowStart, rowEnd };
    });
    const batch = decodeBatch(encodeBatch(buildBatch("t", slices, columnsOf(rows)), "none"));
    addSlices(streams, batch, offset, () => true);
  }
  return { partition: 3, logFrom: 0, logTo: content.length, streams: streamsOf(streams) };
}

function decodeHead(parts: Iterable<Uint8Array>) {
  const decoder = new HeadDecoder();
  for (const part of parts) decoder.take(part);
  return decoder.end();
}

function linesOf({ streams }: ReturnType<typeof headOf>) {
  return streams.map(({ labels, slices }) => ({
    labels,
    lines: slices.map(({ batch, offset, rowStart, rowEnd }) => {
      const lines: string[] = [];
      for (let row = rowStart; row < rowEnd; row++) {
        const start = row === 0 ? 0 : batch.lineEnds[row - 1];
        lines.push(new TextDecoder().decode(batch.lines.subarray(start, batch.lineEnds[row])));
      }
      return { offset, lines };
    }),
  })).sort((a, b) => a.labels < b.labels ? -1 : 1);
}

t.test("an answer has all rows, or says how many bytes they are, or has labels alone", (t) => {
  fc.assert(fc.property(batches, (content) => {
    const head = headOf(content);
    const bytes = headBytes(head);
    const answer = decodeHead(encodeHead(head, { query, bytesMax: bytes }));
    t.same(linesOf(answer), linesOf(head));
    t.same([answer.partition, answer.logFrom, answer.logTo], [3, 0, content.length]);

    const asked = { ...query, labelsOnly: true };
    const labels = decodeHead(encodeHead(head, { query: asked, bytesMax: 0 }));
    const expected = head.streams.map(({ labels }) => ({ labels, slices: [] }));
    t.same(labels, { ...head, streams: expected });

    if (bytes === 0) return;
    try {
      encodeHead(head, { query, bytesMax: bytes - 1 });
      t.fail("it is too large");
    } catch (error) {
      const tooLarge = tooLargeIn(error);
      t.ok(tooLarge instanceof HeadTooLarge);
      t.equal(tooLarge?.bytes, bytes);
    }
  }));
  const one = [...encodeHead(headOf([{ a: ["x"] }]), { query, bytesMax: 1000 })];
  t.throws(() => decodeHead(one.slice(0, 1)), { message: "0 of 1 batches came" });
  t.throws(() => decodeHead([]), { message: "the answer is empty" });
  t.equal(tooLargeIn(new AnswerRefused("Behind", "12")), undefined);
  t.end();
});
