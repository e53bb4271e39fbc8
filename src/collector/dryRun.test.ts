/** A dry run of standard input: lines cut from parts as they come, labels of the first job, printed entries. */
import { Result } from "effect";
import fc from "fast-check";
import t from "tap";
import { parseConfig } from "./config/load.ts";
import { dryRunInput } from "./dryRun.ts";

const text = `
scrape_configs:
- job_name: a
  static_configs: [{labels: {app: shop, __meta: x}}]
  relabel_configs: [{source_labels: [__meta], target_label: from}]
  pipeline_stages:
  - cri:
  - regex: {expression: '^(?P<id>\\d+)?'}
  - structured_metadata: {id: }
  - tenant: {source: id}
`;
const config = Result.getOrThrowWith(
  parseConfig({ file: "p.yaml", text, environment: null }),
  (error) => error,
);

async function printed(parts: ReadonlyArray<Uint8Array>): Promise<string> {
  let output = "";
  async function* input() {
    yield* parts;
  }
  await dryRunInput(config, input(), async (text) => void (output += text));
  return output;
}

const lines = "2024-01-01T00:00:00.5Z stdout F one\r\n2024-01-01T00:00:01Z stderr P 7 é\n" +
  "2024-01-01T00:00:02Z stderr F nd";
const expected = '2024-01-01T00:00:00.500000000Z\t{app="shop", from="x", stream="stdout"}\tone\n' +
  '2024-01-01T00:00:02.000000000Z\t7\t{app="shop", from="x", stream="stderr"}\t[id="7"]\t7 énd\n';

t.test("entries are printed whatever parts the lines come in", async (t) => {
  const bytes = new TextEncoder().encode(lines);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 8 }), async (cuts) => {
      const ends = [...cuts.sort((a, b) => a - b), bytes.length];
      const parts = ends.map((end, index) => bytes.slice(ends[index - 1] ?? 0, end));
      t.equal(await printed(parts), expected);
    }),
  );
});

t.test("a line without end is cut", async (t) => {
  const part = new Uint8Array(1 << 20).fill(0x78);
  const output = await printed([part, part, part, part, part, part]);
  const printedLines = output.trimEnd().split("\n").map((line) => line.split("\t").at(-1)!.length);
  t.strictSame(printedLines, [5 << 20, 1 << 20]);
});
