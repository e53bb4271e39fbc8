/** Numbers and times for people, as Prometheus' templates write them. Pure. */
import { formatFloat } from "../../logql/templates/formatFloat.ts";

const large = ["", "k", "M", "G", "T", "P", "E", "Z", "Y"];
const small = ["", "m", "u", "n", "p", "f", "a", "z", "y"];
const binary = ["", "ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"];

/** `1234567` is `1.235M`, `0.0012` is `1.2m`. */
export function humanize(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return digits(value);
  if (Math.abs(value) >= 1) return scaled(value, 1000, large);
  let [rest, prefix] = [value, 0];
  while (Math.abs(rest) < 1 && prefix < small.length - 1) {
    rest *= 1000;
    prefix++;
  }
  return `${digits(rest)}${small[prefix]}`;
}

/** `2048` is `2ki`. */
export function humanize1024(value: number): string {
  if (Math.abs(value) <= 1 || !Number.isFinite(value)) return digits(value);
  return scaled(value, 1024, binary);
}

/** Seconds: `3661` is `1h 1m 1s`, `0.25` is `250ms`. */
export function humanizeDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return digits(seconds);
  if (seconds === 0) return "0s";
  if (Math.abs(seconds) < 1) {
    let [rest, prefix] = [seconds, 0];
    while (Math.abs(rest) < 1 && prefix < small.length - 1) {
      rest *= 1000;
      prefix++;
    }
    return `${digits(rest)}${small[prefix]}s`;
  }
  const sign = seconds < 0 ? "-" : "";
  const whole = Math.trunc(Math.abs(seconds));
  const [s, m, h, d] = [
    whole % 60,
    Math.floor(whole / 60) % 60,
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 86400),
  ];
  if (d !== 0) return `${sign}${d}d ${h}h ${m}m ${s}s`;
  if (h !== 0) return `${sign}${h}h ${m}m ${s}s`;
  if (m !== 0) return `${sign}${m}m ${s}s`;
  return `${sign}${digits(Math.abs(seconds))}s`;
}

/** A ratio: `0.1234` is `12.34%`. */
export function humanizePercentage(ratio: number): string {
  return `${digits(ratio * 100)}%`;
}

/** Seconds since 1970, as Go writes a time. */
export function humanizeTimestamp(seconds: number): string {
  if (!Number.isFinite(seconds)) return digits(seconds);
  const time = new Date(Math.floor(seconds) * 1000);
  if (Number.isNaN(time.getTime())) return digits(seconds);
  const millis = Math.round((seconds - Math.floor(seconds)) * 1000);
  const fraction = millis === 0 ? "" : `.${String(millis).padStart(3, "0").replace(/0+$/, "")}`;
  const text = time.toISOString();
  return `${text.slice(0, 10)} ${text.slice(11, 19)}${fraction} +0000 UTC`;
}

function scaled(value: number, base: number, prefixes: ReadonlyArray<string>): string {
  let [rest, prefix] = [value, 0];
  while (Math.abs(rest) >= base && prefix < prefixes.length - 1) {
    rest /= base;
    prefix++;
  }
  return `${digits(rest)}${prefixes[prefix]}`;
}

/** Four of them, as %.4g. */
function digits(value: number): string {
  return formatFloat(value, "g", 4);
}
