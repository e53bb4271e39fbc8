// Figures as people read them.

/** Prints bytes with three digits at most: `1.21 GB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? Math.round(value) : Number(value.toPrecision(3))} ${units[unit] ?? ""}`;
}

/** Prints a duration: `12 ms`, `3.4 s`, `5 min`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 1) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  return seconds < 120 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds / 60)} min`;
}

const counts = new Intl.NumberFormat("en");

/** Prints a whole number with separators: `12,340`. */
export function formatCount(count: number): string {
  return counts.format(count);
}

/** Prints a value of a series with six digits at most, large ones shortened: `1.5M`. */
export function formatValue(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 1e5) return compact.format(value);
  return String(Number(value.toPrecision(6)));
}

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });
