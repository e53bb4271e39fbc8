/** Durability under kill -9: eight clients push numbered lines, the server is killed at random moments (while
 *  pushing, flushing, merging or starting) and started again. Checked after every round: each acknowledged line is there
 *  exactly once, any other at most once, and a body that is sent again after an unknown outcome does not double its
 *  lines. TAILRACE_KILL_ROUNDS sets the rounds per runtime (default 5), TAILRACE_KILL_SEED repeats a run. */
import type { Test } from "tap";
import t from "tap";
import { protobufBody, PushClient, type PushStream } from "../../src/testing/pushClient.ts";
import { QueryClient } from "../../src/testing/queryClient.ts";
import { type Random, randomFrom, seedFrom } from "../../src/testing/random.ts";
import { runtimes, ServerProcess } from "../../src/testing/serverProcess.ts";

const clientCount = 8;
const streamsPerClient = 3;
const rounds = Number(process.env["TAILRACE_KILL_ROUNDS"] ?? "5");
const seed = seedFrom("TAILRACE_KILL_SEED");
const startNs = BigInt(Date.now()) * 1_000_000n;
const allLines: ReadonlyArray<number> = Array(clientCount).fill(0);
const linesPerCheck = 50_000;

/** What became of a line: pushed without an answer, or acknowledged. */
type Outcome = "unknown" | "acknowledged";

/** One pusher. Even ones send a body again after an unknown outcome until it is acknowledged; odd ones go on
 *  without. */
interface Client {
  readonly index: number;
  readonly retries: boolean;
  /** By line number; line n of a client has a timestamp and a text of its own. */
  readonly outcomes: Outcome[];
  pending: { readonly streams: ReadonlyArray<PushStream>; readonly from: number } | undefined;
}

t.comment(`seed ${seed}: TAILRACE_KILL_SEED=${seed} repeats this run`);

for (const runtime of runtimes) {
  t.test(`${runtime}, ${rounds} rounds`, async (t) => {
    const random = randomFrom(`${seed}-${runtime}`);
    const server = await ServerProcess.start({
      runtime,
      settings: {
        "ingester.segment_target_bytes": "256KB",
        "ingester.wal.file_target_size": "1MB",
        // Segments are merged all the time, and again.
        "compactor.compaction_interval": "100ms",
        "compactor.merge_min_segments": "2",
        "compactor.merge_target_bytes": "2MB",
      },
    });
    t.teardown(() => server.remove());
    const clients: Client[] = Array.from({ length: clientCount }, (_, index) => ({
      index,
      retries: index % 2 === 0,
      outcomes: [],
      pending: undefined,
    }));
    for (let round = 0; round < rounds; round++) {
      await t.test(`round ${round}`, (t) => runRound(t, server, clients, random));
      // Reading everything takes longer with each round.
      if (round % 10 === 9) await checkLines(t, server, clients, allLines, "all lines so far");
    }
    await checkLines(t, server, clients, allLines, "all lines");
    t.equal((await server.stop()).code, 0, "SIGTERM ends it with code 0");
    await server.launchAndWait();
    await checkLines(t, server, clients, allLines, "all lines after a clean stop");
  });
}

async function runRound(
  t: Test,
  server: ServerProcess,
  clients: ReadonlyArray<Client>,
  random: Random,
): Promise<void> {
  const firstLines = clients.map(({ outcomes }) => outcomes.length);
  const pushing = clients.map((client) => pushUntilDown(server, client, randomFrom(random.hex(8))));
  const flushing = random.below(3) > 0 ? flushUntilDown(server, random.below(150)) : undefined;
  const killAfterMs = random.between(20, 900);
  await sleep(killAfterMs);
  const stops = random.oneIn(5);
  await (stops ? server.stop() : server.kill());
  await Promise.all([...pushing, flushing]);
  const startKills = random.below(3);
  for (let kill = 0; kill < startKills; kill++) {
    server.launch();
    await sleep(random.between(5, 2000));
    await server.kill();
  }
  await server.launchAndWait();
  t.comment(
    `${
      stops ? "stopped" : "killed"
    } after ${killAfterMs} ms, then ${startKills} times while starting`,
  );
  await checkLines(t, server, clients, firstLines, "this round's lines after the restart");
  await retryPending(server, clients);
  await checkLines(t, server, clients, firstLines, "this round's lines after the retries");
}

