// One WebSocket to Loki's tail endpoint. Owns frames and reasons for closing; state/liveSession.ts owns reconnecting,
// catching up and what is shown. Invariant: after close() no callback is called.
import { compareNanoseconds } from "../model/nanoseconds.ts";
import type { Entry } from "../model/row.ts";
import { readStreams, sortEntries, type WireStream } from "./loki.ts";
import { socketUrl } from "./serverUrl.ts";

/** Lines the server left out because this client was slow: how many, and the times of the oldest and the newest. */
export interface Dropped {
  readonly count: number;
  /** Of those the lines that no filter has looked at: any number of them may be the tail's. */
  readonly unexamined?: number;
  readonly first: string;
  readonly last: string;
}

export interface TailHandlers {
  readonly onOpen: () => void;
  /** Entries of one frame, oldest first. */
  readonly onEntries: (entries: Entry[], dropped: Dropped | undefined) => void;
  /** `code` and `reason` as the socket gave them; 1006 with no reason is also what a refused upgrade looks like. */
  readonly onClose: (code: number, reason: string) => void;
}

/** Opens a tail from `start` (nanoseconds); gives the function that closes it. */
export function openTail(
  query: string,
  start: bigint,
  limit: number,
  handlers: TailHandlers,
): () => void {
  const url = socketUrl("loki/api/v1/tail", {
    query,
    start: start.toString(),
    limit: String(limit),
    encoding_flags: "categorize-labels",
  });
  const socket = new WebSocket(url);
  const abandon = new AbortController();
  const { signal } = abandon;
  socket.addEventListener("open", handlers.onOpen, { signal });
  socket.addEventListener("close", (event) => handlers.onClose(event.code, event.reason), {
    signal,
  });
  socket.addEventListener("message", (event) => {
    const frame = readFrame(String(event.data));
    if (frame === undefined) return handlers.onClose(1007, "the server sent what is not JSON");
    const entries = readStreams(frame.streams ?? []);
    sortEntries(entries, "forward");
    handlers.onEntries(entries, frame.dropped ?? readNamed(frame.dropped_entries ?? []));
  }, { signal });
  return () => {
    abandon.abort();
    socket.close();
  };
}

interface Frame {
  readonly streams?: WireStream[] | null;
  /** Some of those left out, by name; with Tailrace all of them are in `dropped`. */
  readonly dropped_entries?: readonly { readonly timestamp: string }[] | null;
  readonly dropped?: Dropped;
}

function readNamed(named: NonNullable<Frame["dropped_entries"]>): Dropped | undefined {
  const times = named.map(({ timestamp }) => timestamp).sort(compareNanoseconds);
  const [first] = times;
  if (first === undefined) return undefined;
  return { count: times.length, first, last: times.at(-1) ?? first };
}

function readFrame(text: string): Frame | undefined {
  try {
    return JSON.parse(text) as Frame;
  } catch {
    return undefined;
  }
}
