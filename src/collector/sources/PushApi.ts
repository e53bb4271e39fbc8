/** `loki_push_api`: other agents push here as they would to a server, or post plain lines. Owns the routes and what becomes of a
 *  push; streams/pushFormat.ts owns its form, kernels/push.ts its decoding. An answer of 204 means that the lines are durable in
 *  the disk buffer. While that takes nothing, requests wait before their bodies are read, and are refused with 503 if it
 *  takes too long.
 *
 *  A push ends what stages hold of it: lines are joined within a push, not across two. */
import { ByteSize, Effect, Layer } from "effect";
import {
  HttpIncomingMessage,
  HttpRouter,
  HttpServerRequest,
  HttpServerResponse,
} from "effect/http";
import {
  buildRows,
  decodePush,
  decodeSnappyPush,
  noPushLimits,
  PushFormatError,
  type PushRows,
  PushTooLarge,
} from "../../kernels/push.ts";
import { DecompressFailed, unzipBody } from "../../platform/compression.ts";
import { errorText } from "../../platform/files.ts";
import { httpServerLayer } from "../../platform/httpServer.ts";
import { LabelsParseError, parseLabels } from "../../streams/labels.ts";
import { decodeMetadata } from "../../streams/metadata.ts";
import { encodedPush, pushFormatOf, PushHeadersInvalid } from "../../streams/pushFormat.ts";
import { JsonPushInvalid } from "../../streams/pushJson.ts";
import type { PushApiConfig } from "../config/scrapeConfig.ts";
import { type Job, Lines } from "../Lines.ts";
import type { SourceState } from "../sourceState.ts";
import { type LabelSet, tenantLabel } from "../stages/labelSet.ts";
import { LineCutter } from "../tailing/LineCutter.ts";
import type { LineLimits } from "../tailing/lineLimits.ts";
import type { LineColumns, Origin } from "../tailing/lineSink.ts";
import { GroupCommit } from "./GroupCommit.ts";

/** What a body may come to once it is decompressed. */
const unzippedBytesMax = 64 << 20;
/** How long a push waits for the disk buffer. */
const roomMs = 20_000;

/** Listens for all jobs with `loki_push_api`. Fails if an address cannot be listened on. */
export const pushApiLayer = (limits: LineLimits) =>
  Layer.unwrap(Effect.gen(function* () {
    const { jobs } = yield* Lines;
    const layers = jobs.flatMap((job) => {
      const { loki_push_api: config } = job.config;
      return config === undefined ? [] : [listen(job, config, limits)];
    });
    return layers.reduce((all, layer) => Layer.merge(all, layer), Layer.empty as typeof layers[0]);
  }));

function listen(job: Job, config: PushApiConfig, limits: LineLimits) {
  const { server } = config;
  return HttpRouter.serve(routes(job, config, limits), {
    disableLogger: true,
    disableListenLog: true,
  }).pipe(
    Layer.provide(httpServerLayer({
      host: server.http_listen_address || "0.0.0.0",
      port: server.http_listen_port,
      readTimeoutMs: server.http_server_read_timeout,
      idleTimeoutMs: server.http_server_idle_timeout,
      quietTimeoutMs: Math.max(server.http_server_write_timeout, 2 * roomMs),
      shutdownTimeoutMs: 1_000,
    })),
    // Each job has a server of its own.
    Layer.fresh,
  );
}

const routes = (job: Job, config: PushApiConfig, limits: LineLimits) =>
  HttpRouter.use(Effect.fnUntraced(function* (router) {
    const lines = yield* Lines;
    const receiver = new PushReceiver(lines, job, config, limits);
    lines.sources.add(receiver.state);
    const base = config.server.http_path_prefix.replace(/\/+$/, "") as "" | `/${string}`;
    const handle = (take: (headers: Headers, body: Uint8Array) => Promise<void>) =>
      Effect.gen(function* () {
        yield* waitForRoom(lines);
        const { headers } = yield* HttpServerRequest.HttpServerRequest;
        const body = yield* readBody(config);
        yield* Effect.tryPromise({ try: () => take(headers, body), catch: (error) => error });
        return HttpServerResponse.empty({ status: 204 });
      }).pipe(Effect.catch((error) => Effect.succeed(refusalOf(error))));
    yield* router.add("POST", `${base}/loki/api/v1/push`, handle(receiver.push));
    yield* router.add("POST", `${base}/promtail/api/v1/raw`, handle(receiver.raw));
    yield* router.add("GET", `${base}/ready`, HttpServerResponse.text("ready"));
  }));

type Headers = Readonly<Record<string, string | undefined>>;

class Refused extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const waitForRoom = (lines: Lines["Service"]) =>
  Effect.suspend(() =>
    lines.hasRoom() ? Effect.void : Effect.promise(lines.room).pipe(Effect.timeoutOrElse({
      duration: roomMs,
      orElse: () =>
        Effect.fail(
          new Refused(503, "the disk buffer takes no more at the moment; send again later"),
        ),
    }))
  );

