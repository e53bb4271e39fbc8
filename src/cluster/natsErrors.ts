/** What the errors of NATS mean to those who can act on them. Numbers are JetStream's error codes. */
import { JetStreamApiError } from "@nats-io/jetstream";
import { errors } from "@nats-io/transport-node";

/** JetStream's code, or undefined for an error of another kind. */
export function apiCode(error: unknown): number | undefined {
  return error instanceof JetStreamApiError ? error.apiError().err_code : undefined;
}

/** Whether a conditional publish found another sequence than it expected: one that is there, or
 *  one of a message that the servers are still agreeing on. */
export function isConflict(error: unknown): boolean {
  const code = apiCode(error);
  return code === wrongLastSequence || code === subjectInProcess;
}

/** A conditional publish expected another sequence than the one that is stored. */
export const wrongLastSequence = 10071;

/** The stream has max_bytes of messages and discards new ones. */
export const streamFull = 10077;
/** The server's or the account's store is full. */
export const insufficientResources = 10023;
/** Not enough servers can take the stream; most likely they have too little room for its max_bytes. */
export const noPlacement = 10005;
/** The only server has too little room for the stream's max_bytes. */
export const noRoom = 10047;
export const messageTooBig = 10054;
export const streamNotFound = 10059;
/** The first copy of a message with this id has not been decided yet. */
const duplicateInProcess = 10158;
/** The servers are still agreeing on another message of the subject. */
const subjectInProcess = 10164;
/** Leaders are being elected, the server starts, or something before it is being decided. */
const temporary = new Set([10008, 10009, duplicateInProcess, subjectInProcess]);

/** Others create the stream, and have not yet. */
export class StreamMissing extends Error {
  override readonly name = "StreamMissing";
}

/** Whether the same request may succeed in a moment. Its outcome is unknown: it may have been done. */
export function isTransient(error: unknown): boolean {
  if (error instanceof StreamMissing) return true;
  // Nobody answered, which is what an election looks like.
  if (error instanceof Error && error.name === "JetStreamNotEnabled") return true;
  if (error instanceof errors.TimeoutError || error instanceof errors.NoRespondersError) {
    return true;
  }
  if (error instanceof errors.RequestError || error instanceof errors.ConnectionError) return true;
  if (error instanceof Error && /ECONNREFUSED|ECONNRESET|CONNECTION_REFUSED/i.test(error.message)) {
    return true;
  }
  const code = apiCode(error);
  return code !== undefined && temporary.has(code);
}

/** Runs `work` again while it fails in a way that may pass, until `deadlineMs` have gone by; then rejects with
 *  its last error. `work` is told how much of that is left. */
export async function retrying<Result>(
  deadlineMs: number,
  work: (leftMs: number) => Promise<Result>,
): Promise<Result> {
  const endMs = performance.now() + deadlineMs;
  for (let waitMs = 20;; waitMs = Math.min(waitMs * 2, 250)) {
    try {
      return await work(Math.max(1, endMs - performance.now()));
    } catch (error) {
      if (!isTransient(error) || performance.now() + waitMs > endMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}
