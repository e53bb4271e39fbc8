/** Objects in a bucket of S3, or of what speaks like it. Owns the port; S3Client.ts owns requests and retries. A put is one
 *  request, or a multipart upload of large objects, on condition that the key is not there yet; the object's metadata has the
 *  SHA-256 of its bytes, by which a retry knows its own object and a whole read what it got. */
import { Effect, Layer } from "effect";
import type { S3Settings } from "../../platform/config/s3Settings.ts";
import { sha256Hex } from "../../platform/digest.ts";
import { errorText } from "../../platform/files.ts";
import type { ClientAnswer } from "../../platform/httpClient.ts";
import { s3Access } from "../../platform/s3Address.ts";
import { environment } from "../../platform/terminal.ts";
import { cutParts } from "../cutParts.ts";
import { isObjectKey } from "../objectKey.ts";
import {
  attemptObject,
  notFound,
  type ObjectInfo,
  ObjectStore,
  ObjectStoreError,
  objectStoreOf,
} from "../ObjectStore.ts";
import { OnePerKey } from "../OnePerKey.ts";
import { completeUpload, readListing, readUploadId } from "./s3Answers.ts";
import { S3Client, S3Failed } from "./S3Client.ts";

export interface S3Options {
  /** Bytes from which on an object is uploaded in parts, and of a part; S3 takes none below 5 MB. */
  readonly partBytes?: number;
  /** Objects of one answer to a list. */
  readonly pageObjects?: number;
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** The bucket of the settings. Fails if it cannot be used, saying why. */
export function s3ObjectStoreLayer(
  settings: S3Settings,
  options: S3Options = {},
): Layer.Layer<ObjectStore, ObjectStoreError> {
  return Layer.effect(
    ObjectStore,
    Effect.gen(function* () {
      const client = yield* Effect.acquireRelease(
        Effect.try({
          try: () => new S3Client(settings, s3Access(settings, options.environment ?? environment)),
          catch: (error) => failure("Io", "", errorText(error)),
        }),
        (client) => Effect.sync(() => client.close()),
      );
      const bucket = new S3Bucket(
        client,
        options.partBytes ?? 16 * 1024 * 1024,
        options.pageObjects ?? 1000,
      );
      yield* attemptObject("", () => bucket.checkAccess(), failureOf);
      return objectStoreOf(bucket, failureOf);
    }),
  );
}

const digestHeader = "x-amz-meta-sha256";
/** The largest object that is read as a whole. */
const objectBytesMax = 4 * 1024 * 1024 * 1024;
/** Parts on their way at once. */
const window = 4;

interface Existing {
  readonly bytes: number;
  /** Undefined for an object that another program stored. */
  readonly digest: string | undefined;
}

class S3Bucket {
  readonly #client: S3Client;
  readonly #partBytes: number;
  readonly #pageObjects: number;
  readonly #puts = new OnePerKey();

  constructor(client: S3Client, partBytes: number, pageObjects: number) {
    this.#client = client;
    this.#partBytes = partBytes;
    this.#pageObjects = pageObjects;
  }

  async checkAccess(): Promise<void> {
    await this.#page("", undefined, 1);
  }

  put(key: string, parts: ReadonlyArray<Uint8Array>): Promise<void> {
    return this.#puts.run(key, () => this.#putAlone(key, parts));
  }

