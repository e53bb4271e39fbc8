/** Runs the benchmarks on both runtimes and prints one Markdown report. The server is a process of its own; this
 *  one makes the load. `node bench/report.ts [--quick | --scale=0.5] [--no-tail]`; TAILRACE_TEST_RUNTIMES=deno
 *  limits it to one runtime. */
import { cpus } from "node:os";
import { type RuntimeName, runtimes, ServerProcess } from "../src/testing/serverProcess.ts";
import { settingsWithoutLimits } from "../src/testing/serverProcess.ts";
import { type CachedCorpus, cachedCorpus, scaleFrom } from "./corpus.ts";
import { type IngestFigures, measureIngest } from "./ingest.ts";
import { measureQueries, type QueryFigures } from "./query.ts";
import { measureTail, type TailFigures, tailTable } from "./tail.ts";

interface RuntimeFigures {
  readonly runtime: RuntimeName;
  readonly ingest: IngestFigures;
  readonly queries: ReadonlyArray<QueryFigures>;
  readonly peakResidentBytesAfterQueries: number;
  readonly tail: TailFigures | undefined;
}

async function measureRuntime(
  runtime: RuntimeName,
  corpus: CachedCorpus,
  withTail: boolean,
): Promise<RuntimeFigures> {
  const server = await ServerProcess.start({ runtime, settings: settingsWithoutLimits });
  try {
    const ingest = await measureIngest(server, corpus);
    const queries = await measureQueries(server, corpus.facts);
    const peakResidentBytesAfterQueries = server.usage().peakResidentBytes;
    const tail = withTail ? await measureTail(server, 10_000, 15) : undefined;
    return { runtime, ingest, queries, peakResidentBytesAfterQueries, tail };
  } finally {
    await server.remove();
  }
}

function ingestTable(all: ReadonlyArray<RuntimeFigures>): string {
  const row = (name: string, cell: (figures: RuntimeFigures) => string) =>
    `| ${name} | ${all.map(cell).join(" | ")} |`;
  const cpuOf = ({ ingest }: RuntimeFigures) => ingest.pushCpuSeconds + ingest.flushCpuSeconds;
  return [
    ...heading("ingest", all),
    row(
      "MB per CPU second, flush included",
      (f) => (f.ingest.lineBytes / 1e6 / cpuOf(f)).toFixed(1),
    ),
    row(
      "CPU seconds: pushes + flush",
      ({ ingest }) => `${ingest.pushCpuSeconds.toFixed(2)} + ${ingest.flushCpuSeconds.toFixed(2)}`,
    ),
    row(
      "wall seconds: pushes + flush",
      ({ ingest }) =>
        `${ingest.pushWallSeconds.toFixed(2)} + ${ingest.flushWallSeconds.toFixed(2)}`,
    ),
    row(
      "push p50 / p99 ms",
      ({ ingest }) =>
        `${ingest.pushMilliseconds.p50.toFixed(0)} / ${ingest.pushMilliseconds.p99.toFixed(0)}`,
    ),
    row("MB stored", ({ ingest }) => megabytes(ingest.storedBytes)),
    row(
      "MB stored by folder",
      ({ ingest }) =>
        Object.entries(ingest.storedBytesByFolder).map(([name, bytes]) =>
          `${name} ${megabytes(bytes)}`
        )
          .join(", "),
    ),
    row("peak MB after ingest", ({ ingest }) => megabytes(ingest.peakResidentBytes)),
    row("peak MB after queries", (f) => megabytes(f.peakResidentBytesAfterQueries)),
  ].join("\n");
}

/** CPU seconds of a repeated query, its median wall time, and MB of selected lines per CPU second. */
function queryTable(all: ReadonlyArray<RuntimeFigures>): string {
  const names = all[0]?.queries.map(({ name }) => name) ?? [];
  const rows = names.map((name, index) => {
    const cells = all.map(({ queries }) => {
      const figures = queries[index] as QueryFigures;
      const speed = figures.selectedBytes / 1e6 / figures.cpuSeconds;
      return `${figures.cpuSeconds.toFixed(3)} CPU s, ${
        (figures.wallSecondsMedian * 1000).toFixed(0)
      } ms, ${Number.isFinite(speed) ? speed.toFixed(0) : "over 60000"} MB/CPU s (first: ${
        figures.firstCpuSeconds.toFixed(2)
      } CPU s)`;
    });
    return `| ${name} | ${cells.join(" | ")} |`;
  });
  return [...heading("query", all), ...rows].join("\n");
}

function heading(what: string, all: ReadonlyArray<RuntimeFigures>): string[] {
  return [
    `| ${what} | ${all.map(({ runtime }) => runtime).join(" | ")} |`,
    `| --- |${" --- |".repeat(all.length)}`,
  ];
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

const parameters = process.argv.slice(2);
const corpus = await cachedCorpus(scaleFrom(parameters));
const { facts } = corpus;
const all: RuntimeFigures[] = [];
for (const runtime of runtimes) {
  console.error(`Measuring on ${runtime}`);
  all.push(await measureRuntime(runtime, corpus, !parameters.includes("--no-tail")));
}
console.log(
  `${
    (facts.lineBytes / 1e6).toFixed(0)
  } MB, ${facts.lineCount} lines, ${facts.streamCount} streams; ` +
    `${cpus().length} x ${cpus()[0]?.model ?? "unknown processor"}\n`,
);
console.log(ingestTable(all));
console.log(`\n${queryTable(all)}`);
const tails = all.flatMap(({ tail }) => tail === undefined ? [] : [tail]);
if (tails.length > 0) console.log(`\n${tailTable(tails)}`);
