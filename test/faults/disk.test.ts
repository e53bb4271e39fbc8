/** Disks that are full or read-only, ports and directories that are taken: the server says what is wrong, keeps what it
 *  acknowledged, and goes on when the cause is gone. */
import type { Test } from "tap";
import t from "tap";
import { createServer } from "node:net";
import { type HttpReply, protobufBody, PushClient } from "../../src/testing/pushClient.ts";
import { QueryClient } from "../../src/testing/queryClient.ts";
import { randomFrom } from "../../src/testing/random.ts";
import { freePort, runtimes, ServerProcess } from "../../src/testing/serverProcess.ts";
import { TemporaryDisk } from "../../src/testing/temporaryDisk.ts";

const startNs = BigInt(Date.now()) * 1_000_000n;
const linesPerPush = 50;

for (const runtime of runtimes) {
  t.test(`${runtime}: a full disk`, async (t) => {
    const disk = await TemporaryDisk.create(12_000_000);
    t.teardown(() => disk.remove());
    const settings = {
      "ingester.segment_target_bytes": "2MB",
      "ingester.wal.file_target_size": "1MB",
    };
    const server = await ServerProcess.start({ runtime, disk, settings });
    t.teardown(() => server.remove());
    const push = new PushClient(server.baseUrl);
    t.teardown(() => push.close());
    const outcomes: HttpReply[] = [];
    const pushNext = async () => {
      const reply = await push.send(protobufBody(pushOf(outcomes.length)));
      outcomes.push(reply);
      return reply;
    };
    // 12 MB of disk hold fewer than 2000 pushes of 50 lines of 1 KB that do not compress.
    while ((await pushNext()).status === 204 && outcomes.length < 2000);
    const refusal = outcomes.at(-1) as HttpReply;
    t.ok(refusal.status === 429 || refusal.status >= 500, `refused with ${refusal.status}`);
    t.match(refusal.body, /disk|space|full/i, "says why");
    for (let more = 0; more < 20; more++) await pushNext();
    t.ok(server.isRunning, "the server lives");
    await checkFound(t, server, outcomes, "while the disk is full");
    disk.resize(200_000_000);
    await waitUntilAccepted(pushNext);
    for (let more = 0; more < 20; more++) t.equal((await pushNext()).status, 204, "accepted again");
    const query = new QueryClient(server.baseUrl);
    await query.flush();
    query.close();
    await checkFound(t, server, outcomes, "after space was made");
    await server.kill();
    await server.launchAndWait();
    await checkFound(t, server, outcomes, "after kill -9");
  });

  t.test(`${runtime}: killed while the disk is full`, async (t) => {
    const disk = await TemporaryDisk.create(6_000_000);
    t.teardown(() => disk.remove());
    const server = await ServerProcess.start({ runtime, disk });
    t.teardown(() => server.remove());
    const push = new PushClient(server.baseUrl);
    const outcomes: HttpReply[] = [];
    do {
      outcomes.push(await push.send(protobufBody(pushOf(outcomes.length))));
    } while (outcomes.at(-1)?.status === 204 && outcomes.length < 2000);
    push.close();
    await server.kill();
    disk.resize(200_000_000);
    await server.launchAndWait();
    await checkFound(t, server, outcomes, "after a start with space");
  });

  t.test(`${runtime}: a read-only disk`, async (t) => {
    const disk = await TemporaryDisk.create(16_000_000);
    t.teardown(() => disk.remove());
    disk.setReadOnly(true);
    const server = await ServerProcess.create({ runtime, disk });
    t.teardown(() => server.remove());
    server.launch();
    const end = await server.ended;
    t.not(end.code, 0);
    t.match(server.output, /read-only|EROFS|writable/i, "says what is wrong");
    t.ok(server.output.includes(disk.directory), "says where");
    t.notMatch(
      server.output,
      /^\s+at .*\.ts:\d+/m,
      "no stack trace for what the operator can mend",
    );
    disk.setReadOnly(false);
    await server.launchAndWait();
  });

  t.test(`${runtime}: a port that is taken`, async (t) => {
    const port = await freePort();
    const occupant = createServer();
    await new Promise<void>((resolve) => occupant.listen(port, "127.0.0.1", resolve));
    t.teardown(() => occupant.close());
    const server = await ServerProcess.create({ runtime, port });
    t.teardown(() => server.remove());
    server.launch();
    const end = await server.ended;
    t.not(end.code, 0);
    t.ok(server.output.includes(String(port)), "names the port");
    t.match(server.output, /in use|EADDRINUSE/i);
    t.notMatch(server.output, /^\s+at .*\.ts:\d+/m, "no stack trace");
  });

  t.test(`${runtime}: a data directory that is in use`, async (t) => {
    const first = await ServerProcess.start({ runtime });
    t.teardown(() => first.remove());
    const push = new PushClient(first.baseUrl);
    await push.push(pushOf(0));
    const second = await ServerProcess.create({ runtime, dataDirectory: first.dataDirectory });
    t.teardown(() => second.remove());
    second.launch();
    const end = await second.ended;
    t.not(end.code, 0);
    t.ok(second.output.includes(first.dataDirectory), "names the directory");
    t.match(second.output, /is using it/);
    const reply = await push.send(protobufBody(pushOf(1)));
    push.close();
    t.equal(reply.status, 204, "the first goes on");
    await checkFound(t, first, [reply, reply], "in the first");
  });

  t.test(`${runtime}: settings that are wrong`, async (t) => {
    const cases: ReadonlyArray<readonly [string, string, RegExp]> = [
      ["server.http_listen_port", "99999", /http_listen_port|HTTP_LISTEN_PORT/],
      ["limits_config.max_line_size", "big", /max_line_size|MAX_LINE_SIZE/],
    ];
    for (const [path, value, wanted] of cases) {
      const settings = { [path]: value };
      const server = await ServerProcess.create({ runtime, settings });
      server.launch();
      t.not((await server.ended).code, 0, path);
      t.match(server.output, wanted);
      t.ok(server.output.includes(value), "quotes the value");
      await server.remove();
    }
  });
}

