/** A seeded source of random numbers, so that a generated corpus or a failing test can be made again from its seed.
 *  Owns the algorithm (sfc32, from PractRand) and the few draws tests need; what is drawn is the caller's business.
 *  Invariant: the same seed gives the same sequence on every runtime. */

/** Draws from one seeded sequence. Not for secrets. */
export interface Random {
  /** An integer, 0 <= value < bound; bound at most 2^32. */
  readonly below: (bound: number) => number;
  /** An integer, min <= value <= max. */
  readonly between: (min: number, max: number) => number;
  /** A fraction, 0 <= value < 1. */
  readonly fraction: () => number;
  /** True once in `n` draws on average. */
  readonly oneIn: (n: number) => boolean;
  readonly pick: <T>(choices: ReadonlyArray<T>) => T;
  /** `digits` lower-case hexadecimal digits. */
  readonly hex: (digits: number) => string;
}

/** A generator whose sequence depends on `seed` alone. */
export function randomFrom(seed: number | string): Random {
  const next = sfc32(seed);
  const fraction = () => next() / 0x1_0000_0000;
  const below = (bound: number) => Math.floor(fraction() * bound);
  return {
    below,
    between: (min, max) => min + below(max - min + 1),
    fraction,
    oneIn: (n) => below(n) === 0,
    pick: (choices) => {
      if (choices.length === 0) throw new RangeError("Cannot pick from no choices");
      return choices[below(choices.length)] as (typeof choices)[number];
    },
    hex: (digits) => {
      let text = "";
      while (text.length < digits) text += hexOfWord(next());
      return text.slice(0, digits);
    },
  };
}

/** A seed to print, taken from `environmentName` when a failure is to be replayed, else from the clock. */
export function seedFrom(environmentName: string): string {
  const given = process.env[environmentName];
  return given !== undefined && given !== "" ? given : String(Date.now() % 1_000_000_007);
}

function hexOfWord(word: number): string {
  return (word + 0x1_0000_0000).toString(16).slice(1);
}

/** Chris Doty-Humphrey's "small fast counting" generator with 32-bit words. */
function sfc32(seed: number | string): () => number {
  let [a, b, c, counter] = [0x9e3779b9, 0x243f6a88, hash32(String(seed)), 1];
  const next = () => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (let warmUp = 0; warmUp < 16; warmUp++) next();
  return next;
}

/** FNV-1a over UTF-16 units: spreads seeds that differ little. */
function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return hash | 0;
}
