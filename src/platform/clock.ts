/** The wall clock of this process, for the places that stamp data. */

export function systemNowMs(): number {
  return Date.now();
}

/** Nanoseconds since 1970; the clock itself has microseconds at best. */
export function systemNowNs(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}