function pushOf(number: number) {
  const entries = Array.from({ length: linesPerPush }, (_, row) => lineOf(number, row));
  return [{ labels: `{app="disk"}`, entries }];
}

const madeLines: string[] = [];

/** Lines of one push differ from those of another and do not compress; making one takes time, so they are kept. */
function lineOf(push: number, row: number): { timestamp: bigint; line: string } {
  const number = push * linesPerPush + row;
  const line = madeLines[number] ??= `push=${push} row=${row} ${randomFrom(number).hex(1000)}`;
  return { timestamp: startNs + BigInt(number) * 1000n, line };
}

async function waitUntilAccepted(pushNext: () => Promise<HttpReply>): Promise<void> {
  while ((await pushNext()).status !== 204) {
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Each push that was answered 204 is there exactly once, with its bytes; others at most once. */
async function checkFound(
  t: Test,
  server: ServerProcess,
  outcomes: ReadonlyArray<HttpReply>,
  when: string,
): Promise<void> {
  const query = new QueryClient(server.baseUrl);
  const counts = new Map<string, number>();
  for (
    const { timestamp, line } of await query.all({
      query: `{app="disk"}`,
      start: startNs,
      end: startNs + BigInt(outcomes.length * linesPerPush) * 1000n,
    })
  ) {
    const key = `${timestamp} ${line}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  query.close();
  let lost = 0;
  let sentCount = 0;
  for (const [number, { status }] of outcomes.entries()) {
    for (let row = 0; row < linesPerPush; row++) {
      const { timestamp, line } = lineOf(number, row);
      const count = counts.get(`${timestamp} ${line}`) ?? 0;
      sentCount += count;
      if (status === 204 && count === 0) lost++;
    }
  }
  const total = counts.values().reduce((sum, count) => sum + count, 0);
  t.equal(lost, 0, `${when}: no acknowledged line is lost`);
  t.equal(total - counts.size, 0, `${when}: no line is there twice`);
  t.equal(total - sentCount, 0, `${when}: no line is there that was not sent`);
}
