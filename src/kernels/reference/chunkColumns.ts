/** The packed columns in plain TypeScript: the oracle that tests compare the kernel with, byte for
 *  byte. Written from docs/formats.md ("Packed columns"), slow and obvious. Integers are unsigned
 *  64-bit bigints throughout. */

const groupRows = 128;
const mask64 = (1n << 64n) - 1n;

/** Packs integers group by group. */
export function packColumn(values: ReadonlyArray<bigint>): number[] {
  const bytes: number[] = [];
  let previous = 0n;
  for (let start = 0; start < values.length; start += groupRows) {
    const group = values.slice(start, start + groupRows);
    const differences = group.map((value, index) => {
      return zigzag(BigInt.asIntN(64, value - (index === 0 ? previous : group[index - 1]!)));
    });
    const plain = chooseWidth(group);
    const different = chooseWidth(differences);
    if (plain.bytes <= different.bytes) bytes.push(...packGroup(group, plain, 0));
    else bytes.push(...packGroup(differences, different, 128));
    previous = group.at(-1)!;
  }
  return bytes;
}

/** Packs ascending times (signed, ns) whose steps are multiples of `unit`. */
export function packTimes(times: ReadonlyArray<bigint>, unit: bigint): number[] {
  return packColumn(
    times.map((time, index) => index === 0 ? 0n : (time - times[index - 1]!) / unit),
  );
}

/** Undoes packColumn; undefined for bytes that it did not write. */
export function unpackColumn(
  bytes: ReadonlyArray<number>,
  count: number,
): bigint[] | undefined {
  const values: bigint[] = [];
  let at = 0;
  const varint = (): bigint | undefined => {
    let value = 0n;
    for (let shift = 0n; shift < 64n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) return undefined;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value <= mask64 ? value : undefined;
    }
    return undefined;
  };
  while (values.length < count) {
    const rows = Math.min(groupRows, count - values.length);
    const [head, exceptions] = [bytes[at], bytes[at + 1]];
    at += 2;
    if (head === undefined || exceptions === undefined || exceptions > rows) return undefined;
    const width = head & 127;
    const base = varint();
    const packed = bytes.slice(at, at + Math.ceil(rows * width / 8));
    at += packed.length;
    if (base === undefined || width > 64 || packed.length < Math.ceil(rows * width / 8)) {
      return undefined;
    }
    const bits = packed.reduceRight((word, byte) => (word << 8n) | BigInt(byte), 0n);
    const group = Array.from({ length: rows }, (_, index) => {
      return base + ((bits >> BigInt(index * width)) & ((1n << BigInt(width)) - 1n));
    });
    for (let done = 0; done < exceptions; done++) {
      const index = bytes[at++];
      const high = varint();
      if (index === undefined || index >= rows || high === undefined || width === 64) {
        return undefined;
      }
      group[index]! += high << BigInt(width);
    }
    for (const coded of group.map((value) => value & mask64)) {
      const previous = values.at(-1) ?? 0n;
      values.push(head < 128 ? coded : (previous + unzigzag(coded)) & mask64);
    }
  }
  return at === bytes.length ? values : undefined;
}

/** The greatest common divisor of the steps between ascending times; 1 if there are none. */
export function timeUnit(times: ReadonlyArray<bigint>): bigint {
  let unit = 0n;
  for (let index = 1; index < times.length; index++) {
    for (let step = times[index]! - times[index - 1]!; step !== 0n;) {
      [unit, step] = [step, unit % step];
    }
  }
  return unit === 0n ? 1n : unit;
}

interface Width {
  readonly base: bigint;
  readonly width: number;
  /** What a group takes after its head of two bytes. */
  readonly bytes: number;
}

function bitLength(value: bigint): number {
  return value === 0n ? 0 : value.toString(2).length;
}

function varintOf(value: bigint): number[] {
  const bytes: number[] = [];
  for (; value >= 128n; value >>= 7n) bytes.push(Number(value & 127n) | 128);
  return [...bytes, Number(value)];
}

/** Tries every width; among equal sizes the largest. */
function chooseWidth(group: ReadonlyArray<bigint>): Width {
  const base = group.reduce((least, value) => value < least ? value : least);
  const widest = Math.max(...group.map((value) => bitLength(value - base)));
  let best: Width | undefined;
  for (let width = widest; width >= 0; width--) {
    const exceptions = group.map((value) => (value - base) >> BigInt(width)).filter((high) =>
      high > 0n
    );
    const bytes = varintOf(base).length + Math.ceil(group.length * width / 8) +
      exceptions.reduce((sum, high) => sum + 1 + varintOf(high).length, 0);
    if (best === undefined || bytes < best.bytes) best = { base, width, bytes };
  }
  return best!;
}

function packGroup(group: ReadonlyArray<bigint>, { base, width }: Width, kind: 0 | 128): number[] {
  const wide = BigInt(width);
  let bits = 0n;
  const exceptions: number[][] = [];
  group.forEach((value, index) => {
    const rest = value - base;
    bits |= (rest & ((1n << wide) - 1n)) << BigInt(index * width);
    if (rest >> wide > 0n) exceptions.push([index, ...varintOf(rest >> wide)]);
  });
  const packed = Array.from({ length: Math.ceil(group.length * width / 8) }, (_, index) => {
    return Number((bits >> BigInt(8 * index)) & 255n);
  });
  return [kind | width, exceptions.length, ...varintOf(base), ...packed, ...exceptions.flat()];
}

function zigzag(value: bigint): bigint {
  return value < 0n ? -2n * value - 1n : 2n * value;
}

function unzigzag(coded: bigint): bigint {
  return (coded & 1n) === 0n ? coded >> 1n : -(coded >> 1n) - 1n;
}
