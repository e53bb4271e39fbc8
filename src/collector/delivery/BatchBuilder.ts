/** Collects entries until they are worth a push: for each tenant and each set of external labels one request,
 *  its streams encoded as they come. Owns what is in a batch and how large it is; Intake.ts owns when it is
 *  sealed. */
import { encodePushRequest, EntryBuffer } from "../../streams/pushEncoder.ts";
import type { StageEntry } from "../stages/entry.ts";
import { LabelSet } from "../stages/labelSet.ts";

/** Memory of buffers that are kept for the next batch: new memory costs more than what is written to it. */
const spareBytesMax = 8 << 20;
/** What a stream takes beside its labels: very many of them with short lines must not grow a batch without bound. */
const streamBytes = 512;
/** The same of a line. */
const lineBytes = 16;

/** A request before compression. */
export interface PushRequestDraft {
  readonly tenant: string;
  readonly external: string;
  readonly request: Uint8Array;
  readonly lines: number;
  readonly lineBytes: number;
}

interface StreamEntries {
  readonly labels: LabelSet;
  readonly tenant: TenantEntries;
  readonly entries: EntryBuffer;
}

interface TenantEntries {
  readonly streams: Map<string, StreamEntries>;
  lines: number;
  lineBytes: number;
}

export class BatchBuilder {
  readonly #externals: ReadonlyArray<LabelSet>;
  readonly #spare: EntryBuffer[] = [];
  #spareBytes = 0;
  #tenants = new Map<string, TenantEntries>();
  /** That of the last line: lines of a stream come in runs. */
  #latest: StreamEntries | undefined;
  #bytes = 0;
  #weight = 0;

  /** `externals`: the distinct sets of labels that clients add. */
  constructor(externals: ReadonlyArray<LabelSet>) {
    this.#externals = externals;
  }

  /** Bytes of lines and metadata. */
  get bytes(): number {
    return this.#bytes;
  }

  /** About how much memory the batch takes: more than `bytes` where lines are short or streams very many. */
  get weight(): number {
    return this.#weight;
  }

  /** Memory that it keeps for the next batch. */
  get spareBytes(): number {
    return this.#spareBytes;
  }

  add(entry: StageEntry): void {
    entry.encode();
    const { labels, bytes, start, end, seconds, nanos, metadata } = entry;
    if (this.#latest?.labels !== labels) this.#latest = this.#streamOf(labels);
    const { entries, tenant } = this.#latest;
    entries.add(bytes, start, end, seconds, nanos, metadata);
    let added = end - start;
    for (const [name, value] of metadata) added += name.length + value.length;
    this.#bytes += added;
    this.#weight += added + lineBytes;
    tenant.lines++;
    tenant.lineBytes += end - start;
  }

  #streamOf(labels: LabelSet): StreamEntries {
    const name = labels.tenant ?? "";
    let tenant = this.#tenants.get(name);
    if (tenant === undefined) {
      tenant = { streams: new Map(), lines: 0, lineBytes: 0 };
      this.#tenants.set(name, tenant);
    }
    let stream = tenant.streams.get(labels.text);
    if (stream === undefined) {
      stream = { labels, tenant, entries: this.#emptyBuffer() };
      tenant.streams.set(labels.text, stream);
      this.#weight += labels.text.length + streamBytes;
    }
    return stream;
  }

  /** The requests of all entries so far; the builder is empty again. */
  take(): ReadonlyArray<PushRequestDraft> {
    const drafts = [...this.#tenants].flatMap(([tenant, { streams, lines, lineBytes }]) =>
      this.#externals.map((external) => ({
        tenant,
        external: external.text,
        request: encodePushRequest(
          Array.from(
            streams.values(),
            ({ labels, entries }) => [withExternal(labels, external).text, entries] as const,
          ),
        ),
        lines,
        lineBytes,
      }))
    );
    for (const { streams } of this.#tenants.values()) {
      for (const { entries } of streams.values()) this.#keep(entries);
    }
    this.#tenants = new Map();
    this.#latest = undefined;
    this.#bytes = this.#weight = 0;
    return drafts;
  }

  #emptyBuffer(): EntryBuffer {
    const buffer = this.#spare.pop();
    if (buffer === undefined) return new EntryBuffer();
    this.#spareBytes -= buffer.capacity;
    return buffer;
  }

  #keep(buffer: EntryBuffer): void {
    if (this.#spareBytes + buffer.capacity > spareBytesMax) return;
    buffer.clear();
    this.#spareBytes += buffer.capacity;
    this.#spare.push(buffer);
  }
}

/** An entry's own labels win over those that the client adds. */
function withExternal(labels: LabelSet, external: LabelSet): LabelSet {
  if (external.pairs.length === 0) return labels;
  return LabelSet.of([...external.pairs, ...labels.pairs]);
}
