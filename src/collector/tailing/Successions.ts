/** Which file goes on where a rotated one ended: a container's runtime rotates between the parts of a line, any program
 *  between the lines of a stack trace. The first look into a file waits until the file before it in its log has been
 *  read to its end; what stages hold back of that then waits for the lines of the next one. Owns who follows whom;
 *  stages own what they hold, and the positions of both files stay before it.
 *  Invariant: a file is followed by one other, which has had no lines before. */
import type { LogFileStatus } from "../../platform/logFiles.ts";
import { DirectoryLook } from "./DirectoryLook.ts";
import { addTo, deleteFrom } from "./mapOfSets.ts";
import { pathKey } from "./fileKeys.ts";
import { compressionOf, logNameOf } from "./rotationNames.ts";
import type { TailedFile } from "./TailedFile.ts";

/** The last lines may still be on their way into the old file when the new one has its first. */
const settleMs = 250;
/** The next file is not kept waiting for longer, as where the old one cannot be read or is far behind; its first lines
 *  are not joined with the last ones then. */
const waitMsMax = 30_000;

export class Successions {
  /** Files that the path of their log does not lead to any more, and that no other has followed yet; by job and log. */
  readonly #left = new Map<string, Set<TailedFile>>();
  readonly #waitingSinceMs = new WeakMap<TailedFile, number>();

  /** A file has got its names. */
  add(file: TailedFile): void {
    if (file.target !== file.log) addTo(this.#left, logKey(file), file);
  }

  remove(file: TailedFile): void {
    deleteFrom(this.#left, logKey(file), file);
  }

  /** What is held back of a file is not followed by lines of its own, but by those of `next`. */
  #follow(file: TailedFile, next: TailedFile): void {
    this.remove(file);
    next.stream.pipeline.follow(file, next);
  }

  /** Whether a file may be looked into: always, but for the first time. */
  mayRead(file: TailedFile, nowMs: number): boolean {
    if (file.isLookedInto || !file.stream.pipeline.joinsLines) return true;
    const before = this.#before(file);
    if (before === undefined) return true;
    // Rotation may make the new file long before the old one's writer turns to it.
    if (file.target === file.log && (statusOf(file)?.bytes ?? 0) <= file.consumed) return false;
    const sinceMs = this.#waitingSinceMs.get(file) ?? nowMs;
    this.#waitingSinceMs.set(file, sinceMs);
    const between = fileBetween(before, file);
    // What is compressed is not tailed, so that nothing can be handed on through it.
    if (between !== undefined && compressionOf(between) !== undefined) return true;
    const quietMs = (statusOf(before)?.modifiedMs ?? nowMs) + settleMs;
    const isOver = between === undefined && before.caughtUpMs >= Math.max(sinceMs, quietMs);
    if (isOver) this.#follow(before, file);
    return isOver || nowMs - sinceMs >= waitMsMax;
  }

  /** The file of the same log that was written to last before this one; undefined if there is none, or if the times of
   *  several do not tell which it is. */
  #before(file: TailedFile): TailedFile | undefined {
    const own = ageOf(file);
    const left = this.#left.get(logKey(file));
    if (left === undefined || own === undefined) return undefined;
    const others = [...left]
      .filter((other) => other !== file && other.stream.pipeline === file.stream.pipeline)
      .flatMap((other) => {
        const age = ageOf(other);
        return age === undefined ? [] : [{ other, age }];
      })
      .filter(({ age }) => compareAge(age, own) <= 0)
      .sort((a, b) => compareAge(b.age, a.age));
    const [latest, second] = others;
    if (latest === undefined || compareAge(latest.age, own) === 0) return undefined;
    if (second !== undefined && compareAge(second.age, latest.age) === 0) return undefined;
    return latest.other;
  }
}

/** A file of the same log that was written to between two others: it is to be tailed when it has been found. */
function fileBetween(before: TailedFile, file: TailedFile): string | undefined {
  const look = new DirectoryLook();
  const [from, to] = [ageOf(before), ageOf(file)];
  if (from === undefined || to === undefined) return undefined;
  return look.rotationsOf(file.path).find((path) => {
    const status = look.status(path);
    return path !== logNameOf(path) && status?.isFile === true && status.bytes > 0 &&
      status.inode !== file.inode && status.inode !== before.inode &&
      compareAge(status, from) >= 0 && compareAge(status, to) <= 0;
  });
}

type Age = Pick<LogFileStatus, "modifiedMs" | "bornMs">;

/** When a file was written to and made. The log itself is younger than all that was rotated: copytruncate leaves a copy
 *  that was made later. */
function ageOf(file: TailedFile): Age | undefined {
  const status = statusOf(file);
  if (status === undefined || file.target !== file.log) return status;
  return { modifiedMs: status.modifiedMs, bornMs: Infinity };
}

/** Whether one file was written to before another: times of files are a few ms coarse, so that rotation and the first
 *  line of the next file may fall into one. */
function compareAge(one: Age, other: Age): number {
  return one.modifiedMs - other.modifiedMs || one.bornMs - other.bornMs;
}

function logKey({ job, log }: TailedFile): string {
  return pathKey(job, log);
}

function statusOf(file: TailedFile): LogFileStatus | undefined {
  return file.withContent((content) => content.status());
}
