/** Token bucket: `rate` bytes a second, at most `burst` at once. Time is given, in milliseconds, so that tests own it. */
export class RateLimiter {
  #tokens: number;
  #atMs: number;

  constructor(burst: number, nowMs: number) {
    this.#tokens = burst;
    this.#atMs = nowMs;
  }

  /** Takes `bytes` if the bucket has them. Rate and burst are given each time: limits may change while streams live. */
  take(bytes: number, rate: number, burst: number, nowMs: number): boolean {
    this.#tokens = Math.min(burst, this.#tokens + rate * Math.max(0, nowMs - this.#atMs) / 1000);
    this.#atMs = nowMs;
    if (bytes > this.#tokens) return false;
    this.#tokens -= bytes;
    return true;
  }
}
