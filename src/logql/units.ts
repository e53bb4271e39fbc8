/** Durations and sizes as LogQL writes them: reading literals and printing them back. Invariant:
 *  reading what was printed gives the same value. A duration is bigint nanoseconds, a size a number
 *  of bytes. */

/** What Prometheus writes, `1h30m`: whole numbers, units in falling order, each once. Null for
 *  anything else. */
export function parsePrometheusDuration(text: string): bigint | null {
  if (text === "0") return 0n;
  const match = prometheusForm.exec(text);
  if (match === null || text === "") return null;
  let total = 0n;
  prometheusUnits.forEach(([, size], index) => {
    const digits = match[index + 1];
    if (digits !== undefined) total += BigInt(digits) * size;
  });
  return total <= durationMax ? total : null;
}

/** What Go writes, `1.5h` or `1m0.5s`: fractions, any order, units from h to ns. Null for anything
 *  else. */
export function parseGoDuration(text: string): bigint | null {
  if (!/^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(text)) return null;
  let total = 0n;
  for (const [, whole, fraction, unit] of text.matchAll(/(\d*)(?:\.(\d*))?(ns|[uµμ]s|ms|s|m|h)/g)) {
    const size = goUnits.get(unit!.replace(/[µμ]/, "u"))!;
    total += BigInt(whole || "0") * size;
    if (fraction) total += BigInt(fraction) * size / 10n ** BigInt(fraction.length);
  }
  return total <= durationMax ? total : null;
}

/** Either form. */
export function parseDuration(text: string): bigint | null {
  return parsePrometheusDuration(text) ?? parseGoDuration(text);
}

/** The Prometheus form where the duration has one, else Go's units down to ns. Negative ones get a
 *  sign. */
export function formatDuration(durationNs: bigint): string {
  if (durationNs < 0n) return `-${formatDuration(-durationNs)}`;
  if (durationNs === 0n) return "0s";
  const units = durationNs % 1_000_000n === 0n ? prometheusUnits.slice(2) : [...goUnits];
  let rest = durationNs;
  let text = "";
  for (const [unit, size] of units) {
    if (rest >= size) text += `${rest / size}${unit}`;
    rest %= size;
  }
  return text;
}

/** Bytes of `20KB` (1000s), `4MiB` (1024s) or `12B`; null if it is not a size. Fractions are cut to
 *  whole bytes. */
export function parseBytes(text: string): number | null {
  const match = /^(\d+\.?\d*|\.\d+)([kmgtp]?i?b?)$/i.exec(text);
  if (match === null) return null;
  const size = byteUnits.get(match[2]!.toLowerCase().replace(/b$/, ""));
  if (size === undefined || match[2] === "") return null;
  const value = Math.floor(Number(match[1]) * size);
  return value <= Number.MAX_SAFE_INTEGER ? value : null;
}

/** The largest unit that states the size exactly. */
export function formatBytes(bytes: number): string {
  let best = `${bytes}B`;
  for (const [unit, size] of byteUnits) {
    if (size === 1 || bytes === 0 || bytes % size !== 0) continue;
    const text = `${bytes / size}${
      unit.length === 2 ? `${unit[0]!.toUpperCase()}i` : unit.toUpperCase()
    }B`;
    if (text.length < best.length) best = text;
  }
  return best;
}

/** Go's time.Duration ends there. */
const durationMax = 2n ** 63n - 1n;
const prometheusForm =
  /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;
const second = 1_000_000_000n;
const prometheusUnits: ReadonlyArray<readonly [string, bigint]> = [
  ["y", 365n * 86_400n * second],
  ["w", 7n * 86_400n * second],
  ["d", 86_400n * second],
  ["h", 3600n * second],
  ["m", 60n * second],
  ["s", second],
  ["ms", 1_000_000n],
];
const goUnits: ReadonlyMap<string, bigint> = new Map([
  ["h", 3600n * second],
  ["m", 60n * second],
  ["s", second],
  ["ms", 1_000_000n],
  ["us", 1000n],
  ["ns", 1n],
]);
const byteUnits: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["k", 1e3],
  ["m", 1e6],
  ["g", 1e9],
  ["t", 1e12],
  ["p", 1e15],
  ["ki", 2 ** 10],
  ["mi", 2 ** 20],
  ["gi", 2 ** 30],
  ["ti", 2 ** 40],
  ["pi", 2 ** 50],
]);
