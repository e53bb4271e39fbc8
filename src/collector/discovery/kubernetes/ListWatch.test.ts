/** The list and watch protocol against a server that forgets versions, cuts connections and refuses: what the caller was told
 *  always comes to what the server has. */
import t, { type Test } from "tap";
import { HttpEndpoint } from "../../../platform/httpStream.ts";
import { type FakeObject, PodApi } from "../../../testing/podApi.ts";
import { randomFrom, seedFrom } from "../../../testing/random.ts";
import { type KubernetesObject, ListWatch } from "./ListWatch.ts";

function pod(name: string, label = "x"): FakeObject {
  return {
    metadata: { name, namespace: "shop", uid: `u-${name}`, labels: { label } },
    spec: { nodeName: "node-1" },
  };
}

/** A watch with all that it has told. */
async function watching(t: Test) {
  const api = await PodApi.start();
  const known = new Map<string, string>();
  const told: string[] = [];
  const problems: Array<string | undefined> = [];
  const pauses: number[] = [];
  const note = ({ metadata }: KubernetesObject) =>
    known.set(metadata!.name!, metadata!.labels!["label"]!);
  const watch = new ListWatch({
    access: {
      endpoint: new HttpEndpoint(api.url),
      address: api.url,
      authorization: () => "Bearer secret",
      ownNamespace: "default",
    },
    path: "/api/v1/pods",
    selectors: { fieldSelector: "spec.nodeName=node-1" },
    onList: (pods) => {
      told.push(`list ${pods.length}`);
      known.clear();
      pods.forEach(note);
    },
    onChange: (type, object) => {
      told.push(`${type} ${object.metadata?.name}`);
      if (type === "DELETED") known.delete(object.metadata!.name!);
      else note(object);
    },
    onProblem: (problem) => problems.push(problem),
    sleep: async (ms) => {
      pauses.push(ms);
      await new Promise((resolve) => setTimeout(resolve, 1));
    },
  });
  const end = new AbortController();
  t.teardown(async () => {
    end.abort();
    api.close();
    await ended;
  });
  const start = () => void (ended = watch.run(end.signal));
  let ended = Promise.resolve();
  const until = async (condition: () => boolean) => {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
  };
  return { api, known, told, problems, pauses, start, until };
}

t.test("lists page by page, then is told of changes", async (t) => {
  const { api, told, start, until } = await watching(t);
  for (const name of ["a", "b", "c"]) api.put(pod(name));
  api.put({ ...pod("elsewhere"), spec: { nodeName: "node-2" } });
  start();
  await until(() => api.watchCount === 1);
  api.put(pod("d"));
  api.put(pod("a", "y"));
  api.remove(pod("b"));
  await until(() => told.length === 4);
  t.strictSame(told, ["list 3", "ADDED d", "MODIFIED a", "DELETED b"]);
  t.match(api.requests[0], "limit=500");
  t.match(api.requests[0], "resourceVersion=0");
  t.match(api.requests[1], "continue=2");
  t.notMatch(api.requests[1], "resourceVersion", "a page has the version of its list");
  t.match(api.requests[2], /watch=1.*allowWatchBookmarks=true/);
  t.strictSame([...api.authorizations], ["Bearer secret"]);
});

t.test("goes on after a cut or an end, from the last version, bookmarks counted", async (t) => {
  const { api, told, start, until } = await watching(t);
  api.put(pod("a"));
  start();
  await until(() => api.watchCount === 1);
  api.put(pod("b"));
  await until(() => told.length === 2);
  api.cutWatches();
  await until(() => api.watchCount === 1);
  api.bookmark();
  const { version } = api;
  api.forget();
  await new Promise((resolve) => setTimeout(resolve, 20));
  api.endWatches();
  await until(() => api.watchCount === 1);
  api.put(pod("c"));
  await until(() => told.length === 3);
  t.strictSame(told, ["list 1", "ADDED b", "ADDED c"], "nothing is told twice");
  t.match(api.requests.at(-1), `resourceVersion=${version}`);
});

for (const by of ["status", "event"] as const) {
  t.test(`lists again when its version is forgotten, told by ${by}`, async (t) => {
    const { api, known, told, problems, start, until } = await watching(t);
    api.tellsGoneBy = by;
    api.put(pod("a"));
    api.put(pod("b"));
    start();
    await until(() => api.watchCount === 1);
    api.cutWatches();
    api.removeSilently(pod("a"));
    api.forget();
    await until(() => told.length === 2 && api.watchCount === 1);
    t.strictSame(told, ["list 2", "list 1"]);
    t.strictSame([...known], [["b", "x"]]);
    const lists = api.requests.filter((request) => !request.includes("watch=1"));
    t.notMatch(lists.at(-1), "resourceVersion=0", "not out of the cache that did not know it");
    t.strictSame(problems.filter((text) => text !== undefined && /old resource/.test(text)), []);
  });
}

t.test("a refusal is told once, tried again with growing pauses, and taken back", async (t) => {
  const { api, told, problems, pauses, start, until } = await watching(t);
  api.refusal = { status: 403, message: 'pods is forbidden: User "x" cannot list' };
  start();
  await until(() => pauses.length >= 12);
  api.refusal = undefined;
  await until(() => told.length === 1);
  t.strictSame(problems, ['status 403: pods is forbidden: User "x" cannot list', undefined]);
  t.ok(pauses[0]! < 1000 && pauses[3]! > 2 * pauses[0]! && Math.max(...pauses) <= 37_500);
});

t.test("events that make no sense are left out or listed over", async (t) => {
  const { api, known, told, start, until } = await watching(t);
  api.put(pod("a"));
  start();
  await until(() => api.watchCount === 1);
  api.send({ type: "SURPRISE", object: {} });
  api.put(pod("b"));
  await until(() => told.length === 2);
  api.send({ type: "ERROR", object: { code: 500, message: "etcd" } });
  await until(() => told.length === 3 && api.watchCount === 1);
  t.strictSame(told, ["list 1", "ADDED b", "list 2"]);
  t.strictSame([...known.keys()].sort(), ["a", "b"]);
});

t.test("random changes and faults", async (t) => {
  const { api, known, start, until } = await watching(t);
  const seed = seedFrom("TAILRACE_WATCH_SEED");
  t.comment(`seed ${seed}: TAILRACE_WATCH_SEED=${seed} repeats this run`);
  const random = randomFrom(seed);
  const expected = new Map<string, string>();
  start();
  await until(() => api.watchCount === 1);
  for (let step = 0; step < 300; step++) {
    const name = `p${random.between(0, 9)}`;
    switch (random.between(0, 9)) {
      case 0:
        api.cutWatches();
        break;
      case 1:
        api.forget();
        break;
      case 2:
        api.bookmark();
        break;
      case 3:
        api.endWatches();
        break;
      case 4:
      case 5:
        if (expected.delete(name)) api.remove(pod(name));
        break;
      default:
        expected.set(name, String(step));
        api.put(pod(name, String(step)));
    }
    if (step % 7 === 0) await new Promise((resolve) => setTimeout(resolve, 3));
  }
  const text = (map: Map<string, string>) => JSON.stringify([...map].sort());
  await until(() => text(known) === text(expected));
  t.equal(text(known), text(expected));
});
