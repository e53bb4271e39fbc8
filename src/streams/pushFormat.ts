/** What the headers of a push say that its body is: content types and encodings as Loki takes them. src/kernels/push.ts owns
 *  the protobuf, platform/compression.ts the encodings. */
import { transcodeJsonPush } from "./pushJson.ts";

/** The headers cannot be those of a push; answered with 400. */
export class PushHeadersInvalid extends Error {
  override readonly name = "PushHeadersInvalid";
}

export interface PushFormat {
  readonly json: boolean;
  readonly encoding: "" | "gzip" | "deflate";
}

/** What the headers say the body is. Throws PushHeadersInvalid. */
export function pushFormatOf(headers: Readonly<Record<string, string | undefined>>): PushFormat {
  const type = (headers["content-type"] ?? "").split(";")[0]!.trim().toLowerCase();
  if (!/^[\w.+-]+\/[\w.+-]+$/.test(type)) {
    throw new PushHeadersInvalid(
      `cannot read Content-Type "${
        headers["content-type"] ?? ""
      }": want application/json or application/x-protobuf`,
    );
  }
  const encoding = (headers["content-encoding"] ?? "").trim().toLowerCase();
  switch (encoding) {
    case "":
    case "snappy":
      return { json: type === "application/json", encoding: "" };
    case "gzip":
    case "deflate":
      return { json: type === "application/json", encoding };
    default:
      throw new PushHeadersInvalid(
        `Content-Encoding "${encoding}" not supported: want gzip, deflate, snappy or none`,
      );
  }
}

/** What the decoder is to be given. Throws JsonPushInvalid. */
export function encodedPush(
  unzipped: Uint8Array,
  { json }: PushFormat,
  legacy: boolean,
): { readonly bytes: Uint8Array; readonly isSnappy: boolean } {
  return json
    ? { bytes: transcodeJsonPush(unzipped, legacy), isSnappy: false }
    : { bytes: unzipped, isSnappy: true };
}
