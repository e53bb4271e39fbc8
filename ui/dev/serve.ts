// Serves the built page with invented logs on http://127.0.0.1:3199/logs/, new lines coming all the time.
// Run: node ui/dev/serve.ts [port] [lines per second]
import { FakeLoki } from "./fakeLoki.ts";

const port = Number(process.argv[2] ?? "3199");
const linesPerSecond = Number(process.argv[3] ?? "5");
const apps = ["checkout", "payments", "gateway", "inventory", "mailer"];
const levels = ["info", "info", "info", "info", "debug", "debug", "warn", "error"];
const now = () => BigInt(Date.now()) * 1_000_000n;

const loki = new FakeLoki(`${import.meta.dirname}/../dist`, "/logs/");
for (let i = 0; i < 6000; i++) invent(now() - BigInt(6000 - i) * 400_000_000n - BigInt(i));
console.log(await loki.listen(port));
setInterval(() => {
  for (let i = 0; i < Math.max(1, linesPerSecond / 20); i++) invent(now() + BigInt(i));
}, 1000 / Math.min(20, linesPerSecond));

function invent(time: bigint): void {
  const app = pick(apps);
  const level = pick(levels);
  const id = Math.random().toString(16).slice(2, 10);
  const took = Math.floor(Math.random() * 900);
  const line = app === "gateway"
    ? `10.0.${took % 255}.7 - - "GET /api/orders/${id} HTTP/1.1" ${level === "error" ? 502 : 200} ${
      took * 13
    }`
    : app === "payments"
    ? JSON.stringify({
      level,
      msg: "charge",
      order: id,
      ms: took,
      card: { brand: "visa", last4: "4242" },
    })
    : `level=${level} msg="order processed" order=${id} items=${took % 7} took=${took}ms`;
  loki.push({ app, env: "prod", pod: `${app}-${took % 3}` }, time, line, {
    detected_level: level,
    trace_id: id,
  });
}

function pick(from: readonly string[]): string {
  return from[Math.floor(Math.random() * from.length)] ?? "";
}
