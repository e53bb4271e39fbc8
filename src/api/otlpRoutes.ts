/** `POST /otlp/v1/logs`: OpenTelemetry's collectors and SDKs push here. Owns content types, encodings and answers, errors as
 *  google.rpc.Status as the specification wants them; otlpLogs.ts owns what records become. */
import { Cause, Clock, Effect } from "effect";
import { HttpServerRequest, HttpServerResponse } from "effect/http";
import { type Distributor, PushRefused } from "../actors/distributor/Distributor.ts";
import { type ContentEncoding, DecompressFailed } from "../platform/compression.ts";
import type { Settings } from "../platform/config/mod.ts";
import { OtlpJsonInvalid, otlpJsonToProtobuf } from "./otlpJson.ts";
import { OtlpRules } from "./otlpAttributes.ts";
import { transcodeOtlpLogs } from "./otlpLogs.ts";
import { OtlpTooLarge } from "./otlpValues.ts";
import { ProtobufInvalid } from "./protobufReader.ts";
import { ProtobufWriter } from "../streams/protobufWriter.ts";
import { type BytesInFlight, withPushBody } from "./pushBody.ts";
import { RequestRefused, tenantOf } from "./request.ts";

/** The handler of `POST /otlp/v1/logs`. */
export const otlpLogsHandler = (
  settings: Settings,
  distributor: Distributor["Service"],
  inFlight: BytesInFlight,
) => {
  // Rules that cannot be compiled end the start.
  const rules = new OtlpRules(settings);
  return Effect.gen(function* () {
    const { headers } = yield* HttpServerRequest.HttpServerRequest;
    const isJson = mediaType(headers) === "application/json";
    return yield* Effect.gen(function* () {
      const tenant = tenantOf(settings, headers);
      const { max_recv_msg_size, max_json_size, max_decompressed_size } = settings.distributor;
      const wanted = {
        encoding: encodingOf(headers),
        unzippedMax: isJson ? max_json_size : max_recv_msg_size,
      };
      refuseOtherTypes(headers);
      const nowMs = yield* Clock.currentTimeMillis;
      yield* withPushBody(settings, inFlight, headers, wanted, (body) =>
        Effect.suspend(() => {
          const message = isJson ? otlpJsonToProtobuf(body) : body;
          const push = transcodeOtlpLogs(message, {
            actions: rules.of(tenant),
            nowMs,
            bytesMax: max_decompressed_size,
          });
          if (push.recordCount === 0) {
            throw new RequestRefused(422, "the request has no log records");
          }
          return distributor.push(tenant, { bytes: push.bytes, isSnappy: false });
        }));
      return HttpServerResponse.empty({ status: 204 });
    }).pipe(
      // What the synchronous steps throw is a refusal, too.
      Effect.sandbox,
      Effect.catch((cause) =>
        Effect.succeed(respondStatus(refusalOf(Cause.squash(cause)), isJson))
      ),
    );
  });
};

type Headers = Readonly<Record<string, string | undefined>>;

function mediaType(headers: Headers): string {
  return (headers["content-type"] ?? "").split(";")[0]!.trim().toLowerCase();
}

function refuseOtherTypes(headers: Headers): void {
  const type = mediaType(headers);
  if (type === "application/x-protobuf" || type === "application/json") return;
  throw new RequestRefused(
    415,
    `Content-Type "${
      headers["content-type"] ?? ""
    }" not supported: want application/x-protobuf or application/json`,
  );
}

function encodingOf(headers: Headers): ContentEncoding {
  const encoding = (headers["content-encoding"] ?? "").trim().toLowerCase();
  if (encoding === "" || encoding === "identity" || encoding === "none") return "";
  const known = (["gzip", "zstd", "lz4", "deflate"] as const).find((name) => name === encoding);
  if (known !== undefined) return known;
  throw new RequestRefused(
    415,
    `Content-Encoding "${encoding}" not supported: want gzip, zstd, lz4, deflate or none`,
  );
}

interface Refusal {
  readonly status: number;
  readonly message: string;
}

/** A client sends again after 429 and 503, and after nothing else. */
function refusalOf(error: unknown): Refusal {
  if (error instanceof PushRefused) {
    return { status: error.status === 500 ? 503 : error.status, message: error.message };
  }
  if (error instanceof RequestRefused) return error;
  if (error instanceof DecompressFailed) {
    return { status: error.tooLarge ? 413 : 400, message: error.message };
  }
  if (error instanceof OtlpTooLarge) return { status: 413, message: error.message };
  if (error instanceof ProtobufInvalid || error instanceof OtlpJsonInvalid) {
    return { status: 400, message: `cannot read the request: ${error.message}` };
  }
  return { status: 503, message: `the push failed in a way it should not: ${String(error)}` };
}

/** gRPC's codes for the statuses that there are: https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto */
const grpcCodes: Readonly<Record<number, number>> = {
  400: 3,
  401: 16,
  413: 3,
  415: 3,
  422: 3,
  429: 8,
  503: 14,
};

function respondStatus({ status, message }: Refusal, isJson: boolean) {
  const code = grpcCodes[status] ?? 2;
  const headers: Record<string, string> = {
    ...(status === 429 || status === 503 ? { "retry-after": "1" } : {}),
    // The rest of such a body is not wanted: the connection cannot be used again.
    ...(status === 408 || status === 413 ? { connection: "close" } : {}),
  };
  if (isJson) {
    return HttpServerResponse.text(JSON.stringify({ code, message }), {
      status,
      headers,
      contentType: "application/json",
    });
  }
  const writer = new ProtobufWriter(message.length + 64);
  writer.natural(1, code);
  writer.text(2, message);
  return HttpServerResponse.uint8Array(writer.bytes(), {
    status,
    headers,
    contentType: "application/x-protobuf",
  });
}
