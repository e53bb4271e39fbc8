/** Removes chunks of objects that were never completed: their writer died before it wrote the
 *  object's record. Without it they would stay for ever, since no record names them. */
import { leaderGet } from "../../cluster/directGet.ts";
import type { NatsLink } from "../../cluster/Nats.ts";
import { retrying } from "../../cluster/natsErrors.ts";
import { objectBucketName } from "../../cluster/streams.ts";
import { decodeMeta } from "./objectMeta.ts";

/** A put takes seconds; chunks that are older and that no record names have lost their writer. */
const orphanAgeMs = 3_600_000;
const retryMs = 15_000;

/** Purges the orphans of one bucket; the result is how many objects they were of. */
export async function sweepChunks(
  link: NatsLink,
  shard: number,
  ageMs: number = orphanAgeMs,
): Promise<number> {
  const bucket = objectBucketName(shard);
  const stream = `OBJ_${bucket}`;
  const { streams } = link.manager;
  const subjectsOf = async (filter: string) => {
    const info = await retrying(retryMs, () => streams.info(stream, { subjects_filter: filter }));
    return Object.keys(info.state.subjects ?? {});
  };
  // Chunks before records: a put that completes in between has its record in the second list.
  const chunks = await subjectsOf(`$O.${bucket}.C.>`);
  const named = new Set<string>();
  for (const subject of await subjectsOf(`$O.${bucket}.M.>`)) {
    const meta = await retrying(retryMs, () => leaderGet(link, stream, { last_by_subj: subject }));
    if (meta !== undefined) named.add(decodeMeta(meta.data).nuid);
  }
  let count = 0;
  for (const subject of chunks) {
    if (named.has(subject.slice(subject.lastIndexOf(".") + 1))) continue;
    const last = await retrying(
      retryMs,
      () => streams.getMessage(stream, { last_by_subj: subject }),
    );
    if (last === null || Date.now() - last.time.getTime() < ageMs) continue;
    await retrying(retryMs, () => streams.purge(stream, { filter: subject }));
    count++;
  }
  return count;
}
