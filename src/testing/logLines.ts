/** Makes one realistic log line at a time in the formats that fleets mix: JSON, logfmt, nginx access, klog and Java
 *  with stack traces. Owns the text of lines; corpus.ts owns streams, time and push bodies. Invariant: text depends
 *  on the random source and the time alone. */
import type { Random } from "./random.ts";

export type LineFormat = "json" | "logfmt" | "nginx" | "klog" | "java";

/** Where and when a line is made. */
export interface LineContext {
  readonly random: Random;
  readonly app: string;
  readonly pod: string;
  /** Milliseconds since 1970. */
  readonly timeMs: number;
}

/** Appends one event's lines to `lines`: one, or several for a stack trace. */
export type LineMaker = (context: LineContext, lines: string[]) => void;

/** One maker per format. */
export const lineMakers: Readonly<Record<LineFormat, LineMaker>> = {
  json: makeJson,
  logfmt: makeLogfmt,
  nginx: makeNginx,
  klog: makeKlog,
  java: makeJava,
};

const paths = [
  "/api/v1/orders",
  "/api/v1/orders/{}/items",
  "/api/v1/users/{}",
  "/api/v1/users/{}/sessions",
  "/api/v1/carts/{}",
  "/api/v1/products",
  "/api/v1/products/{}/reviews",
  "/api/v2/search",
  "/healthz",
  "/metrics",
  "/login",
  "/static/app.js",
  "/static/img/{}.png",
  "/graphql",
  "/api/v1/payments/{}/capture",
];
const agents = [
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
  "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
  "kube-probe/1.30",
  "curl/8.7.1",
  "okhttp/4.12.0",
  "python-requests/2.32.3",
  "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
];
const methods = ["GET", "GET", "GET", "GET", "POST", "POST", "PUT", "DELETE"];
const successes = [200, 200, 200, 200, 200, 201, 204, 304];
const failures = [400, 401, 403, 404, 404, 404, 429, 499];
const serverFailures = [500, 502, 503, 504];
const regions = ["eu-west-1", "eu-central-1", "us-east-1", "ap-southeast-2"];
const tables = ["orders", "order_items", "users", "sessions", "inventory", "payments", "outbox"];
const notices = [
  "cache miss",
  "cache refreshed",
  "feature flag evaluated",
  "session extended",
  "job enqueued",
];
const people = [
  "alice",
  "bob",
  "carol",
  "dave",
  "erin",
  "frank",
  "grace",
  "heidi",
  "José",
  "Zoë",
  "李雷",
];
const errors = [
  "connection refused",
  "context deadline exceeded",
  "i/o timeout",
  "upstream connect error or disconnect/reset before headers",
  "pq: deadlock detected",
  "no such host",
  "broken pipe",
  "TLS handshake timeout",
];
const packages = [
  "com.example.orders.service",
  "com.example.orders.repository",
  "com.example.search.index",
  "org.springframework.web.servlet",
  "org.hibernate.engine.jdbc",
  "io.netty.channel.nio",
  "java.util.concurrent",
];
const classes = [
  "OrderService",
  "PaymentGateway",
  "IndexWriter",
  "SessionFactory",
  "RetryTemplate",
  "EventLoop",
  "Dispatcher",
];
const calls = [
  "handle",
  "process",
  "invoke",
  "doFilter",
  "execute",
  "commit",
  "reserve",
  "run",
  "lambda$submit$3",
];
const exceptions = [
  "java.lang.IllegalStateException",
  "java.util.concurrent.TimeoutException",
  "org.postgresql.util.PSQLException",
  "com.example.orders.OutOfStockException",
  "java.net.SocketTimeoutException",
];

