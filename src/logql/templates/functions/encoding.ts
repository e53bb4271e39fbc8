/** Functions that read and write encodings: base64, URLs, durations and sizes. */
import { readDuration, readFailed, readSize, type ValueReader } from "../../labelValue.ts";
import { TemplateFailed } from "../error.ts";
import { fixed, type FunctionTable } from "./templateFunction.ts";

export const encoding: FunctionTable = new Map([
  ["b64enc", fixed(["string"], base64Encode)],
  ["b64dec", fixed(["string"], base64Decode)],
  ["urlencode", fixed(["string"], queryEscape)],
  ["urldecode", fixed(["string"], queryUnescape)],
  ["bytes", fixed(["string"], (text) => quantity("bytes", text, readSize))],
  ["duration", fixed(["string"], (text) => quantity("duration", text, readDuration) / 1e9)],
  [
    "duration_seconds",
    fixed(["string"], (text) => quantity("duration_seconds", text, readDuration) / 1e9),
  ],
]);

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function quantity(name: string, text: string, read: ValueReader): number {
  const bytes = encoder.encode(text);
  const value = read(bytes, 0, bytes.length);
  if (!readFailed()) return value;
  const wanted = read === readSize ? "a size such as 2KB or 1.5MiB" : "a duration such as 1h30m";
  throw new TemplateFailed(`${name}: ${JSON.stringify(text.slice(0, 60))} is not ${wanted}`);
}

function base64Encode(text: string): string {
  const bytes = encoder.encode(text);
  let encoded = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const word = bytes[at]! << 16 | (bytes[at + 1] ?? 0) << 8 | (bytes[at + 2] ?? 0);
    encoded += alphabet[word >> 18]! + alphabet[word >> 12 & 63]! +
      (at + 1 < bytes.length ? alphabet[word >> 6 & 63]! : "=") +
      (at + 2 < bytes.length ? alphabet[word & 63]! : "=");
  }
  return encoded;
}

/** Line ends are skipped. What is no base64 answers the words of the complaint, as in sprig. */
function base64Decode(text: string): string {
  const illegal = (at: number) => `illegal base64 data at input byte ${at}`;
  const bytes: number[] = [];
  let word = 0;
  let count = 0;
  let at = 0;
  const skipLineEnds = () => {
    while (text[at] === "\n" || text[at] === "\r") at++;
  };
  for (skipLineEnds(); at < text.length; skipLineEnds()) {
    const code = alphabet.indexOf(text[at]!);
    if (code < 0) break;
    at++;
    word = word << 6 | code;
    if (++count < 4) continue;
    bytes.push(word >> 16 & 255, word >> 8 & 255, word & 255);
    count = 0;
    word = 0;
  }
  if (at === text.length) {
    return count === 0 ? decoder.decode(Uint8Array.from(bytes)) : illegal(at - count);
  }
  if (text[at] !== "=" || count < 2) return illegal(at);
  at++;
  skipLineEnds();
  if (count === 2) {
    if (text[at] !== "=") return illegal(at);
    at++;
    skipLineEnds();
  }
  if (at < text.length) return illegal(at);
  if (count === 2) bytes.push(word >> 4 & 255);
  else bytes.push(word >> 10 & 255, word >> 2 & 255);
  return decoder.decode(Uint8Array.from(bytes));
}

/** Of a query string: a space is `+`, all but letters, digits and `-_.~` are `%XX`. */
export function queryEscape(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replace(
      /%20|[!'()*]/g,
      (part) => part === "%20" ? "+" : `%${part.charCodeAt(0).toString(16).toUpperCase()}`,
    );
}

function queryUnescape(text: string): string {
  const bytes = encoder.encode(text);
  const decoded = new Uint8Array(bytes.length);
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    let byte = bytes[at]!;
    if (byte === 0x2b) byte = 0x20;
    else if (byte === 0x25) {
      const escape = decoder.decode(bytes.subarray(at, at + 3));
      if (!/^%[\da-fA-F]{2}$/.test(escape)) {
        throw new TemplateFailed(`urldecode: invalid URL escape ${JSON.stringify(escape)}`);
      }
      byte = parseInt(escape.slice(1), 16);
      at += 2;
    }
    decoded[length++] = byte;
  }
  return decoder.decode(decoded.subarray(0, length));
}
