// Requests that leave before the code that reads their answers is loaded. boot.ts makes them; request.ts and queryStream.ts
// take them, by address, instead of asking again. Invariant: each is taken once, and what nobody took is dropped by end().
import { nowNanoseconds } from "../model/nanoseconds.ts";
import { serverUrl, tenantHeaders } from "./serverUrl.ts";

let begun: bigint | undefined;
const responses = new Map<
  string,
  { readonly answer: Promise<Response>; readonly drop: () => void }
>();
const sockets = new Map<string, EarlySocket>();

/** The present; during the head start the moment at which it began, so that what is asked again has the same address. */
export function presentMoment(): bigint {
  return begun ?? nowNanoseconds();
}

/** Begins the head start: time stands still until `end`. */
export function begin(): void {
  begun = nowNanoseconds();
}

/** Asks a path. */
export function askEarly(path: string, parameters: Record<string, string>): void {
  const url = serverUrl(path);
  url.search = new URLSearchParams(parameters).toString();
  const abort = new AbortController();
  const answer = fetch(url, { headers: tenantHeaders(), signal: abort.signal });
  // Whoever takes the answer hears of a failure.
  answer.catch(() => {});
  responses.set(url.href, { answer, drop: () => abort.abort() });
}

/** Opens a WebSocket and keeps what it says. */
export function openEarly(url: URL): void {
  sockets.set(url.href, new EarlySocket(url));
}

/** The answer to a request that was made already, if one was. */
export function takeResponse(url: URL): Promise<Response> | undefined {
  const early = responses.get(url.href);
  responses.delete(url.href);
  return early?.answer;
}

/** The WebSocket that was opened already, if one was. */
export function takeSocket(url: URL): EarlySocket | undefined {
  const early = sockets.get(url.href);
  sockets.delete(url.href);
  return early;
}

/** Ends the head start. */
export function end(): void {
  begun = undefined;
  for (const { drop } of responses.values()) drop();
  for (const { socket } of sockets.values()) socket.close();
  responses.clear();
  sockets.clear();
}

/** A WebSocket and what it said before somebody listened: as much as one answer, which the query's limit bounds. */
export class EarlySocket {
  readonly socket: WebSocket;
  readonly #events: Event[] = [];
  readonly #taken = new AbortController();

  constructor(url: URL) {
    this.socket = new WebSocket(url);
    listen(this.socket, (event) => this.#events.push(event), this.#taken.signal);
  }

  /** What was said so far; from now on the caller listens. */
  take(): readonly Event[] {
    this.#taken.abort();
    return this.#events;
  }
}

/** Calls back for all that a WebSocket says, until the signal. */
export function listen(socket: WebSocket, hear: (event: Event) => void, signal: AbortSignal): void {
  for (const type of ["open", "message", "close"]) socket.addEventListener(type, hear, { signal });
}
