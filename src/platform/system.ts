/** What this machine is. */
import { availableParallelism, hostname } from "node:os";
import process from "node:process";

/** Cores that this process may use. */
export function coreCount(): number {
  return availableParallelism();
}

/** What tells this process from others in what people read: the machine's name and the process's number. */
export function systemName(): string {
  return `${hostname()}-${process.pid}`;
}

/** The machine's name, HOSTNAME first: that is how pods and Promtail's users set it. */
export function hostName(): string {
  return process.env["HOSTNAME"] || hostname();
}

/** What this thread has had of a processor so far, ms. Costs some microseconds. */
export function threadProcessorMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
