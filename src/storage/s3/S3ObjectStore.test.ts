/** Objects in a real S3 server: the port's contract; large objects; what networks and overloaded stores do; clear refusals. */
import { Effect, Layer } from "effect";
import t from "tap";
import { settingsWith } from "../../platform/config/mod.ts";
import { randomFrom } from "../../testing/random.ts";
import { s3Credentials, type S3Fault, S3Proxy, S3Server } from "../../testing/s3Server.ts";
import { ObjectStore, type ObjectStoreError } from "../ObjectStore.ts";
import { objectStoreContract } from "../ObjectStore.contract.ts";
import { s3ObjectStoreLayer, type S3Options } from "./S3ObjectStore.ts";

t.setTimeout(0);

type Store = (typeof ObjectStore)["Service"];

const server = await S3Server.start();
const proxy = await S3Proxy.start(server);
t.teardown(() => {
  proxy.close();
  server.remove();
});

let buckets = 0;
function newBucket(): string {
  const name = `bucket-${++buckets}`;
  server.makeBucket(name);
  return name;
}

function open(
  bucket: string,
  changes: Readonly<Record<string, string>> = {},
  options: S3Options = {},
) {
  const { storage } = settingsWith({
    "storage.s3.endpoint": server.endpoint,
    "storage.s3.bucket": bucket,
    "storage.s3.access_key_id": s3Credentials.accessKeyId,
    "storage.s3.secret_access_key": s3Credentials.secretAccessKey,
    "storage.s3.prefix": "logs/",
    "storage.s3.retry_for": "5m",
    "storage.s3.timeout": "2m",
    ...changes,
  });
  return s3ObjectStoreLayer(storage.s3, { environment: {}, ...options });
}

const within = <Result>(
  layer: Layer.Layer<ObjectStore, unknown>,
  body: (store: Store) => Effect.Effect<Result, unknown>,
): Promise<Result> =>
  Effect.runPromise(Effect.flatMap(ObjectStore, body).pipe(Effect.provide(layer), Effect.scoped));

objectStoreContract("S3", () => {
  const bucket = newBucket();
  return Promise.resolve({ open: () => open(bucket), cleanUp: () => Promise.resolve() });
});

const partBytes = 5 * 1024 * 1024;
const large = new Uint8Array(2 * partBytes + 12_345).map((_, at) => (at * 31 + (at >> 9)) & 0xff);

t.test("a large object goes in parts and reads as it was, whole and in ranges", async (t) => {
  await within(open(newBucket(), {}, { partBytes }), (store) =>
    Effect.gen(function* () {
      yield* store.put("big", [large.subarray(0, 7_000_000), large.subarray(7_000_000)]);
      t.ok(Buffer.from(yield* store.get("big")).equals(large));
      const range = yield* store.getRange("big", partBytes - 3, 7);
      t.same([...range], [...large.subarray(partBytes - 3, partBytes + 4)]);
      yield* store.put("big", [large]);
      const other = new Uint8Array(large);
      other[0]! ^= 1;
      const refused: ObjectStoreError = yield* Effect.flip(store.put("big", [other]));
      t.equal(refused.reason, "Exists");
    }));
});

t.test("a list of more than a page has all, and only objects below the prefix", async (t) => {
  const bucket = newBucket();
  await within(open(bucket, { "storage.s3.prefix": "" }), (store) =>
    Effect.forEach(
      Array.from({ length: 25 }, (_, at) => `logs/n/${String(at).padStart(4, "0")}`),
      (key) => store.put(key, []),
      { concurrency: 16, discard: true },
    ));
  await within(open(bucket, {}, { pageObjects: 10 }), (store) =>
    Effect.gen(function* () {
      const found = yield* store.list("");
      t.equal(found.length, 25);
      t.equal(found.at(-1)!.key, "n/0024");
      t.equal((yield* store.list("n/000")).length, 10);
    }));
});

/** Each fault once, then the operation must do what it does without. */
const faults: ReadonlyArray<S3Fault> = [
  { kind: "status", when: "before", status: 500 },
  { kind: "status", when: "before", status: 503, code: "SlowDown" },
  { kind: "status", when: "before", status: 400, code: "RequestTimeout" },
  { kind: "status", when: "before", status: 429, code: "TooManyRequests" },
  { kind: "reset", when: "before" },
  { kind: "status", when: "after", status: 500 },
  // A status that was sent before the work failed.
  { kind: "status", when: "before", status: 200 },
  { kind: "reset", when: "after" },
  { kind: "cut" },
  { kind: "short" },
];

/** An answer to HEAD has no body, so neither halves nor codes; to a status of 200 an error only follows where there is work. */
function canHappen(fault: S3Fault, method: string): boolean {
  if (fault.kind === "cut" || fault.kind === "short") return method === "GET" || method === "POST";
  if (fault.kind !== "status") return true;
  return fault.status === 200 ? method === "POST" : fault.status !== 400 || method !== "HEAD";
}

