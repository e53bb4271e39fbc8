/** A stream's 64-bit fingerprint, which orders streams and places them on partitions. It does not
 *  identify: two streams may share one, so whoever maps fingerprints to streams compares tenant and
 *  label string too. */
import { fingerprint } from "../kernels/hash.ts";

/** xxHash64 of the tenant, a zero byte, and the canonical label string (labels.ts), all UTF-8; 0 <=
 *  result < 2^64. The form is part of the formats: changing it moves streams between partitions. */
export function streamFingerprint(tenant: string, labels: string): bigint {
  return fingerprint(encoder.encode(`${tenant}\0${labels}`));
}

const encoder = new TextEncoder();
