/** What the distributor refuses and says, on virtual time: each limit with its code and text,
 *  rates that refill, and that valid lines of a push are stored whatever else is in it. Decoding
 *  is the kernel's business, durability the log's. */
import { Effect, Exit, Layer } from "effect";
import { TestClock } from "effect/testing";
import t, { type Test } from "tap";
import { settingsWith } from "../../platform/config/mod.ts";
import type { Batch } from "../../streams/batch.ts";
import { memoryWriteLog } from "../../testing/memoryStorage.ts";
import { rowsOfColumns } from "../../testing/modelRows.ts";
import { encodePushRequest, type PushStream } from "../../testing/protobuf.ts";
import { Handover } from "./Handover.ts";
import { Ingester } from "../ingester/Ingester.ts";
import type { PartitionMessage } from "../protocol/ingester.ts";
import { Tailer } from "../tailer/Tailer.ts";
import { Distributor } from "./Distributor.ts";

/** 2026-01-01T00:00:00Z */
const startMs = 1_767_225_600_000;
const start = BigInt(startMs) * 1_000_000n;

/** A partition that keeps what it is told. */
class Sink {
  readonly batches: Batch[] = [];
  unflushedBytes = 0;

  readonly actor = {
    tell: (message: PartitionMessage) =>
      Effect.sync(() => {
        if (message.type === "Append") this.batches.push(message.batch);
      }),
    observe: () => ({ unflushedBytes: this.unflushedBytes }),
  };

  /** Lines as "labels line", in the order of storage. */
  lines(): string[] {
    return this.batches.flatMap((batch) =>
      Array.from({ length: batch.sliceCount }, (_, slice) => slice).flatMap((slice) =>
        rowsOfColumns(batch, batch.sliceRowStart(slice), batch.sliceRowEnds[slice]!)
          .map(({ line }) => `${batch.labelsOf(slice)} ${Buffer.from(line)}`)
      )
    );
  }
}

interface Pushing {
  readonly t: Test;
  readonly sink: Sink;
  /** "204", or the status and text of the refusal. */
  readonly push: (...streams: ReadonlyArray<PushStream>) => Effect.Effect<string>;
}

function pushTest(
  name: string,
  changes: Readonly<Record<string, string | number | boolean>>,
  body: (pushing: Pushing) => Effect.Effect<void>,
): void {
  t.test(name, (t) => {
    const sink = new Sink();
    const ingester = { owned: () => new Map([[0, sink.actor]]) } as unknown as Ingester["Service"];
    const settings = settingsWith({ "limits_config.discover_log_levels": false, ...changes });
    const layer = Distributor.layer(settings).pipe(
      Layer.provide([memoryWriteLog(), Handover.local]),
      Layer.provide([Layer.succeed(Ingester, ingester), Tailer.layer]),
      Layer.provideMerge(TestClock.layer()),
    );
    const run = Effect.gen(function* () {
      yield* TestClock.setTime(startMs);
      const distributor = yield* Distributor;
      const push = (...streams: ReadonlyArray<PushStream>) =>
        distributor.push("ten", { bytes: encodePushRequest(streams), isSnappy: false }).pipe(
          Effect.exit,
          Effect.map((exit) => {
            if (Exit.isSuccess(exit)) return "204";
            const reason = exit.cause.reasons[0]!;
            if (reason._tag !== "Fail") throw new Error(String(exit.cause));
            return `${reason.error.status} ${reason.error.message}`;
          }),
        );
      yield* body({ t, sink, push });
    });
    return Effect.runPromise(run.pipe(Effect.provide(layer), Effect.scoped));
  });
}

const entry = (line: string, timestamp = start, metadata: Record<string, string> = {}) => ({
  timestamp,
  line,
  metadata,
});
const app: PushStream = { labels: '{app="a"}', entries: [entry("ok")] };
const stored = '{app="a", service_name="a"}';
const second = 1_000_000_000n;

/** One push of a stream that must be refused beside one that must be stored. */
const refusals: ReadonlyArray<
  readonly [
    name: string,
    changes: Readonly<Record<string, string | number | boolean>>,
    refused: PushStream,
    answer: string,
  ]
