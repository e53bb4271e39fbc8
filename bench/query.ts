/** Measures log queries against a server that holds the corpus: CPU seconds of the server and wall time, each
 *  answer checked against the corpus's facts. Owns the list of queries (the rows of the performance goals);
 *  bench/report.ts prints them. */
import type { CorpusFacts } from "../src/testing/corpus.ts";
import { type FoundEntry, QueryClient } from "../src/testing/queryClient.ts";
import type { ServerProcess } from "../src/testing/serverProcess.ts";
import { quantile } from "./ingest.ts";

export interface QueryFigures {
  readonly name: string;
  readonly query: string;
  readonly entryCount: number;
  /** The first time it was asked, and the mean of the repetitions. */
  readonly firstCpuSeconds: number;
  readonly cpuSeconds: number;
  readonly firstWallSeconds: number;
  readonly wallSecondsMedian: number;
  /** Line bytes of the streams it selects. */
  readonly selectedBytes: number;
}

interface QueryRow {
  readonly name: string;
  readonly query: string;
  readonly limit: number;
  /** Share of the corpus that the selector picks. */
  readonly share: number;
  /** Throws when the answer is wrong. */
  readonly check: (entries: ReadonlyArray<FoundEntry>) => void;
}

/** Asks each query once and then `repetitions` times. /proc counts CPU in steps of 10 ms, so that the mean of many
 *  is needed. */
export async function measureQueries(
  server: ServerProcess,
  facts: CorpusFacts,
  repetitions = 10,
): Promise<QueryFigures[]> {
  const client = new QueryClient(server.baseUrl);
  const figures: QueryFigures[] = [];
  for (const row of queryRows(facts)) {
    const ask = () =>
      client.range({
        query: row.query,
        start: BigInt(facts.startNs),
        end: BigInt(facts.endNs),
        limit: row.limit,
      });
    const before = server.usage().cpuSeconds;
    const startedAt = performance.now();
    const entries = await ask();
    const firstWallSeconds = (performance.now() - startedAt) / 1000;
    row.check(entries);
    const afterFirst = server.usage().cpuSeconds;
    const walls: number[] = [];
    for (let i = 0; i < repetitions; i++) {
      const repeatedAt = performance.now();
      await ask();
      walls.push((performance.now() - repeatedAt) / 1000);
    }
    figures.push({
      name: row.name,
      query: row.query,
      entryCount: entries.length,
      firstCpuSeconds: afterFirst - before,
      cpuSeconds: (server.usage().cpuSeconds - afterFirst) / repetitions,
      firstWallSeconds,
      wallSecondsMedian: quantile(walls.toSorted((a, b) => a - b), 0.5),
      selectedBytes: facts.lineBytes * row.share,
    });
  }
  client.close();
  return figures;
}

function queryRows(facts: CorpusFacts): ReadonlyArray<QueryRow> {
  const all = `{cluster="eu-1"}`;
  const row = (
    name: string,
    query: string,
    limit: number,
    share: number,
    wantedCount: number,
    matches: (line: string) => boolean,
  ): QueryRow => ({
    name,
    query,
    limit,
    share,
    check: (entries) => {
      const wrong = entries.find(({ line }) => !matches(line));
      if (wrong !== undefined) {
        throw new Error(`${query} answered a line without it: ${wrong.line}`);
      }
      const wanted = Math.min(limit, wantedCount);
      if (entries.length !== wanted) {
        throw new Error(`${query} answered ${entries.length} lines, wanted ${wanted}`);
      }
    },
  });
  const shareOf = (app: string) => (facts.lineBytesByApp[app] as number) / facts.lineBytes;
  const deadlocksInPayments = facts.containingInApp["payments deadlock detected"] as number;
  const deadlocks = facts.containing["deadlock detected"] as number;
  return [
    row("needle", `${all} |= "${facts.needle}"`, 1000, 1, 1, (line) => line.includes(facts.needle)),
    row("absent substring", `${all} |= "no line has this text"`, 1000, 1, 0, () => false),
    row("absent two bytes (no index can tell)", `${all} |= "~~"`, 1000, 1, 0, () => false),
    row(
      "two substrings, 1000 newest",
      `${all} |= "POST" |= "orders"`,
      1000,
      1,
      1000,
      (line) => line.includes("POST") && line.includes("orders"),
    ),
    row(
      "two substrings, all rare",
      `${all} |= "deadlock" |= "detected"`,
      5000,
      1,
      deadlocks,
      (line) => line.includes("deadlock detected"),
    ),
    row(
      "regex",
      `${all} |~ "dead[a-z]+ det[e]cted"`,
      5000,
      1,
      deadlocks,
      (line) => line.includes("deadlock detected"),
    ),
    row(
      "regex without a literal, absent",
      `${all} |~ "[XYZ][0-9]{3}[xyz][0-9]{3}[XYZ]~"`,
      1000,
      1,
      0,
      () => false,
    ),
    row(
      "case-insensitive regex, one app of ten",
      `{app="payments"} |~ "(?i)DEADLOCK +DETECTED|zzzz"`,
      1000,
      shareOf("payments"),
      deadlocksInPayments,
      (line) => /deadlock/i.test(line),
    ),
    row(
      "newest 1000 lines of an app",
      `{app="frontend"}`,
      1000,
      shareOf("frontend"),
      Infinity,
      () => true,
    ),
  ];
}
