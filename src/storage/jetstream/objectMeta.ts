/** The record of one object in a bucket, as every client of NATS's object stores writes and reads it (ADR-20), with the stream
 *  sequences of the object's chunks as additional metadata, so that a range is read without a search. Pure. */

/** Of the standard's fields those that are used here. */
export interface ObjectMeta {
  readonly name: string;
  readonly bucket: string;
  /** Last token of the subject of its chunks. */
  readonly nuid: string;
  /** Bytes. */
  readonly size: number;
  readonly chunks: number;
  /** "SHA-256=" and the digest of all bytes in base64url. */
  readonly digest: string;
  readonly mtime: string;
  readonly deleted?: boolean;
  readonly options: { readonly max_chunk_size: number };
  readonly metadata: { readonly [sequencesKey]?: string };
}

export const sequencesKey = "tailrace-sequences";

export function metaSubject(bucket: string, name: string): string {
  return `$O.${bucket}.M.${base64url(name)}`;
}

export function chunkSubject(bucket: string, nuid: string): string {
  return `$O.${bucket}.C.${nuid}`;
}

/** The object's name in its record's subject. */
export function nameOfSubject(subject: string): string {
  const token = subject.slice(subject.lastIndexOf(".") + 1).replaceAll("-", "+").replaceAll(
    "_",
    "/",
  );
  return new TextDecoder().decode(
    Uint8Array.from(atob(token), (character) => character.charCodeAt(0)),
  );
}

export function decodeMeta(data: Uint8Array): ObjectMeta {
  return JSON.parse(new TextDecoder().decode(data)) as ObjectMeta;
}

/** "1024+1+2": the first sequence, then the distance of each from the one before. */
export function encodeSequences(sequences: ReadonlyArray<number>): string {
  return sequences.map((sequence, at) => at === 0 ? sequence : sequence - sequences[at - 1]!)
    .join("+");
}

/** The sequences of an object's chunks; undefined if another client stored it. */
export function sequencesOf({ metadata, chunks }: ObjectMeta): ReadonlyArray<number> | undefined {
  const text = metadata?.[sequencesKey];
  if (text === undefined) return chunks === 0 ? [] : undefined;
  let sequence = 0;
  const sequences = text === "" ? [] : text.split("+").map((part) => sequence += Number(part));
  return sequences.length === chunks ? sequences : undefined;
}

/** With padding, as the clients have it. Keys are ASCII. */
function base64url(name: string): string {
  return btoa(name).replaceAll("+", "-").replaceAll("/", "_");
}
