/** What `ip("...")` takes: an address, a CIDR prefix or a range `first-last`, of IPv4 or IPv6; and
 *  finding such addresses in text. Addresses are 128-bit numbers, IPv4 as IPv4-mapped IPv6.
 *  Invariant: the two families never match each other. */

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

/** Whether some address in `bytes[start..end)` lies in the range. An address is a longest run of
 *  address characters, so that 1.2.3.4 is not found in 11.2.3.45; a run may end with punctuation.
 */
export function bytesHaveIp(
  bytes: Uint8Array,
  start: number,
  end: number,
  range: IpRange,
): boolean {
  const characters = isIpv4(range.first) ? ipv4Characters : ipv6Characters;
  for (let at = start; at < end; at++) {
    if (characters[bytes[at]!] === 0) continue;
    const runStart = at;
    while (at < end && characters[bytes[at]!] === 1) at++;
    const length = at - runStart;
    if (length < 2 || length > runLengthMax) continue;
    let run = "";
    for (let i = runStart; i < at; i++) run += String.fromCharCode(bytes[i]!);
    if (ipInRange(run, range) || ipInRange(run.replace(/^\.+|[.:]+$/g, ""), range)) return true;
  }
  return false;
}

/** Text that every line with an address in the range contains, "" if there is none: only IPv4 is
 *  always written one way. */
export function ipTextPrefix(range: IpRange): string {
  if (!isIpv4(range.first)) return "";
  const first = ipv4Octets(range.first);
  const last = ipv4Octets(range.last);
  let same = 0;
  while (same < 4 && first[same] === last[same]) same++;
  if (same === 4) return first.join(".");
  return first.slice(0, same).map((octet) => `${octet}.`).join("");
}

/** Longer runs are no addresses; the bound keeps a line of a megabyte of digits cheap. */
const runLengthMax = 64;
const ipv4Characters = characterTable("0123456789.");
const ipv6Characters = characterTable("0123456789abcdefABCDEF:.");

function characterTable(characters: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const character of characters) table[character.charCodeAt(0)] = 1;
  return table;
}

function ipv4Octets(address: bigint): ReadonlyArray<number> {
  return [24n, 16n, 8n, 0n].map((shift) => Number(address >> shift & 0xffn));
}

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