const readBody = ({ server }: PushApiConfig) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest;
    const bytesMax = server.grpc_server_max_recv_msg_size;
    const tooLarge = new Refused(
      413,
      `the body has more than ${bytesMax} bytes, the limit (grpc_server_max_recv_msg_size)`,
    );
    if (Number(request.headers["content-length"] ?? 0) > bytesMax) {
      return yield* Effect.fail(tooLarge);
    }
    const body = yield* request.arrayBuffer.pipe(
      Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(bytesMax)),
      Effect.mapError((error) =>
        /MaxBodySize|exceed|too large/i.test(String(error.cause ?? error))
          ? tooLarge
          : new Refused(400, `the body cannot be read: ${errorText(error.cause ?? error)}`)
      ),
    );
    return new Uint8Array(body);
  });

function refusalOf(error: unknown): HttpServerResponse.HttpServerResponse {
  const status = error instanceof Refused
    ? error.status
    : error instanceof PushTooLarge || (error instanceof DecompressFailed && error.tooLarge)
    ? 413
    : invalidPushes.some((kind) => error instanceof kind)
    ? 400
    : 500;
  return HttpServerResponse.text(`${errorText(error)}\n`, { status });
}

const invalidPushes = [
  PushHeadersInvalid,
  JsonPushInvalid,
  PushFormatError,
  LabelsParseError,
  DecompressFailed,
];

class PushReceiver {
  readonly state: SourceState;
  readonly #lines: Lines["Service"];
  readonly #job: Job;
  readonly #config: PushApiConfig;
  readonly #limits: LineLimits;
  readonly #commit: GroupCommit;
  #lineCount = 0;

  constructor(lines: Lines["Service"], job: Job, config: PushApiConfig, limits: LineLimits) {
    this.#lines = lines;
    this.#job = job;
    this.#config = config;
    this.#limits = limits;
    this.#commit = new GroupCommit(lines.durable);
    this.state = {
      job: job.name,
      kind: "push",
      where: `${config.server.http_listen_address || "0.0.0.0"}:${config.server.http_listen_port}`,
      isReady: true,
      detail: () => `${this.#lineCount} lines`,
    };
  }

  /** A push as servers get them. */
  readonly push = async (headers: Headers, body: Uint8Array): Promise<void> => {
    const format = pushFormatOf(headers);
    const unzipped = await unzipBody(body, format.encoding, unzippedBytesMax);
    const { bytes, isSnappy } = encodedPush(unzipped, format, false);
    const streams = isSnappy ? decodeSnappyPush(bytes, unzippedBytesMax) : decodePush(bytes);
    const targets = Array.from(
      { length: streams.streamCount },
      (_, index) => this.#labels(new TextDecoder().decode(streams.labelsOf(index)), headers),
    );
    const taken = Uint8Array.from(targets, (labels) => labels === undefined ? 0 : 1);
    const rows = buildRows(taken, new Uint8Array(taken.length), noPushLimits);
    this.#handOver(rows, targets);
    await this.#commit.done();
  };

  /** Lines of text. */
  readonly raw = async (headers: Headers, body: Uint8Array): Promise<void> => {
    const labels = this.#labels("{}", headers);
    if (labels === undefined) return;
    const { origin, stream } = this.#pushOf(labels);
    const cutter = new LineCutter(this.#limits);
    const take = (columns: LineColumns) => {
      for (let index = 0; index < columns.count; index++) {
        const line = columns.bytes.subarray(columns.starts[index], columns.ends[index]);
        if (line.byteLength > 0) this.#lines.intake.line(line, undefined, stream, origin, 0);
      }
      this.#lineCount += columns.count;
    };
    take(cutter.push(body));
    take(cutter.end());
    this.#job.pipeline.flushOrigin(origin);
    await this.#commit.done();
  };

  /** All on one stack: the rows are views that the next push overwrites. */
  #handOver(rows: PushRows, targets: ReadonlyArray<LabelSet | undefined>): void {
    const { rowEnds, timestamps, lineEnds, lines, metaIds, setEnds, meta } = rows;
    let row = 0;
    targets.forEach((labels, index) => {
      if (labels === undefined) return;
      const { origin, stream } = this.#pushOf(labels);
      for (; row < rowEnds[index]!; row++) {
        const line = lines.subarray(row === 0 ? 0 : lineEnds[row - 1], lineEnds[row]);
        const set = metaIds[row]!;
        const metadata = set === 0
          ? []
          : decodeMetadata(meta, set === 1 ? 0 : setEnds[set - 2]!, setEnds[set - 1]!);
        this.#lines.intake.line(line, this.#time(timestamps[row]!), stream, origin, 0, metadata);
      }
      this.#job.pipeline.flushOrigin(origin);
    });
    this.#lineCount += rows.rowCount;
  }

  #pushOf(labels: LabelSet) {
    const origin: Origin = { id: `push/${this.#job.name}`, positionBefore: () => undefined };
    return { origin, stream: { pipeline: this.#job.pipeline, labels } };
  }

  #time(ns: bigint) {
    if (!this.#config.use_incoming_timestamp) return undefined;
    const nanos = Number(((ns % second) + second) % second);
    return { seconds: Number((ns - BigInt(nanos)) / second), nanos };
  }

  /** Undefined if a rule drops the stream. */
  #labels(text: string, headers: Headers): LabelSet | undefined {
    const { labels } = this.#config;
    const target = this.#job.relabel(new Map([...parseLabels(text), ...Object.entries(labels)]));
    if (target === null) return undefined;
    const tenant = headers["x-scope-orgid"] ?? "";
    return tenant === "" ? target.labels : target.labels.with(tenantLabel, tenant);
  }
}

const second = 1_000_000_000n;
