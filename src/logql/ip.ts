/** What `ip("...")` takes: an address, a CIDR prefix or a range `first-last`, of IPv4 or IPv6; and finding such addresses in
 *  text. Addresses are 128-bit numbers, IPv4 as IPv4-mapped IPv6. Invariant: the two families never match each other. */

/** Addresses from first to last, both included. */
export interface IpRange {
  readonly first: bigint;
  readonly last: bigint;
}

/** Null if the text is none of the three forms. */
export function parseIpRange(text: string): IpRange | null {
  const slash = text.indexOf("/");
  if (slash >= 0) return parsePrefix(text.slice(0, slash), text.slice(slash + 1));
  const dash = text.indexOf("-");
  if (dash < 0) {
    const address = parseIp(text.trim());
    return address === null ? null : { first: address, last: address };
  }
  const first = parseIp(text.slice(0, dash).trim());
  const last = parseIp(text.slice(dash + 1).trim());
  if (first === null || last === null || first > last || isIpv4(first) !== isIpv4(last)) {
    return null;
  }
  return { first, last };
}

/** Whether a whole text, such as a label value, is an address in the range. */
export function ipInRange(text: string, range: IpRange): boolean {
  const address = parseIp(text);
  return address !== null && address >= range.first && address <= range.last;
}

/** Whether some address in the text lies in the range. An address is a longest run of address characters. */
export function textHasIp(text: string, range: IpRange): boolean {
  const form = isIpv4(range.first) ? ipv4Run : ipv6Run;
  for (const match of text.matchAll(form)) {
    // A run may end with punctuation: "10.0.0.1." or "from ::1:".
    const run = match[0].replace(
      /^[.:]*(?=[0-9a-f]|::)/i,
      (lead) => lead.endsWith("::") ? "::" : "",
    );
    if (ipInRange(run, range)) return true;
    if (ipInRange(run.replace(/[.:]+$/, ""), range)) return true;
  }
  return false;
}

const ipv4Run = /[0-9.]{7,}/g;
const ipv6Run = /[0-9A-Fa-f:.]{2,}/g;
const ipv4Mapped = 0xffffn << 32n;

function isIpv4(address: bigint): boolean {
  return address >> 32n === 0xffffn;
}

function parsePrefix(text: string, bitsText: string): IpRange | null {
  const address = parseIp(text.trim());
  if (address === null || !/^\d{1,3}$/.test(bitsText)) return null;
  const width = isIpv4(address) ? 32 : 128;
  const bits = Number(bitsText);
  if (bits > width) return null;
  const host = (1n << BigInt(width - bits)) - 1n;
  return { first: address & ~host, last: address | host };
}

function parseIp(text: string): bigint | null {
  if (text.includes(":")) return parseIpv6(text);
  const octets = parseIpv4(text);
  return octets === null ? null : ipv4Mapped | octets;
}

function parseIpv4(text: string): bigint | null {
  if (!/^(?:(?:0|[1-9]\d{0,2})(?:\.|$)){4}$/.test(text) || text.endsWith(".")) return null;
  let address = 0n;
  for (const octet of text.split(".")) {
    if (Number(octet) > 255) return null;
    address = address << 8n | BigInt(octet);
  }
  return address;
}

function parseIpv6(text: string): bigint | null {
  let groups = text;
  const embedded = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (embedded !== null) {
    const tail = parseIpv4(embedded[2]!);
    if (tail === null) return null;
    groups = `${embedded[1]}${(tail >> 16n).toString(16)}:${(tail & 0xffffn).toString(16)}`;
  }
  const halves = groups.split("::");
  if (halves.length > 2) return null;
  const head = halves[0] === "" ? [] : halves[0]!.split(":");
  const tail = halves.length < 2 || halves[1] === "" ? [] : halves[1]!.split(":");
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  let address = 0n;
  for (const group of [...head, ...new Array<string>(missing).fill("0"), ...tail]) {
    if (!/^[0-9A-Fa-f]{1,4}$/.test(group)) return null;
    address = address << 16n | BigInt(`0x${group}`);
  }
  return address;
}
