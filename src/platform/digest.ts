/** Cryptographic digests that configurations name: MD5 for Prometheus' hashmod, SHA-2 and SHA-3 for
 *  Promtail's templates. */
import { createHash } from "node:crypto";

export type DigestName = "md5" | "sha1" | "sha256" | "sha512" | "sha3-256";

/** The digest of the text's UTF-8 bytes. */
export function digest(name: DigestName, text: string): Uint8Array {
  return createHash(name).update(text, "utf8").digest();
}

/** The same in lower-case hexadecimal. */
export function digestHex(name: DigestName, text: string): string {
  return createHash(name).update(text, "utf8").digest("hex");
}

/** SHA-256 of the concatenation of `parts`, in base64url. */
export function sha256Base64Url(parts: ReadonlyArray<Uint8Array>): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("base64url");
}

/** SHA-256 of the concatenation of `parts`, in lower-case hexadecimal. */
export function sha256Hex(parts: ReadonlyArray<Uint8Array>): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}
