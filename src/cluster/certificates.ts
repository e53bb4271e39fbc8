/** X.509 certificates for NATS: an authority, what it signs, and a certificate that trusts itself alone. Owns the encoding (DER,
 *  RFC 5280) of the few fields that NATS and the runtimes look at; keys and signatures are Web Crypto's. Pure but for its random
 *  numbers. credentials.ts decides who gets which. */

/** A certificate and its key, as PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** The subject's common name; NATS knows a client by it. */
  readonly commonName: string;
  /** Host names and IPv4 addresses that a server with this certificate may be reached at. */
  readonly hosts: ReadonlyArray<string>;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** The subject of every authority; what it signed names it as its issuer. */
const authorityName = "Tailrace NATS authority";

/** A new authority. */
export async function createAuthority(
  validity: Pick<CertificateOptions, "notBefore" | "notAfter">,
): Promise<KeyPair> {
  const pair = await newKeys();
  const options = { ...validity, commonName: authorityName, hosts: [] };
  const extensions = [basicConstraints(true), keyUsage(keyCertSign)];
  return sealed(options, authorityName, pair, pair.privateKey, extensions);
}

/** A new key and its certificate, signed by an authority. Fails if the authority's key is not PEM of a P-256 key. */
export async function issueCertificate(
  authority: KeyPair,
  options: CertificateOptions,
): Promise<KeyPair> {
  const signer = await crypto.subtle.importKey("pkcs8", fromPem(authority.key), curve, false, [
    "sign",
  ]);
  return sealed(options, authorityName, await newKeys(), signer, leafExtensions(options));
}

/** A certificate that is its own authority: who trusts it trusts the holders of this one key. */
export async function createSelfTrusting(options: CertificateOptions): Promise<KeyPair> {
  const pair = await newKeys();
  return sealed(options, options.commonName, pair, pair.privateKey, leafExtensions(options));
}

type Keys = Extract<
  Awaited<ReturnType<typeof crypto.subtle.generateKey>>,
  { readonly privateKey: unknown }
>;

const curve = { name: "ECDSA", namedCurve: "P-256" } as const;

async function newKeys(): Promise<Keys> {
  return await crypto.subtle.generateKey(curve, true, ["sign", "verify"]);
}

async function sealed(
  options: CertificateOptions,
  issuer: string,
  pair: Keys,
  signer: Keys["privateKey"],
  extensions: ReadonlyArray<Uint8Array>,
): Promise<KeyPair> {
  const algorithm = sequence(oid(ecdsaWithSha256));
  const publicKey = new Uint8Array(await crypto.subtle.exportKey("spki", pair.publicKey));
  const body = sequence(
    context(0, integer(Uint8Array.of(2))),
    integer(crypto.getRandomValues(new Uint8Array(16))),
    algorithm,
    name(issuer),
    sequence(time(options.notBefore), time(options.notAfter)),
    name(options.commonName),
    publicKey,
    context(3, sequence(...extensions)),
  );
  const raw = new Uint8Array(
    await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, signer, body),
  );
  const signature = sequence(integer(raw.subarray(0, 32)), integer(raw.subarray(32)));
  const key = new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey));
  return {
    certificate: toPem("CERTIFICATE", sequence(body, algorithm, bits(signature))),
    key: toPem("PRIVATE KEY", key),
  };
}

// Extensions: RFC 5280, section 4.2.1.

const digitalSignature = Uint8Array.of(7, 0x80);
const keyCertSign = Uint8Array.of(2, 0x04);

function leafExtensions({ hosts }: CertificateOptions): ReadonlyArray<Uint8Array> {
  const always = [basicConstraints(false), keyUsage(digitalSignature), extendedKeyUsage()];
  return hosts.length === 0 ? always : [...always, alternativeNames(hosts)];
}

function basicConstraints(isAuthority: boolean): Uint8Array {
  return extension("2.5.29.19", true, isAuthority ? sequence(element(0x01, [0xff])) : sequence());
}

/** The first byte counts the bits at the end that are not used. */
function keyUsage(usage: Uint8Array): Uint8Array {
  return extension("2.5.29.15", true, element(0x03, usage));
}

