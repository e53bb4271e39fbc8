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

/** Prints a whole number with separators: `12,340`. */
export function formatCount(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(?:\d{3})+$)/g, ",");
}

/** Prints a value of a series: whole ones exactly, others with four to six digits, large ones shortened: `1.5M`. */
export function formatValue(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 1e5) return shortened(value);
  return String(Number.isInteger(value) ? value : Number(value.toPrecision(size < 1000 ? 4 : 6)));
}

let compact: Intl.NumberFormat | undefined;

/** A formatter takes long to make, and most visits need none. */
function shortened(value: number): string {
  compact ??= new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });
  return compact.format(value);
}
