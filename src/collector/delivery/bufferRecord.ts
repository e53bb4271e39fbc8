/** A record of the disk buffer: the pushes of one batch, as they go on the wire, and the positions that hold
 *  once they are delivered. Owns the bytes; the write log around them owns checksums and order.
 *
 *    u32  length of the header, little endian
 *    ...  header: JSON, below
 *    ...  the bodies one after another (snappy) */
import { Schema } from "effect";
import { Position } from "../positions/position.ts";

const Body = Schema.Struct({
  /** "" for the client's own. */
  tenant: Schema.String,
  /** The external labels that its streams have, as text; clients with the same ones share bodies. */
  external: Schema.String,
  bytes: Schema.Int,
  lines: Schema.Int,
  /** Bytes of lines before compression. */
  lineBytes: Schema.Int,
});

const Header = Schema.Struct({
  positions: Schema.Array(Position),
  bodies: Schema.Array(Body),
});

/** A push request and what it is. */
export interface PushBody extends Omit<typeof Body.Type, "bytes"> {
  readonly bytes: Uint8Array;
}

export interface BufferRecord {
  readonly positions: ReadonlyArray<Position>;
  readonly bodies: ReadonlyArray<PushBody>;
}

const decodeHeader = Schema.decodeUnknownSync(Schema.fromJsonString(Header));

export function encodeBufferRecord({ positions, bodies }: BufferRecord): Uint8Array {
  const header = new TextEncoder().encode(JSON.stringify({
    positions,
    bodies: bodies.map((body) => ({ ...body, bytes: body.bytes.byteLength })),
  }));
  const bodyBytes = bodies.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
  const record = new Uint8Array(4 + header.byteLength + bodyBytes);
  new DataView(record.buffer).setUint32(0, header.byteLength, true);
  record.set(header, 4);
  let at = 4 + header.byteLength;
  for (const { bytes } of bodies) {
    record.set(bytes, at);
    at += bytes.byteLength;
  }
  return record;
}

/** Throws if the bytes are no record: the log has checked them, so that is another version's. */
export function decodeBufferRecord(record: Uint8Array): BufferRecord {
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  const headerEnd = 4 + view.getUint32(0, true);
  const header = decodeHeader(new TextDecoder().decode(record.subarray(4, headerEnd)));
  let at = headerEnd;
  const bodies = header.bodies.map((body) => {
    const bytes = record.subarray(at, at += body.bytes);
    return { ...body, bytes };
  });
  return { positions: header.positions, bodies };
}
