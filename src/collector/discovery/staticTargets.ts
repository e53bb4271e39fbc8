/** `static_configs`: targets that the configuration itself names. Owns turning discovered labels into groups
 *  of files, which all discoverers that find files share. */
import { hostName } from "../../platform/system.ts";
import type { Job } from "../Lines.ts";
import { staticTargets } from "../relabel/targetLabels.ts";
import { type FileGroup } from "../tailing/FileTargets.ts";
import { compressedDelayMs } from "../tailing/CompressedFiles.ts";
import { Glob } from "../tailing/glob.ts";
import { textEncoding } from "../tailing/textEncoding.ts";

/** The groups of files of a job's static targets. */
export function staticGroups(job: Job): ReadonlyArray<FileGroup> {
  return job.config.static_configs.flatMap(staticTargets)
    .flatMap((discovered) => fileGroup(job, discovered) ?? []);
}

/** The files of one target, whose labels are as discovery found them. Undefined if a rule drops it, if it is
 *  another host's, or if it names no path. Throws InvalidGlob. */
export function fileGroup(
  job: Job,
  discovered: ReadonlyMap<string, string>,
): FileGroup | undefined {
  const target = job.relabel(discovered);
  if (target === null) return undefined;
  const { labels, internal } = target;
  const host = internal.get("__host__");
  if (host !== undefined && host !== "" && host !== hostName()) return undefined;
  const path = internal.get("__path__");
  if (path === undefined || path === "") return undefined;
  const { enabled, format, initial_delay } = job.config.decompression;
  const exclude = internal.get("__path_exclude__");
  return {
    job: job.name,
    glob: new Glob(path),
    pathText: path,
    exclude: exclude === undefined || exclude === "" ? undefined : new Glob(exclude),
    pipeline: job.pipeline,
    labels,
    compression: enabled && (format === "gz" || format === "z") ? format : undefined,
    encoding: textEncoding(job.config.encoding),
    compressedDelayMs: Math.max(compressedDelayMs, initial_delay),
  };
}