  async get(key: string): Promise<Uint8Array> {
    const { body } = await this.#client.send({
      method: "GET",
      key,
      expects: [200],
      bytesMax: objectBytesMax,
      check: ({ headers, body }) => {
        const wanted = headers[digestHeader];
        if (wanted === undefined) return undefined;
        const found = sha256Hex([body]);
        return found === wanted
          ? undefined
          : `the bytes of "${key}" have SHA-256 ${found}, its metadata says ${wanted}`;
      },
    });
    return body;
  }

  async getRange(
    key: string,
    offset: number,
    length: number,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const isRange = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 &&
      length >= 0;
    if (!isRange) throw badRange(key, offset, length);
    if (length === 0) {
      const existing = await this.#find(key);
      if (existing === undefined) throw notFound(key);
      if (offset > existing.bytes) throw badRange(key, offset, length);
      return new Uint8Array(0);
    }
    const answer = await this.#client.send({
      method: "GET",
      key,
      headers: { range: `bytes=${offset}-${offset + length - 1}` },
      expects: [200, 206, 416],
      bytesMax: objectBytesMax,
      signal,
      check: (answer) => rangeProblem(answer, key, offset, length),
    });
    if (answer.status === 416) throw badRange(key, offset, length);
    // A store that knows no ranges answers with the whole object.
    const from = answer.status === 200 ? offset : 0;
    const bytes = answer.body.subarray(from, from + length);
    if (bytes.length < length) throw badRange(key, offset, length);
    return bytes;
  }

  async list(prefix: string): Promise<ReadonlyArray<ObjectInfo>> {
    const found: ObjectInfo[] = [];
    let token: string | undefined;
    for (;;) {
      const page = await this.#page(prefix, token);
      for (const { key, bytes } of page.objects) {
        const own = key.slice(this.#client.prefix.length);
        // What else is in the bucket is not an object of this store.
        if (isObjectKey(own)) found.push({ key: own, bytes });
      }
      if (page.next === null) break;
      token = page.next;
    }
    return found.sort((a, b) => a.key < b.key ? -1 : 1);
  }

  async remove(key: string): Promise<void> {
    await this.#client.send({ method: "DELETE", key, expects: [200, 204, 404] });
  }

  async #page(prefix: string, token: string | undefined, count = this.#pageObjects) {
    const { body } = await this.#client.send({
      method: "GET",
      query: {
        "list-type": "2",
        prefix: this.#client.prefix + prefix,
        "max-keys": String(count),
        ...(token === undefined ? {} : { "continuation-token": token }),
      },
      expects: [200],
      check: ({ body }) =>
        readListing(new TextDecoder().decode(body)) === undefined
          ? "its list of objects is not whole"
          : undefined,
    });
    return readListing(new TextDecoder().decode(body))!;
  }

  async #putAlone(key: string, parts: ReadonlyArray<Uint8Array>): Promise<void> {
    const digest = sha256Hex(parts);
    const bytes = parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
    const isThere = async () => {
      const existing = await this.#find(key);
      if (existing !== undefined) await this.#sameContent(key, existing, bytes, digest);
      return existing !== undefined;
    };
    // Also for stores that ignore the condition of the put.
    if (await isThere()) return;
    try {
      const chunks = cutParts(parts, this.#partBytes);
      if (chunks.length <= 1) await this.#putWhole(key, chunks, digest);
      else await this.#putInParts(key, chunks, digest);
    } catch (error) {
      // Another put was first, or this one's first attempt was and its answer was lost.
      const isAfterAll = error instanceof S3Failed &&
        (error.status === 412 || error.status === 409 || error.code === "NoSuchUpload");
      if (!isAfterAll || !await isThere()) throw error;
    }
  }

  async #putWhole(
    key: string,
    body: ReadonlyArray<Uint8Array>,
    digest: string,
  ): Promise<void> {
    const put = (headers: Readonly<Record<string, string>>) =>
      this.#client.send({
        method: "PUT",
        key,
        headers: { ...headers, [digestHeader]: digest, "content-type": contentType },
        body,
        expects: [200],
      });
    await unlessUnknown(() => put(onlyNew), () => put({}));
  }

  async #putInParts(
    key: string,
    chunks: ReadonlyArray<Uint8Array>,
    digest: string,
  ): Promise<void> {
    const { body } = await this.#client.send({
      method: "POST",
      key,
      query: { uploads: "" },
      headers: { [digestHeader]: digest, "content-type": contentType },
      expects: [200],
      check: ({ body }) =>
        readUploadId(new TextDecoder().decode(body)) === undefined
          ? "its answer names no upload"
          : undefined,
    });
    const uploadId = readUploadId(new TextDecoder().decode(body))!;
    try {
      const tags = await this.#sendParts(key, uploadId, chunks);
      const complete = (headers: Readonly<Record<string, string>>) =>
        this.#client.send({
          method: "POST",
          key,
          query: { uploadId },
          headers: { ...headers, "content-type": "application/xml" },
          body: [new TextEncoder().encode(completeUpload(tags))],
          expects: [200],
        });
      await unlessUnknown(() => complete(onlyNew), () => complete({}));
    } catch (error) {
      const abort = {
        method: "DELETE",
        key,
        query: { uploadId },
        expects: [204, 200, 404],
      } as const;
      // What stays is for the bucket's rule on incomplete uploads.
      await this.#client.send(abort).catch(() => {});
      throw error;
    }
  }

  async #sendParts(
    key: string,
    uploadId: string,
    chunks: ReadonlyArray<Uint8Array>,
  ): Promise<ReadonlyArray<string>> {
    const tags = new Array<string>(chunks.length);
    let next = 0;
    const send = async () => {
      while (next < chunks.length) {
        const index = next++;
        const { headers } = await this.#client.send({
          method: "PUT",
          key,
          query: { partNumber: String(index + 1), uploadId },
          body: [chunks[index]!],
          expects: [200],
          check: ({ headers }) =>
            headers["etag"] === undefined ? "its answer to a part has no ETag" : undefined,
        });
        tags[index] = headers["etag"]!;
      }
    };
    await Promise.all(Array.from({ length: window }, send));
    return tags;
  }

  async #find(key: string): Promise<Existing | undefined> {
    const { status, headers } = await this.#client.send({
      method: "HEAD",
      key,
      expects: [200, 404],
    });
    if (status === 404) return undefined;
    return { bytes: Number(headers["content-length"] ?? "0"), digest: headers[digestHeader] };
  }

  async #sameContent(
    key: string,
    existing: Existing,
    bytes: number,
    digest: string,
  ): Promise<void> {
    if (existing.bytes === bytes) {
      const found = existing.digest ?? sha256Hex([await this.get(key)]);
      if (found === digest) return;
    }
    throw failure(
      "Exists",
      key,
      `Cannot store object "${key}": there is one with other content, and objects are never changed`,
    );
  }
}