> = [
  [
    "line too long",
    { "limits_config.max_line_size": 5 },
    { labels: '{app="b"}', entries: [entry("123456")] },
    `400 max entry size '5' bytes exceeded for stream '{app="b", service_name="b"}' while adding an entry with length ` +
    "'6' bytes",
  ],
  [
    "too old",
    { "limits_config.reject_old_samples": true, "limits_config.reject_old_samples_max_age": "1h" },
    { labels: '{app="b"}', entries: [entry("x", start - 3601n * second)] },
    `400 entry for stream '{app="b", service_name="b"}' has timestamp too old: 2025-12-31T22:59:59Z, oldest acceptable ` +
    "timestamp is: 2025-12-31T23:00:00Z",
  ],
  [
    "too new",
    { "limits_config.creation_grace_period": "10m" },
    { labels: '{app="b"}', entries: [entry("x", start + 600n * second + 1n)] },
    `400 entry for stream '{app="b", service_name="b"}' has timestamp too new: 2026-01-01T00:10:00.000000001Z`,
  ],
  [
    "labels that cannot be read",
    {},
    { labels: "{app=b}", entries: [entry("x")] },
    "400 error parsing labels '{app=b}': ",
  ],
  [
    "too many labels",
    { "limits_config.max_label_names_per_series": 2 },
    { labels: '{a="1", b="2", c="3"}', entries: [entry("x")] },
    `400 entry for stream '{a="1", b="2", c="3"}' has 3 label names; limit 2`,
  ],
  [
    "label name too long",
    { "limits_config.max_label_name_length": 3 },
    { labels: '{long="1"}', entries: [entry("x")] },
    `400 stream '{long="1"}' has label name too long: 'long'`,
  ],
  [
    "label value too long",
    { "limits_config.max_label_value_length": 3 },
    { labels: '{b="1234"}', entries: [entry("x")] },
    `400 stream '{b="1234"}' has label value too long: '1234'`,
  ],
  [
    "no labels",
    { "limits_config.discover_service_name": false },
    { labels: "{}", entries: [entry("x")] },
    "400 error at least one label pair is required per stream",
  ],
  [
    "metadata too large",
    { "limits_config.max_structured_metadata_size": 5 },
    { labels: '{app="b"}', entries: [entry("x", start, { key: "val" })] },
    `400 stream '{app="b", service_name="b"}' has structured metadata too large: '6' bytes, limit: '5' bytes. Please see ` +
    "`limits_config.max_structured_metadata_size`",
  ],
  [
    "too much metadata",
    { "limits_config.max_structured_metadata_entries_count": 1 },
    { labels: '{app="b"}', entries: [entry("x", start, { a: "1", b: "2" })] },
    `400 stream '{app="b", service_name="b"}' has too many structured metadata labels: '2', limit: '1'. Please see ` +
    "`limits_config.max_structured_metadata_entries_count`",
  ],
  [
    "metadata where there may be none",
    { "limits_config.allow_structured_metadata": false },
    { labels: '{app="b"}', entries: [entry("x", start, { a: "1" })] },
    `400 stream '{app="b", service_name="b"}' includes structured metadata, but this feature is disallowed. Please see ` +
    "`limits_config.allow_structured_metadata`",
  ],
  [
    "one stream's rate",
    { "limits_config.per_stream_rate_limit": 2, "limits_config.per_stream_rate_limit_burst": 2 },
    { labels: '{app="b"}', entries: [entry("123")] },
    `429 Per stream rate limit exceeded (limit: 2 bytes/sec) while attempting to ingest for stream ` +
    `'{app="b", service_name="b"}' totaling 3 bytes`,
  ],
  [
    "too many streams",
    { "limits_config.max_global_streams_per_user": 1 },
    { labels: '{app="b"}', entries: [entry("x")] },
    `429 maximum active stream limit exceeded when trying to create stream {app="b", service_name="b"}`,
  ],
];

for (const [name, changes, refused, answer] of refusals) {
  pushTest(`refused: ${name}`, changes, ({ t, sink, push }) =>
    Effect.gen(function* () {
      const said = yield* push(app, refused);
      t.equal(said.slice(0, answer.length), answer);
      const labels = name === "no labels" ? '{app="a"}' : stored;
      t.same(sink.lines(), [`${labels} ok`], "what is valid is stored");
      t.match(said, /\ntotal ignored: 1 out of 2$/);
    }));
}

const justValid: Readonly<Record<string, PushStream>> = {
  "limits_config.max_line_size=5": { labels: '{app="a"}', entries: [entry("12345")] },
  "limits_config.creation_grace_period=10m": {
    labels: '{app="a"}',
    entries: [entry("x", start + 600n * second)],
  },
  "limits_config.max_label_names_per_series=2": {
    labels: '{a="1", b="2", service_name="not counted"}',
    entries: [entry("x")],
  },
  "limits_config.max_label_value_length=3": { labels: '{app="123"}', entries: [entry("x")] },
  "limits_config.max_structured_metadata_size=6": {
    labels: '{app="a"}',
    entries: [entry("x", start, { key: "val" })],
  },
  "limits_config.max_line_size=0": { labels: '{app="a"}', entries: [entry("x".repeat(300_000))] },
};

