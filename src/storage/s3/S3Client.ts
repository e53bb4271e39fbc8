/** Signed requests to one bucket, tried again while what went wrong can pass: no connection, a reset, half a body, 5xx, "slow
 *  down". Owns signatures, retries and the wording of refusals; S3ObjectStore.ts owns what is asked. */
import { AwsV4Signer } from "aws4fetch";
import type { S3Settings } from "../../platform/config/s3Settings.ts";
import { sha256Hex } from "../../platform/digest.ts";
import { errorText } from "../../platform/files.ts";
import { type ClientAnswer, HttpClient } from "../../platform/httpClient.ts";
import { type S3Access, s3BucketUrl } from "../../platform/s3Address.ts";
import { readError, type S3Error } from "./s3Answers.ts";

export interface S3Request {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Below the prefix; the bucket itself if absent. */
  readonly key?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: ReadonlyArray<Uint8Array>;
  /** Bytes of an answer at which it is an error. */
  readonly bytesMax?: number;
  /** Ends it, and its retries. */
  readonly signal?: AbortSignal;
  /** Statuses that are answers to the question and not failures. */
  readonly expects: ReadonlyArray<number>;
  /** Whether an answer is what it should be; one that is not is asked for again. Says what is wrong with it. */
  readonly check?: (answer: ClientAnswer) => string | undefined;
}

/** The store refuses, or did not answer as it should for too long. */
export class S3Failed extends Error {
  override readonly name = "S3Failed";
  readonly status: number;
  readonly code: string;

  constructor(message: string, status = 0, code = "") {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const textBytesMax = 16 * 1024 * 1024;
const connectionsMax = 32;
const firstWaitMs = 50;
const waitMsMax = 2000;
/** Codes of 4xx answers that pass. */
const passingCodes = new Set(["RequestTimeout", "SlowDown", "Throttling", "OperationAborted"]);
const passingStatuses = new Set([408, 425, 429]);

export class S3Client {
  readonly #http: HttpClient;
  readonly #base: URL;
  readonly #prefix: string;
  readonly #access: S3Access;
  readonly #settings: S3Settings;
  /** Signing keys, which change once a day. */
  readonly #keys = new Map<string, ArrayBuffer>();

  /** Throws if the settings cannot be used. */
  constructor(settings: S3Settings, access: S3Access) {
    if (settings.bucket === "") throw new Error("storage.s3.bucket is missing: name the bucket");
    if (access.accessKeyId === "" || access.secretAccessKey === "") {
      throw new Error(
        "there are no credentials for S3: set storage.s3.access_key_id and secret_access_key, or " +
          "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment",
      );
    }
    this.#settings = settings;
    this.#access = access;
    this.#base = s3BucketUrl(settings, access.region);
    this.#prefix = settings.prefix;
    this.#http = new HttpClient(this.#base.protocol === "https:", {
      ca_file: settings.tls_ca_path === "" ? undefined : settings.tls_ca_path,
      insecure_skip_verify: settings.tls_insecure_skip_verify,
    }, connectionsMax);
  }

  /** For messages. */
  get name(): string {
    return `bucket ${this.#settings.bucket} at ${this.#base.origin}`;
  }

  get prefix(): string {
    return this.#prefix;
  }

  /** The answer, with one of the expected statuses. Rejects with S3Failed. */
  async send(request: S3Request): Promise<ClientAnswer> {
    const endMs = performance.now() + this.#settings.retry_for;
    let waitMs = firstWaitMs;
    for (;;) {
      const outcome = await this.#attempt(request);
      if ("answer" in outcome) return outcome.answer;
      request.signal?.throwIfAborted();
      const pauseMs = waitMs * (0.5 + Math.random());
      if (!outcome.passes || performance.now() + pauseMs > endMs) throw outcome.failure;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      waitMs = Math.min(waitMs * 2, waitMsMax);
    }
  }

  close(): void {
    this.#http.close();
  }

  async #attempt(
    request: S3Request,
  ): Promise<
    | { readonly answer: ClientAnswer }
    | { readonly failure: S3Failed; readonly passes: boolean }
  > {
    let answer: ClientAnswer;
    try {
      answer = await this.#sendOnce(request);
    } catch (error) {
      return { failure: new S3Failed(`${this.name}: ${errorText(error)}`), passes: true };
    }
    const { status } = answer;
    // A copy or a completed upload may fail after its status was sent.
    const error = request.method === "HEAD" || status === 200 && request.method === "GET"
      ? undefined
      : readError(new TextDecoder().decode(answer.body.subarray(0, 64 * 1024)));
    if (request.expects.includes(status) && (status >= 300 || error === undefined)) {
      const wrong = request.check?.(answer);
      if (wrong === undefined) return { answer };
      return { failure: new S3Failed(`${this.name}: ${wrong}`, status), passes: true };
    }
    const passes = status >= 500 && status !== 501 || passingStatuses.has(status) ||
      status < 300 || passingCodes.has(error?.code ?? "");
    return { failure: this.#refusal(request, answer, error), passes };
  }

  async #sendOnce({ method, key, query, headers, body = [], bytesMax, signal }: S3Request) {
    const url = new URL(this.#base);
    if (key !== undefined) url.pathname += this.#prefix + key;
    for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value);
    const { accessKeyId, secretAccessKey, sessionToken, region } = this.#access;
    const signer = new AwsV4Signer({
      method,
      url: url.href,
      headers: { ...headers, "x-amz-content-sha256": sha256Hex(body) },
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === "" ? {} : { sessionToken }),
      service: "s3",
      region,
      cache: this.#keys,
    });
    const signed = await signer.sign();
    return await this.#http.send({
      method,
      url: signed.url,
      headers: Object.fromEntries(signed.headers),
      body,
      idleMs: this.#settings.timeout,
      bytesMax: bytesMax ?? textBytesMax,
      ...(signal === undefined ? {} : { signal }),
    });
  }

  #refusal(
    { method }: S3Request,
    { status, headers }: ClientAnswer,
    error: S3Error | undefined,
  ): S3Failed {
    const { code = "", message = "" } = error ?? {};
    const said = [code, message].filter((text) => text !== "").join(": ");
    const id = headers["x-amz-request-id"];
    const text = `${this.name} answers ${method} with ${status}${said === "" ? "" : ` ${said}`}${
      id === undefined ? "" : ` (request ${id})`
    }${hintFor(status, code)}`;
    return new S3Failed(text, status, code);
  }
}

function hintFor(status: number, code: string): string {
  switch (code) {
    case "NoSuchBucket":
      return "; create it, or change storage.s3.bucket";
    case "SignatureDoesNotMatch":
    case "InvalidAccessKeyId":
      return "; check storage.s3.access_key_id and secret_access_key";
    case "AuthorizationHeaderMalformed":
    case "PermanentRedirect":
      return "; check storage.s3.region and endpoint";
    case "RequestTimeTooSkewed":
      return "; set this machine's clock";
  }
  if (status === 403) {
    return "; the credentials must be allowed s3:GetObject, PutObject, DeleteObject, " +
      "AbortMultipartUpload and ListBucket";
  }
  return status === 301 || status === 307 ? "; check storage.s3.region and endpoint" : "";
}
