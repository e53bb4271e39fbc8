/** Syslog messages, RFC 5424 and the older form of RFC 3164, as text. Pure; Syslog.ts owns the sockets. */
import { setRfc3339 } from "../stages/rfc3339.ts";

export interface SyslogMessage {
  readonly severity: string;
  readonly facility: string;
  readonly hostname: string;
  readonly appName: string;
  readonly procId: string;
  readonly msgId: string;
  /** Since 1970; undefined if the message has no time. */
  readonly time: { readonly seconds: number; readonly nanos: number } | undefined;
  /** Id of the element, name, value. */
  readonly structuredData: ReadonlyArray<readonly [id: string, name: string, value: string]>;
  readonly message: string;
}

const severities = [
  "emergency",
  "alert",
  "critical",
  "error",
  "warning",
  "notice",
  "informational",
  "debug",
];
const facilities = [
  ..."kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp security console solaris-cron"
    .split(" "),
  ...Array.from({ length: 8 }, (_, index) => `local${index}`),
];

/** Undefined if the text is no message of RFC 5424. */
export function parseRfc5424(text: string): SyslogMessage | undefined {
  const match = /^<(\d{1,3})>\d{1,2} (\S+) (\S+) (\S+) (\S+) (\S+) /.exec(text);
  const priority = priorityOf(match?.[1]);
  if (match === null || priority === undefined) return undefined;
  const data = parseStructuredData(text, match[0].length);
  if (data === undefined) return undefined;
  const value = (index: number) => match[index] === "-" ? "" : match[index]!;
  const time = match[2] === "-" ? undefined : timeOf(match[2]!);
  if (time === null) return undefined;
  return {
    ...priority,
    time,
    hostname: value(3),
    appName: value(4),
    procId: value(5),
    msgId: value(6),
    structuredData: data.pairs,
    message: text.slice(data.end).replace(/^ /, "").replace(/^\uFEFF/, ""),
  };
}

/** Undefined if the text does not begin with a priority. The year, which the form lacks, is that of `nowMs`. */
export function parseRfc3164(text: string, nowMs: number): SyslogMessage | undefined {
  const match =
    /^<(\d{1,3})>(?:([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d{2}:\d{2}:\d{2}) (\S+) )?(?:([^\s:[\]]{1,48})(?:\[([^\]]*)\])?: ?)?/
      .exec(text);
  const priority = priorityOf(match?.[1]);
  if (match === null || priority === undefined) return undefined;
  const year = new Date(nowMs).getUTCFullYear();
  const written = match[2] === undefined
    ? undefined
    : Date.parse(`${match[3]} ${match[2]} ${year} ${match[4]} UTC`);
  // A message of December that comes in January is of the year before.
  const timeMs = written !== undefined && written - nowMs > 86_400_000
    ? Date.parse(`${match[3]} ${match[2]} ${year - 1} ${match[4]} UTC`)
    : written;
  return {
    ...priority,
    time: timeMs === undefined || Number.isNaN(timeMs)
      ? undefined
      : { seconds: timeMs / 1000, nanos: 0 },
    hostname: match[5] ?? "",
    appName: match[6] ?? "",
    procId: match[7] ?? "",
    msgId: "",
    structuredData: [],
    message: text.slice(match[0].length),
  };
}

/** To the nanosecond: equal messages within a millisecond would be stored once. Null if it is no time. */
function timeOf(text: string): { readonly seconds: number; readonly nanos: number } | null {
  const time = { seconds: 0, nanos: 0 };
  const bytes = new TextEncoder().encode(text);
  return setRfc3339(time, bytes, 0, bytes.byteLength) ? time : null;
}

function priorityOf(text: string | undefined) {
  const priority = Number(text);
  const facility = facilities[priority >> 3];
  if (text === undefined || facility === undefined) return undefined;
  return { severity: severities[priority & 7]!, facility };
}

/** What stands at `start`: "-" or elements such as [id name="value"], in which a backslash escapes ", \ and ]. */
function parseStructuredData(text: string, start: number) {
  if (text[start] === "-") return { pairs: [], end: start + 1 };
  const pairs: Array<readonly [string, string, string]> = [];
  let end = start;
  while (text[end] === "[") {
    const element = /\[([^\s=\]"]+)((?: [^\s=\]"]+="(?:[^"\\\]]|\\.)*")*)\]/sy;
    element.lastIndex = end;
    const match = element.exec(text);
    if (match === null) return undefined;
    for (const [, name, value] of match[2]!.matchAll(/ ([^\s=\]"]+)="((?:[^"\\\]]|\\.)*)"/gs)) {
      pairs.push([match[1]!, name!, value!.replace(/\\(["\\\]])/g, "$1")]);
    }
    end += match[0].length;
  }
  return end === start ? undefined : { pairs, end };
}

/** Takes messages out of a stream: each is either counted ("57 <34>1 ...", RFC 6587) or ends with a line feed. */
export class SyslogFramer {
  readonly #bytesMax: number;
  #rest: Uint8Array = new Uint8Array(0);

  /** `push` throws when a message is longer than `bytesMax`, behind those before it. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  *push(part: Uint8Array): Generator<Uint8Array> {
    const bytes = new Uint8Array(this.#rest.byteLength + part.byteLength);
    bytes.set(this.#rest);
    bytes.set(part, this.#rest.byteLength);
    let start = 0;
    for (;;) {
      const frame = this.#frameAt(bytes, start);
      if (frame === undefined) break;
      if (frame.end > frame.start) yield bytes.subarray(frame.start, frame.end);
      start = frame.next;
    }
    this.#rest = bytes.slice(start);
    if (this.#rest.byteLength > this.#bytesMax + 16) {
      throw new Error(
        `a syslog message is longer than max_message_length, ${this.#bytesMax} bytes`,
      );
    }
  }

  #frameAt(bytes: Uint8Array, start: number) {
    const first = bytes[start];
    if (first !== undefined && first >= 0x31 && first <= 0x39) {
      const space = bytes.indexOf(0x20, start);
      if (space < 0) return undefined;
      const length = Number(new TextDecoder().decode(bytes.subarray(start, space)));
      if (!Number.isInteger(length) || length > this.#bytesMax) {
        throw new Error(
          `a syslog message is longer than max_message_length, ${this.#bytesMax} bytes`,
        );
      }
      const end = space + 1 + length;
      return end > bytes.byteLength ? undefined : { start: space + 1, end, next: end };
    }
    const end = bytes.indexOf(0x0a, start);
    if (end < 0) return undefined;
    return { start, end: end > start && bytes[end - 1] === 0x0d ? end - 1 : end, next: end + 1 };
  }
}
