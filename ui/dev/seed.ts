// Fills a server with an hour of invented logs of a shop on Kubernetes, for working on the page and for its screenshots; with
// `--follow`, new lines keep coming. Run: node ui/dev/seed.ts [http://127.0.0.1:3100] [--follow]
const base = process.argv[2] ?? "http://127.0.0.1:3100";
const random = generator(42);
const pods = [
  ["shop", "checkout", "server", 3],
  ["shop", "payments", "server", 2],
  ["shop", "inventory", "server", 2],
  ["edge", "gateway", "nginx", 2],
  ["edge", "gateway", "metrics", 1],
  ["data", "orders-db", "postgres", 1],
  ["kube-system", "coredns", "coredns", 2],
] as const;

interface Line {
  readonly labels: Record<string, string>;
  readonly nanoseconds: bigint;
  readonly line: string;
  readonly metadata: Record<string, string>;
}

const now = BigInt(Date.now()) * 1_000_000n;
const hour = 3_600_000_000_000n;
const lines: Line[] = [];
for (let i = 0; i < 24_000; i++) {
  // An incident twenty minutes ago: payments fail for four minutes.
  lines.push(invent(now - hour + (hour * BigInt(i)) / 24_000n));
}
for (let i = 0; i < lines.length; i += 4000) await push(lines.slice(i, i + 4000));
console.log(`${lines.length} lines pushed to ${base}`);
if (process.argv.includes("--follow")) {
  setInterval(() => {
    const present = BigInt(Date.now()) * 1_000_000n;
    void push(Array.from({ length: 4 }, (_, i) => invent(present + BigInt(i))));
  }, 400);
}

function invent(nanoseconds: bigint): Line {
  const [namespace, app, container, replicas] = pick(pods);
  const pod = `${app}-${["7c9f4", "b81d2", "e05aa"][Math.floor(random() * replicas)]}`;
  const labels = { namespace, app, pod, container, cluster: "eu-1" };
  const age = Number((now - nanoseconds) / 1_000_000_000n);
  const isIncident = age > 1200 && age < 1440 && ["payments", "checkout"].includes(app);
  const level = isIncident && random() < 0.6 ? "error" : pick([
    "info",
    "info",
    "info",
    "info",
    "info",
    "debug",
    "debug",
    "warn",
    random() < 0.2 ? "error" : "info",
  ]);
  const trace = Math.floor(random() * 2 ** 32).toString(16).padStart(8, "0");
  const metadata = { trace_id: `${trace}${trace}`, detected_level: level };
  return { labels, nanoseconds, line: text(app, level, trace), metadata };
}

function text(app: string, level: string, trace: string): string {
  const ms = Math.floor(random() * 480) + 4;
  const order = Math.floor(random() * 90_000) + 10_000;
  if (app === "gateway") {
    const status = level === "error" ? 502 : level === "warn" ? 404 : 200;
    return `10.2.${order % 255}.${ms % 255} - - "${pick(["GET", "POST"])} /api/${
      pick(["orders", "carts", "items"])
    }/${order} HTTP/1.1" ${status} ${ms * 31} "-" "okhttp/4.12" ${ms}ms`;
  }
  if (app === "payments") {
    const failed = level === "error";
    return JSON.stringify({
      level,
      msg: failed ? "charge failed" : "charge accepted",
      order,
      duration_ms: ms,
      card: { brand: pick(["visa", "mastercard", "amex"]), last4: String(order).slice(0, 4) },
      ...(failed ? { error: "connection refused: bank-gateway:8443", retry: ms % 4 } : {}),
      trace,
    });
  }
  if (app === "orders-db") {
    return `LOG:  duration: ${ms}.${
      order % 999
    } ms  statement: SELECT * FROM orders WHERE id = ${order}`;
  }
  if (app === "coredns") {
    const colour = level === "error" ? 31 : level === "warn" ? 33 : 32;
    return `\x1b[${colour}m[${level.toUpperCase()}]\x1b[0m 10.2.0.${ms % 255}:${order} "A IN ${
      pick(["payments", "inventory", "bank-gateway"])
    }.svc.cluster.local. udp 63" NOERROR 0.000${ms}s`;
  }
  const message = level === "error"
    ? "payment service unavailable"
    : pick(["order placed", "cart updated"]);
  return `level=${level} msg="${message}" order=${order} items=${ms % 7} took=${ms}ms user=u${
    order % 400
  }`;
}

async function push(some: readonly Line[]): Promise<void> {
  const streams = some.map(({ labels, nanoseconds, line, metadata }) => ({
    stream: labels,
    values: [[nanoseconds.toString(), line, metadata]],
  }));
  const response = await fetch(`${base}/loki/api/v1/push`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ streams }),
  });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
}

function pick<Item>(from: readonly Item[]): Item {
  return from[Math.floor(random() * from.length)] as Item;
}

/** The same numbers every time (mulberry32), so that screenshots differ only by what changed. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export {};