for (const fault of faults) {
  t.test(`each request fails once: ${JSON.stringify(fault)}`, async (t) => {
    const failed = new Map<string, number>();
    proxy.fault = ({ method, url }) => {
      if (!canHappen(fault, method)) return undefined;
      const key = `${method} ${url}`;
      failed.set(key, (failed.get(key) ?? 0) + 1);
      return failed.get(key) === 1 ? fault : undefined;
    };
    const layer = open(newBucket(), { "storage.s3.endpoint": proxy.endpoint }, {
      partBytes,
    });
    await within(layer, (store) =>
      Effect.gen(function* () {
        const content = Buffer.from("some content of an object");
        yield* store.put("a/small", [content]);
        yield* store.put("a/large", [large]);
        t.equal(Buffer.from(yield* store.get("a/small")).toString(), content.toString());
        t.ok(Buffer.from(yield* store.get("a/large")).equals(large));
        const range = yield* store.getRange("a/small", 5, 7);
        t.equal(Buffer.from(range).toString(), "content");
        t.same(yield* store.list("a/"), [
          { key: "a/large", bytes: large.length },
          { key: "a/small", bytes: content.length },
        ]);
        yield* store.remove("a/small");
        t.equal(
          ((yield* Effect.flip(store.get("a/small"))) as ObjectStoreError).reason,
          "NotFound",
        );
      }));
    proxy.fault = () => undefined;
    t.ok(failed.size > 0);
  });
}

t.test("any faults at random: what is answered is right", async (t) => {
  const random = randomFrom("s3-faults");
  const content = (key: string) => Buffer.from(`content of ${key} `.repeat(50));
  const stored = new Set<string>();
  proxy.fault = ({ method }) => {
    const fault = random.pick(faults);
    return random.oneIn(3) && canHappen(fault, method) ? fault : undefined;
  };
  const layer = open(newBucket(), { "storage.s3.endpoint": proxy.endpoint });
  await within(layer, (store) =>
    Effect.gen(function* () {
      for (let round = 0; round < 60; round++) {
        const key = `k/${random.below(8)}`;
        if (random.oneIn(4)) {
          yield* store.remove(key);
          stored.delete(key);
        } else {
          yield* store.put(key, [content(key)]);
          stored.add(key);
        }
        const found = (yield* store.list("k/")).map(({ key }) => key);
        t.same(found, [...stored].sort());
        for (const one of stored) t.ok(content(one).equals(yield* store.get(one)));
      }
    }));
  proxy.fault = () => undefined;
});

t.test("bytes that are not what was stored are an error that says so", async (t) => {
  const layer = open(newBucket(), {
    "storage.s3.endpoint": proxy.endpoint,
    "storage.s3.retry_for": "300ms",
  });
  await within(layer, (store) =>
    Effect.gen(function* () {
      yield* store.put("k", [Buffer.from("what was stored")]);
      proxy.fault = ({ method, url }) =>
        method === "GET" && !url.includes("list-type") ? { kind: "flip" } : undefined;
      const error: ObjectStoreError = yield* Effect.flip(store.get("k"));
      proxy.fault = () => undefined;
      t.equal(error.reason, "Io");
      t.match(error.message, /Object "k": .* have SHA-256 [\da-f]{64}, its metadata says/);
    }));
});

t.test("a store that never answers is an error within retry_for", async (t) => {
  const layer = open(newBucket(), {
    "storage.s3.endpoint": proxy.endpoint,
    "storage.s3.retry_for": "500ms",
  });
  await within(layer, (store) =>
    Effect.gen(function* () {
      proxy.fault = () => ({ kind: "status", when: "before", status: 503, code: "SlowDown" });
      const error: ObjectStoreError = yield* Effect.flip(store.put("k", [Buffer.from("x")]));
      proxy.fault = () => undefined;
      t.equal(error.reason, "Io");
      t.match(error.message, /answers HEAD with 503/);
    }));
});

t.test("settings that cannot work are refused at the start, with what to do", async (t) => {
  const bucket = newBucket();
  const refusal = async (changes: Readonly<Record<string, string>>) => {
    const failed = await within(open(bucket, changes), () => Effect.void).then(
      () => undefined,
      (error: ObjectStoreError) => error,
    );
    return failed?.message ?? "no error";
  };
  t.match(await refusal({ "storage.s3.bucket": "nothing" }), /NoSuchBucket.*create it/s);
  t.match(await refusal({ "storage.s3.bucket": "" }), "storage.s3.bucket is missing");
  t.match(
    await refusal({ "storage.s3.secret_access_key": "wrong" }),
    /SignatureDoesNotMatch.*check storage/s,
  );
  t.match(
    await refusal({ "storage.s3.access_key_id": "nobody" }),
    /InvalidAccessKeyId|No user exists/,
  );
  t.match(await refusal({ "storage.s3.access_key_id": "" }), "AWS_ACCESS_KEY_ID");
  t.match(await refusal({ "storage.s3.endpoint": "ftp://x" }), 'is "ftp://x": want an address');
  t.match(
    await refusal({ "storage.s3.endpoint": "http://127.0.0.1:1", "storage.s3.retry_for": "200ms" }),
    /bucket .* at http:\/\/127.0.0.1:1: .*ECONNREFUSED/,
  );
});
