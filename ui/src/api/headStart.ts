// What passes from boot.ts, a script in index.html itself, to the page's code, which takes longer to load: the requests that
// were made already. earlyRequests.ts makes them; request.ts and queryStream.ts take them, by address, instead of asking again.
// Invariant: each is taken once, and what nobody took is dropped by end(); without a head start everything is asked here.
import { nowNanoseconds } from "../model/nanoseconds.ts";

/** The head start, in the page's global scope: the two scripts share no module. */
export interface HeadStart {
  /** When it began, nanoseconds. */
  readonly began: bigint;
  readonly responses: Map<string, EarlyResponse>;
  readonly sockets: Map<string, EarlySocket>;
}

export interface EarlyResponse {
  readonly answer: Promise<Response>;
  readonly drop: () => void;
}

/** A WebSocket and what it said before somebody listened: as much as one answer, which the query's limit bounds. */
export interface EarlySocket {
  readonly socket: WebSocket;
  /** What was said so far; from now on the caller listens. */
  readonly take: () => readonly Event[];
}

declare global {
  var tailraceHeadStart: HeadStart | undefined;
}

/** The present; during the head start the moment at which it began, so that what is asked again has the same address. */
export function presentMoment(): bigint {
  return globalThis.tailraceHeadStart?.began ?? nowNanoseconds();
}

/** The answer to a request that was made already, if one was. */
export function takeResponse(url: URL): Promise<Response> | undefined {
  return takeFrom(globalThis.tailraceHeadStart?.responses, url)?.answer;
}

/** The WebSocket that was opened already, if one was. */
export function takeSocket(url: URL): EarlySocket | undefined {
  return takeFrom(globalThis.tailraceHeadStart?.sockets, url);
}

/** Ends the head start. */
export function end(): void {
  const { responses = [], sockets = [] } = globalThis.tailraceHeadStart ?? {};
  for (const [, { drop }] of responses) drop();
  for (const [, { socket }] of sockets) socket.close();
  globalThis.tailraceHeadStart = undefined;
}

/** Calls back for all that a WebSocket says, until the signal. */
export function listen(socket: WebSocket, hear: (event: Event) => void, signal: AbortSignal): void {
  for (const type of ["open", "message", "close"]) socket.addEventListener(type, hear, { signal });
}

function takeFrom<Early>(known: Map<string, Early> | undefined, url: URL): Early | undefined {
  const early = known?.get(url.href);
  known?.delete(url.href);
  return early;
}