for (const [setting, stream] of Object.entries(justValid)) {
  const [path, value] = setting.split("=") as [string, string];
  pushTest(`taken: ${setting}`, { [path]: value }, ({ t, sink, push }) =>
    Effect.gen(function* () {
      t.equal(yield* push(stream), "204");
      t.equal(sink.lines().length, 1);
    }));
}

pushTest("lines that are too long are cut on request", {
  "limits_config.max_line_size": 5,
  "limits_config.max_line_size_truncate": true,
}, ({ t, sink, push }) =>
  Effect.gen(function* () {
    t.equal(yield* push({ labels: '{app="a"}', entries: [entry("123456")] }), "204");
    t.same(sink.lines(), [`${stored} 12345`]);
  }));

pushTest("a tenant's rate: over it nothing of the push is stored, and it refills with time", {
  "limits_config.ingestion_rate_mb": 1,
  "limits_config.ingestion_burst_size_mb": 2,
}, ({ t, sink, push }) =>
  Effect.gen(function* () {
    const half = 128 * 1024;
    const megabyte = {
      labels: '{app="a"}',
      entries: Array.from({ length: 8 }, () => entry("x".repeat(half))),
    };
    t.equal(yield* push(megabyte), "204");
    t.equal(yield* push(megabyte), "204");
    t.equal(
      (yield* push(megabyte)).split(", reduce")[0],
      "429 ingestion rate limit exceeded for user ten (limit: 1048576 bytes/sec) while attempting to ingest '8' lines " +
        "totaling '1048576' bytes",
    );
    t.equal(sink.lines().length, 16);
    yield* TestClock.adjust(999);
    t.match(yield* push(megabyte), /^429 /);
    yield* TestClock.adjust(1);
    t.equal(yield* push(megabyte), "204");
    yield* TestClock.adjust("1 hour");
    t.equal(yield* push(megabyte), "204");
    t.equal(yield* push(megabyte), "204");
    t.match(yield* push(megabyte), /^429 /, "never more than the burst");
  }));

pushTest("streams that are idle make room for others", {
  "limits_config.max_global_streams_per_user": 2,
  "ingester.chunk_idle_period": "30m",
}, ({ t, push }) =>
  Effect.gen(function* () {
    const stream = (name: string) => ({ labels: `{app="${name}"}`, entries: [entry("x")] });
    t.equal(yield* push(stream("a"), stream("b")), "204");
    t.match(yield* push(stream("c")), /^429 maximum active stream limit exceeded/);
    yield* TestClock.adjust("29 minutes");
    t.equal(yield* push(stream("b")), "204");
    yield* TestClock.adjust("1 minutes");
    t.equal(yield* push(stream("c")), "204", "a has been idle for 30 minutes");
    t.match(yield* push(stream("a")), /^429 /);
    t.equal(yield* push(stream("b")), "204");
  }));

pushTest("a push in two minds is answered 429, so that it is sent again", {
  "limits_config.max_line_size": 5,
  "limits_config.max_global_streams_per_user": 1,
}, ({ t, sink, push }) =>
  Effect.gen(function* () {
    const mixed = {
      labels: '{app="a"}',
      entries: [entry("ok"), entry("123456"), entry("1234567")],
    };
    const said = yield* push(mixed, { labels: '{app="b"}', entries: [entry("x")] });
    t.match(said, /^429 /);
    t.match(said, /length '6'/);
    t.match(said, /length '7'/);
    t.match(said, /maximum active stream limit/);
    t.match(said, /total ignored: 3 out of 4$/);
    t.same(sink.lines(), [`${stored} ok`]);
  }));

pushTest("what is no push, and a partition that is full", {
  "ingester.max_unflushed_bytes": 1000,
}, ({ t, sink, push }) =>
  Effect.gen(function* () {
    t.equal(yield* push(), "422 the push holds no streams");
    t.equal(yield* push({ labels: '{app="a"}', entries: [] }), "204");
    sink.unflushedBytes = 1001;
    t.match(
      yield* push(app),
      /^429 partition 0 has 1001 bytes that are not flushed, the limit is 1000;/,
    );
    sink.unflushedBytes = 1000;
    t.equal(yield* push(app), "204");
    t.same(sink.lines(), [`${stored} ok`]);
  }));
