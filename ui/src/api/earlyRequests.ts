// Makes requests before the code that reads their answers is loaded; headStart.ts owns how that code takes them. Only boot.ts
// uses this: it is part of index.html.
import { nowNanoseconds } from "../model/nanoseconds.ts";
import { type EarlySocket, type HeadStart, listen } from "./headStart.ts";
import { serverUrl, tenantHeaders } from "./serverUrl.ts";

/** Begins the head start: time stands still until the page ends it. */
export function begin(): HeadStart {
  return globalThis.tailraceHeadStart = {
    began: nowNanoseconds(),
    responses: new Map(),
    sockets: new Map(),
  };
}

/** Asks a path. */
export function ask(start: HeadStart, path: string, parameters: Record<string, string>): void {
  const url = serverUrl(path);
  url.search = new URLSearchParams(parameters).toString();
  const abort = new AbortController();
  const answer = fetch(url, { headers: tenantHeaders(), signal: abort.signal });
  // Whoever takes the answer hears of a failure.
  answer.catch(() => {});
  start.responses.set(url.href, { answer, drop: () => abort.abort() });
}

/** Opens a WebSocket and keeps what it says. */
export function connect(start: HeadStart, url: URL): void {
  start.sockets.set(url.href, keepEvents(new WebSocket(url)));
}

function keepEvents(socket: WebSocket): EarlySocket {
  const events: Event[] = [];
  const taken = new AbortController();
  listen(socket, (event) => events.push(event), taken.signal);
  const take = () => {
    taken.abort();
    return events;
  };
  return { socket, take };
}