/** For servers and for clients: a server is its peers' client. */
function extendedKeyUsage(): Uint8Array {
  const [server, client] = [oid("1.3.6.1.5.5.7.3.1"), oid("1.3.6.1.5.5.7.3.2")];
  return extension("2.5.29.37", false, sequence(server, client));
}

function alternativeNames(hosts: ReadonlyArray<string>): Uint8Array {
  const names = hosts.map((host) =>
    /^\d+(\.\d+){3}$/.test(host)
      ? element(0x87, host.split(".").map(Number))
      : element(0x82, new TextEncoder().encode(host))
  );
  return extension("2.5.29.17", false, sequence(...names));
}

function extension(identifier: string, isCritical: boolean, value: Uint8Array): Uint8Array {
  const critical = isCritical ? [element(0x01, [0xff])] : [];
  return sequence(oid(identifier), ...critical, element(0x04, value));
}

// DER: a tag, the length of the content, the content.

const ecdsaWithSha256 = "1.2.840.10045.4.3.2";

function element(tag: number, content: ArrayLike<number>): Uint8Array<ArrayBuffer> {
  const lengthBytes: number[] = [];
  for (let rest = content.length; rest > 0; rest >>>= 8) lengthBytes.unshift(rest & 0xff);
  const length = content.length < 128
    ? [content.length]
    : [0x80 | lengthBytes.length, ...lengthBytes];
  const bytes = new Uint8Array(1 + length.length + content.length);
  bytes.set([tag, ...length]);
  bytes.set(content, 1 + length.length);
  return bytes;
}

function constructed(tag: number, parts: ReadonlyArray<Uint8Array>): Uint8Array<ArrayBuffer> {
  return element(tag, parts.flatMap((part) => [...part]));
}

function sequence(...parts: ReadonlyArray<Uint8Array>): Uint8Array<ArrayBuffer> {
  return constructed(0x30, parts);
}

function context(number: number, content: Uint8Array): Uint8Array {
  return element(0xa0 | number, content);
}

/** A positive number, from its bytes: none too many at the start, and one more where the first would mean a minus. */
function integer(magnitude: Uint8Array): Uint8Array {
  let from = 0;
  while (from < magnitude.length - 1 && magnitude[from] === 0) from++;
  const bytes = magnitude.subarray(from);
  return element(0x02, bytes[0]! >= 0x80 ? [0, ...bytes] : bytes);
}

function bits(content: Uint8Array): Uint8Array {
  return element(0x03, [0, ...content]);
}

/** Each number in groups of seven bits; the first two numbers share one. */
function oid(dotted: string): Uint8Array {
  const [first, second, ...rest] = dotted.split(".").map(Number) as [number, number, ...number[]];
  const groups = [first * 40 + second, ...rest].flatMap((number) => {
    const bytes = [number & 0x7f];
    for (let left = number >>> 7; left > 0; left >>>= 7) bytes.unshift(0x80 | (left & 0x7f));
    return bytes;
  });
  return element(0x06, groups);
}

/** A distinguished name that is a common name alone. */
function name(commonName: string): Uint8Array {
  const text = element(0x0c, new TextEncoder().encode(commonName));
  return sequence(constructed(0x31, [sequence(oid("2.5.4.3"), text)]));
}

/** From 2050 on the year has four digits and the type another tag. */
function time(date: Date): Uint8Array {
  const digits = `${date.toISOString().replace(/\.\d+/, "").replace(/[-:T]/g, "")}`;
  const isShort = date.getUTCFullYear() < 2050;
  return element(
    isShort ? 0x17 : 0x18,
    new TextEncoder().encode(isShort ? digits.slice(2) : digits),
  );
}

function toPem(label: string, der: Uint8Array): string {
  const base64 = btoa(String.fromCharCode(...der));
  const lines = base64.match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

function fromPem(text: string): Uint8Array<ArrayBuffer> {
  const base64 = text.replace(/-----[^-]+-----/g, "").replace(/\s+/g, "");
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