const contentType = "application/octet-stream";
const onlyNew = { "if-none-match": "*" };

/** `conditional`, or for a store that does not know conditions `plain`. */
async function unlessUnknown<A>(
  conditional: () => Promise<A>,
  plain: () => Promise<A>,
): Promise<A> {
  try {
    return await conditional();
  } catch (error) {
    if (error instanceof S3Failed && (error.status === 501 || error.code === "NotImplemented")) {
      return await plain();
    }
    throw error;
  }
}

/** What is wrong with an answer to a range, if it may be right the next time. */
function rangeProblem(
  { status, headers, body }: ClientAnswer,
  key: string,
  offset: number,
  length: number,
): string | undefined {
  if (status !== 206) return undefined;
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers["content-range"] ?? "");
  if (range === null) {
    return `its answer to a range of "${key}" does not say which range it is`;
  }
  const [from, to, total] = [Number(range[1]), Number(range[2]), Number(range[3])];
  if (from !== offset || to - from + 1 !== body.length) {
    return `its answer to bytes ${offset} to ${offset + length - 1} of "${key}" has ` +
      `${body.length} bytes and says ${range[0]}`;
  }
  const isShort = body.length < length && !(total <= to + 1);
  return isShort ? `its answer has ${body.length} of ${length} bytes of "${key}"` : undefined;
}

function failureOf(key: string, error: unknown): ObjectStoreError {
  if (error instanceof S3Failed && error.status === 404 && missing.has(error.code)) {
    return notFound(key);
  }
  const isFull = error instanceof S3Failed &&
    (error.status === 507 || /QuotaExceeded|StorageFull/i.test(error.code));
  const about = key === "" ? "" : `Object "${key}": `;
  return failure(isFull ? "Full" : "Io", key, about + errorText(error));
}

/** Codes of a 404 that is about the key; an answer to HEAD has none. */
const missing = new Set(["", "NoSuchKey", "NotFound"]);

function badRange(key: string, offset: number, length: number): ObjectStoreError {
  return failure("BadRange", key, `Object "${key}" has no ${length} bytes at ${offset}`);
}

function failure(
  reason: ObjectStoreError["reason"],
  key: string,
  message: string,
): ObjectStoreError {
  return new ObjectStoreError({ reason, key, message });
}
