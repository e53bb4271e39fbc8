/** Each metric moves when, and by as much as, what it counts happens, on a running server. What needs a failing disk is
 *  SegmentWriter.test.ts's, what needs a slow tail Tailer.test.ts's. */
import type { Test } from "tap";
import { onServer, type Scenario } from "../testing/onServer.ts";
import { jsonBody } from "../testing/pushClient.ts";
import { TailClient } from "../testing/tailClient.ts";

type Samples = ReadonlyMap<string, number>;

async function scrape(t: Test, { query }: Scenario): Promise<Samples> {
  const { status, body, headers } = await query.get("/metrics");
  t.equal(status, 200);
  t.match(headers["content-type"], /^text\/plain; version=0\.0\.4/);
  const samples = new Map<string, number>();
  for (const line of body.split("\n")) {
    if (line === "" || line.startsWith("# HELP ") || line.startsWith("# TYPE ")) continue;
    const [, name, value] = /^(\S+(?:\{.*\})?) (\S+)$/.exec(line) ?? t.fail(line) as never;
    t.notOk(samples.has(name!), `${name} occurs once`);
    samples.set(name!, Number(value));
  }
  return samples;
}

const requests = (method: string, route: string, status: number) =>
  `loki_request_duration_seconds_count{method="${method}",route="${route}",status_code="${status}"}`;

onServer({ "limits_config.max_line_size": "100" }, {
  "every metric moves": async (t, scenario) => {
    const { push, query, app, now, server } = scenario;
    const before = await scrape(t, scenario);
    let last = before;
    const grown = async (wanted: Readonly<Record<string, number>>) => {
      const after = await scrape(t, scenario);
      for (const [name, value] of Object.entries(wanted)) {
        t.equal((after.get(name) ?? 0) - (last.get(name) ?? 0), value, name);
      }
      last = after;
      return after;
    };

    const line = (text: string) => [String(now), text];
    const body = jsonBody([{ stream: { app }, values: [line("abc"), line("x".repeat(101))] }]);
    t.equal((await push.send(body)).status, 400);
    await grown({
      'loki_distributor_lines_received_total{tenant="fake"}': 1,
      'loki_distributor_bytes_received_total{tenant="fake"}': 3,
      'loki_discarded_samples_total{tenant="fake",reason="line_too_long"}': 1,
      'loki_discarded_bytes_total{tenant="fake",reason="line_too_long"}': 101,
      'tailrace_ingester_unflushed_records{partition="0"}': 1,
      'tailrace_ingester_streams{partition="0"}': 1,
      [requests("POST", "/loki/api/v1/push", 400)]: 1,
    });

    const unflushed = 'tailrace_ingester_unflushed_bytes{partition="0"}';
    t.ok(last.get(unflushed)! >= 3);
    await query.flush();
    const flushed = await grown({
      tailrace_segments_flushed_total: 1,
      'tailrace_ingester_unflushed_records{partition="0"}': -1,
      tailrace_flush_failures_total: 0,
    });
    t.equal(flushed.get(unflushed), 0);
    t.ok(flushed.get("tailrace_segment_bytes_flushed_total")! > 3);

    const range = { start: now, end: now + 1n };
    await query.streams({ query: `{app="${app}"}`, ...range });
    t.equal((await query.get("/loki/api/v1/query_range")).status, 400);
    t.equal((await query.get("/loki/api/v1/label/app/values")).status, 200);
    await grown({
      tailrace_query_bytes_scanned_total: 3,
      [requests("GET", "/loki/api/v1/query_range", 200)]: 1,
      [requests("GET", "/loki/api/v1/query_range", 400)]: 1,
      [requests("GET", "/loki/api/v1/label/:name/values", 200)]: 1,
    });

    const tail = await TailClient.open(server.baseUrl, { query: `{app="${app}"}` });
    await grown({ tailrace_tail_clients: 1 });
    await tail.close();
    while (
      (await scrape(t, scenario)).get("tailrace_tail_clients") !== 0
    ) { /* closing takes a moment */ }
    await grown({ tailrace_tail_clients: -1, tailrace_tail_lines_dropped_total: 0 });

    t.ok(last.get("process_cpu_seconds_total")! > before.get("process_cpu_seconds_total")!);
    t.ok(last.get("process_resident_memory_bytes")! > 10 * 1024 * 1024);
    const started = last.get("process_start_time_seconds")!;
    t.ok(Math.abs(started - Date.now() / 1000) < 3600, "the server started within the hour");
    t.ok([...last.keys()].some((name) => name.startsWith("tailrace_build_info{version=")));
  },

  "the state of the installation, for the page": async (t, { push, query, app, now }) => {
    await query.flush();
    const read = async () => {
      const { status, body } = await query.get("/tailrace/api/v1/cluster");
      t.equal(status, 200, body);
      return JSON.parse(body);
    };
    const lag = ({ partitions }: { partitions: { next: number; checkpoint: number }[] }) =>
      partitions.reduce((sum, { next, checkpoint }) => sum + next - checkpoint, 0);
    const before = await read();
    t.match(before, { problems: [], streams: [] });
    t.equal(lag(before), 0, "all is in segments");
    await push.push([{ labels: `{app="${app}"}`, entries: [{ timestamp: now, line: "x" }] }]);
    const after = await read();
    t.equal(lag(after), 1);
    t.strictSame(after.partitions[0].owner, after.ingesters[0]);
  },

  "what runs in this process": async (t, { query }) => {
    const { status, body } = await query.get("/services");
    t.equal(status, 200);
    t.equal(
      body,
      "distributor => Running\ningester => Running\nquerier => Running\ntailer => Running\n" +
        "ruler => Running\ncompactor => Running\n",
    );
  },

  "what clients invent is no label": async (t, scenario) => {
    for (const path of ["/nothing/a", "/nothing/b", "/loki/api/v1/label/zebra/values"]) {
      await scenario.query.get(path);
    }
    const names = [...(await scrape(t, scenario)).keys()];
    t.notOk(names.some((name) => /nothing|zebra/.test(name)));
  },
});
