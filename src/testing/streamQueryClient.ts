/** A client of streaming queries (docs/api.md, `/tailrace/api/v1/query`). Owns the connection and keeps the frames in order;
 *  what they should hold is the test's business. */
import WebSocket from "ws";
import type { ValueExtra } from "./queryClient.ts";

export interface StreamGroup {
  readonly stream: Readonly<Record<string, string>>;
  readonly values: ReadonlyArray<readonly [string, string, ValueExtra?]>;
}

export type QueryFrame =
  | {
    readonly type: "progress";
    readonly partsDone: number;
    readonly partsTotal: number;
    readonly bytesDone: number;
    readonly bytesTotal: number;
    readonly linesMatched: number;
    readonly linesScanned: number;
    readonly bytesScanned: number;
    readonly leaf?: number;
    readonly leaves?: number;
  }
  | { readonly type: "rows"; readonly result: ReadonlyArray<StreamGroup> }
  | {
    readonly type: "samples";
    readonly data: { readonly resultType: string; readonly result: unknown };
  }
  | {
    readonly type: "done";
    readonly data: {
      readonly resultType: string;
      readonly encodingFlags?: ReadonlyArray<string>;
      readonly stats: { readonly summary: Readonly<Record<string, number>> };
    };
  }
  | { readonly type: "error"; readonly status: number; readonly message: string };

/** Opens a query; `onFrame` gets each frame and may close the connection, which can be had from `onOpen` too. Resolves with the
 *  close code when it has ended. */
export function streamQuery(
  baseUrl: string,
  parameters: Readonly<Record<string, string>>,
  onFrame: (frame: QueryFrame, close: () => void) => void,
  onOpen: (close: () => void) => void = () => {},
): Promise<number> {
  const search = new URLSearchParams(parameters);
  const socket = new WebSocket(
    `${baseUrl.replace(/^http/, "ws")}/tailrace/api/v1/query?${search}`,
  );
  return new Promise((resolve, reject) => {
    socket.on("message", (data: Buffer) => {
      onFrame(JSON.parse(data.toString()) as QueryFrame, () => socket.close());
    });
    socket.on("open", () => onOpen(() => socket.close()));
    socket.on("close", (code) => resolve(code));
    socket.on("error", reject);
  });
}

/** All frames of a query that runs to its end. */
export async function framesOf(
  baseUrl: string,
  parameters: Readonly<Record<string, string>>,
): Promise<ReadonlyArray<QueryFrame>> {
  const frames: QueryFrame[] = [];
  await streamQuery(baseUrl, parameters, (frame) => frames.push(frame));
  return frames;
}