function makeJson({ random, app, pod, timeMs }: LineContext, lines: string[]): void {
  const status = statusOf(random);
  const level = levelOf(status, random);
  if (random.below(5) < 2) {
    lines.push(
      `{"ts":"${isoOf(timeMs)}","level":"${level}","msg":"${
        random.pick(notices)
      }","service":"${app}","key":"user:${random.below(100_000)}","took_us":${
        random.between(5, 4000)
      }}`,
    );
    return;
  }
  const traceId = random.hex(32);
  const message = status >= 500 ? `request failed: ${random.pick(errors)}` : "request completed";
  lines.push(
    `{"ts":"${
      isoOf(timeMs)
    }","level":"${level}","msg":"${message}","service":"${app}","pod":"${pod}","region":"${
      random.pick(regions)
    }","trace_id":"${traceId}","span_id":"${random.hex(16)}","method":"${
      random.pick(methods)
    }","path":"${pathOf(random)}","status":${status},"duration_ms":${
      durationOf(random).toFixed(3)
    },"bytes":${random.below(60_000)},"client_ip":"${ipOf(random)}","user":{"id":${
      random.below(100_000)
    },"name":"${random.pick(people)}"}}`,
  );
}

function makeLogfmt({ random, app, timeMs }: LineContext, lines: string[]): void {
  const status = statusOf(random);
  const level = levelOf(status, random);
  const duration = durationOf(random);
  if (random.below(3) === 0) {
    lines.push(
      `ts=${isoOf(timeMs)} level=${level} caller=db.go:${
        random.between(40, 900)
      } component=store msg="query finished" table=${random.pick(tables)} rows=${
        random.below(500)
      } duration=${goDuration(duration)} trace_id=${random.hex(32)}${errorField(status, random)}`,
    );
    return;
  }
  lines.push(
    `ts=${isoOf(timeMs)} level=${level} caller=http.go:${
      random.between(40, 400)
    } app=${app} method=${random.pick(methods)} path=${pathOf(random)} status=${status} duration=${
      goDuration(duration)
    } bytes=${random.below(60_000)} remote=${ipOf(random)}:${
      random.between(1024, 65_535)
    } trace_id=${random.hex(32)}${errorField(status, random)}`,
  );
}

function makeNginx({ random, timeMs }: LineContext, lines: string[]): void {
  const date = isoOf(timeMs);
  const stamp = `${date.slice(8, 10)}/${months[Number(date.slice(5, 7)) - 1]}/${date.slice(0, 4)}:${
    date.slice(11, 19)
  } +0000`;
  const duration = durationOf(random) / 1000;
  lines.push(
    `${ipOf(random)} - ${random.below(4) === 0 ? random.pick(people) : "-"} [${stamp}] "${
      random.pick(methods)
    } ${pathOf(random)} HTTP/1.1" ${statusOf(random)} ${
      random.below(60_000)
    } "https://shop.example.com${pathOf(random)}" "${random.pick(agents)}" rt=${
      duration.toFixed(3)
    } uct=0.00${random.below(10)} urt=${duration.toFixed(3)}`,
  );
}

function makeKlog({ random, timeMs }: LineContext, lines: string[]): void {
  const date = isoOf(timeMs);
  const roll = random.below(1000);
  const letter = roll < 3 ? "E" : roll < 25 ? "W" : "I";
  const head = `${letter}${date.slice(5, 7)}${date.slice(8, 10)} ${date.slice(11, 23)}${
    random.hex(3).replace(/[a-f]/g, "0")
  }    ${random.between(1, 4)} `;
  const pod = `${random.pick(tables)}-${random.hex(10)}-${random.hex(5)}`;
  if (letter === "E") {
    lines.push(
      `${head}pod_workers.go:1298] "Error syncing pod, skipping" err="${
        random.pick(errors)
      }" pod="default/${pod}" podUID="${uuidOf(random)}"`,
    );
  } else if (random.below(2) === 0) {
    lines.push(
      `${head}kubelet.go:${
        random.between(1000, 2600)
      }] "SyncLoop (PLEG): event for pod" pod="default/${pod}" event={"ID":"${
        uuidOf(random)
      }","Type":"ContainerStarted","Data":"${random.hex(64)}"}`,
    );
  } else {
    lines.push(
      `${head}reconciler_common.go:${
        random.between(100, 300)
      }] "operationExecutor.VerifyControllerAttachedVolume started for volume \\"kube-api-access-${
        random.hex(5)
      }\\" (UniqueName: \\"kubernetes.io/projected/${
        uuidOf(random)
      }\\") pod \\"${pod}\\"" latency="${durationOf(random).toFixed(1)}ms"`,
    );
  }
}