/** Pushes batches of random size until the connection fails or the server says that it stops. */
async function pushUntilDown(server: ServerProcess, client: Client, random: Random): Promise<void> {
  const http = new PushClient(server.baseUrl, { connectionsMax: 1 });
  try {
    for (;;) {
      const from = client.outcomes.length;
      const count = random.oneIn(10) ? random.between(200, 2000) : random.between(1, 60);
      const streams = batchOf(client.index, from, count);
      for (let line = 0; line < count; line++) client.outcomes.push("unknown");
      client.pending = { streams, from };
      if (!await isAccepted(http, streams)) return;
      client.outcomes.fill("acknowledged", from);
      client.pending = undefined;
      // A retry of a body that was acknowledged: the reply may have been lost on its way.
      if (random.oneIn(20) && !await isAccepted(http, streams)) return;
    }
  } catch (error) {
    if (!isConnectionError(error)) throw error;
  } finally {
    http.close();
  }
}

/** False when the server is stopping, which leaves the outcome unknown. */
async function isAccepted(
  http: PushClient,
  streams: ReadonlyArray<PushStream>,
): Promise<boolean> {
  const reply = await http.send(protobufBody(streams));
  if (reply.status !== 204 && reply.status !== 503) {
    throw new Error(`Push answered ${reply.status}: ${reply.body}`);
  }
  return reply.status === 204;
}

async function flushUntilDown(server: ServerProcess, pauseMs: number): Promise<void> {
  const query = new QueryClient(server.baseUrl);
  try {
    while ((await query.get("/flush")).status !== 503) await sleep(pauseMs);
  } catch (error) {
    if (!isConnectionError(error)) throw error;
  } finally {
    query.close();
  }
}

async function retryPending(server: ServerProcess, clients: ReadonlyArray<Client>): Promise<void> {
  const http = new PushClient(server.baseUrl);
  for (const client of clients) {
    if (client.pending !== undefined && client.retries) {
      await http.push(client.pending.streams);
      client.outcomes.fill("acknowledged", client.pending.from);
    }
    client.pending = undefined;
  }
  http.close();
}

/** Checks each client's lines from number `firstLines[index]` on. */
async function checkLines(
  t: Test,
  server: ServerProcess,
  clients: ReadonlyArray<Client>,
  firstLines: ReadonlyArray<number>,
  when: string,
): Promise<void> {
  const query = new QueryClient(server.baseUrl);
  const problems: string[] = [];
  let acknowledgedCount = 0;
  for (const { index, outcomes } of clients) {
    const first = firstLines[index] as number;
    const seen = new Uint8Array(outcomes.length);
    const found = await query.all({
      query: `{client="${index}"}`,
      start: lineOf(index, first).timestamp,
      end: startNs + BigInt(outcomes.length + 1) * 1000n,
      limit: linesPerCheck,
    });
    for (const { line, timestamp, labels } of found) {
      const number = Number(/^client=\d+ line=(\d+) /.exec(line)?.[1]);
      const wanted = lineOf(index, number);
      if (
        line !== wanted.line || timestamp !== wanted.timestamp ||
        labels["stream"] !== String(number % streamsPerClient)
      ) {
        problems.push(`client ${index}: ${timestamp} ${JSON.stringify(line)} was never sent`);
      } else if (++(seen[number] as number) === 2) {
        problems.push(`client ${index}: line ${number} is there twice`);
      }
    }
    for (const [number, outcome] of outcomes.entries()) {
      if (number < first || outcome !== "acknowledged") continue;
      acknowledgedCount++;
      if (seen[number] === 0) problems.push(`client ${index}: acknowledged line ${number} is lost`);
    }
  }
  query.close();
  t.same(
    problems.slice(0, 20),
    [],
    `${when}: ${acknowledgedCount} acknowledged lines, ${problems.length} problems`,
  );
}

function batchOf(client: number, from: number, count: number): PushStream[] {
  const lines = Array.from({ length: count }, (_, row) => lineOf(client, from + row));
  return Array.from({ length: streamsPerClient }, (_, stream) => ({
    labels: `{client="${client}", stream="${stream}"}`,
    entries: lines.filter((_, row) => (from + row) % streamsPerClient === stream),
  })).filter(({ entries }) => entries.length > 0);
}

function lineOf(client: number, number: number): { timestamp: bigint; line: string } {
  return {
    timestamp: startNs + BigInt(number) * 1000n,
    line: `client=${client} line=${number} level=info ${"x".repeat(number % 97)}`,
  };
}

function isConnectionError(error: unknown): boolean {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return code === "ECONNREFUSED" || code === "ECONNRESET" || code === "EPIPE";
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
