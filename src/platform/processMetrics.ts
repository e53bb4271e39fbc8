/** What this process uses of its machine, in Prometheus' text format and under the names of Prometheus' client libraries. */
import process from "node:process";
import { version } from "./version.ts";

/** The numbers of this moment. */
export function processMetricsText(): string {
  const { user, system } = process.cpuUsage();
  const startSeconds = performance.timeOrigin / 1000;
  return [
    family(
      "process_cpu_seconds_total",
      "counter",
      "CPU time of all threads",
      (user + system) / 1e6,
    ),
    family(
      "process_resident_memory_bytes",
      "gauge",
      "Memory of the process as the system counts it",
      process.memoryUsage().rss,
    ),
    family(
      "process_start_time_seconds",
      "gauge",
      "When the process started, in seconds since 1970",
      startSeconds,
    ),
    family(
      "tailrace_build_info",
      "gauge",
      "The version that runs",
      1,
      `{version=${JSON.stringify(version)},runtime="${
        process.versions["deno"] === undefined ? "node" : "deno"
      }"}`,
    ),
  ].join("");
}

function family(
  name: string,
  type: "counter" | "gauge",
  help: string,
  value: number,
  labels = "",
): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name}${labels} ${value}\n`;
}