function makeJava({ random, timeMs }: LineContext, lines: string[]): void {
  const stamp = isoOf(timeMs).replace("T", " ").replace(".", ",").slice(0, 23);
  const logger = `${random.pick(packages)}.${random.pick(classes)}`;
  const thread = `[http-nio-8080-exec-${random.between(1, 200)}]`;
  if (random.oneIn(300)) {
    const exception = random.pick(exceptions);
    lines.push(
      `${stamp} ERROR ${thread} ${logger} - Unhandled failure for order ${
        random.below(10_000_000)
      }: ${exception}`,
    );
    lines.push(`${exception}: ${random.pick(errors)} (attempt ${random.between(1, 5)})`);
    for (let frame = random.between(5, 25); frame > 0; frame--) {
      lines.push(
        `\tat ${random.pick(packages)}.${random.pick(classes)}.${random.pick(calls)}(${
          random.pick(classes)
        }.java:${random.between(20, 900)})`,
      );
    }
    lines.push(`Caused by: ${random.pick(exceptions)}: ${random.pick(errors)}`);
    return;
  }
  if (random.below(3) === 0) {
    lines.push(
      `${stamp} DEBUG ${thread} ${logger} - Pool stats: active=${random.below(20)}, idle=${
        random.below(20)
      }, waiting=${random.below(3)}`,
    );
    return;
  }
  const level = random.below(50) === 0 ? "WARN " : random.below(10) === 0 ? "DEBUG" : "INFO ";
  lines.push(
    `${stamp} ${level} ${thread} ${logger} - Order ${random.below(10_000_000)} for customer ${
      uuidOf(random)
    } moved to state ${random.pick(["CREATED", "RESERVED", "PAID", "SHIPPED", "DELIVERED"])} in ${
      random.below(900)
    } ms, total ${(random.below(90_000) / 100).toFixed(2)} EUR, traceId=${random.hex(32)}`,
  );
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function statusOf(random: Random): number {
  const roll = random.below(1000);
  if (roll < 4) return random.pick(serverFailures);
  return roll < 60 ? random.pick(failures) : random.pick(successes);
}

function levelOf(status: number, random: Random): string {
  if (status >= 500) return "error";
  if (status >= 400) return "warn";
  return random.below(12) === 0 ? "debug" : "info";
}

function errorField(status: number, random: Random): string {
  return status >= 500 ? ` err="${random.pick(errors)}"` : "";
}

/** Milliseconds, most of them small, a few of them large. */
function durationOf(random: Random): number {
  const fraction = random.fraction();
  return 0.2 + 40 * fraction * fraction + (random.oneIn(200) ? 5000 * random.fraction() : 0);
}

function goDuration(milliseconds: number): string {
  return milliseconds >= 1000
    ? `${(milliseconds / 1000).toFixed(6)}s`
    : `${milliseconds.toFixed(4)}ms`;
}

function pathOf(random: Random): string {
  const path = random.pick(paths);
  return path.includes("{}") ? path.replace("{}", String(random.below(1_000_000))) : path;
}

function ipOf(random: Random): string {
  return `10.${random.below(16)}.${random.below(256)}.${random.between(1, 254)}`;
}

function uuidOf(random: Random): string {
  const digits = random.hex(32);
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(13, 16)}-a${
    digits.slice(17, 20)
  }-${digits.slice(20)}`;
}

let isoCachedMs = Number.NaN;
let isoCachedText = "";

/** ISO 8601 with milliseconds. Many lines share a millisecond, so the last text is kept. */
function isoOf(timeMs: number): string {
  if (timeMs !== isoCachedMs) {
    isoCachedMs = timeMs;
    isoCachedText = new Date(timeMs).toISOString();
  }
  return isoCachedText;
}
