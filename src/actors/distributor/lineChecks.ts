/** Between the tenant's limits and the kernel that checks every line against them: limits in, refusals out as Loki words them. */
import { Level, levelOfText } from "../../kernels/level.ts";
import { type PushLimits, PushReject, type PushRows } from "../../kernels/push.ts";
import type { Limits } from "../../platform/config/mod.ts";
import { type Rejections, type RejectReason, texts } from "./rejection.ts";

const msNs = 1_000_000n;

const timeLeast = -(2n ** 63n);
/** One less than 64 bits hold: the ends of time ranges are exclusive, so nothing could find the last one. */
const timeMost = 2n ** 63n - 2n;

/** The nearest time that 64 bits hold: a grace period of centuries means no limit. */
function clamped(time: bigint): bigint {
  return time < timeLeast ? timeLeast : time > timeMost ? timeMost : time;
}

/** What the kernel checks, at a moment. */
export function pushLimits(
  limits: Limits,
  levelTexts: ReadonlyArray<Uint8Array>,
  nowMs: number,
): PushLimits {
  const now = BigInt(nowMs) * msNs;
  return {
    lineBytesMax: limits.max_line_size,
    truncateLines: limits.max_line_size_truncate,
    timeMin: limits.reject_old_samples
      ? clamped(now - BigInt(limits.reject_old_samples_max_age) * msNs)
      : timeLeast,
    timeMax: limits.creation_grace_period > 0
      ? clamped(now + BigInt(limits.creation_grace_period) * msNs)
      : timeMost,
    metaBytesMax: limits.max_structured_metadata_size,
    metaPairsMax: limits.max_structured_metadata_entries_count,
    detectLevels: limits.discover_log_levels,
    allowMetadata: limits.allow_structured_metadata,
    levelTexts,
  };
}

/** Level codes of one push's streams. Text that is no level gets a code of its own, as long as there are codes. */
export class LevelCodes {
  readonly texts: Uint8Array[] = [];
  readonly #codes = new Map<string, number>();

  codeOf(text: string | undefined): number {
    if (text === undefined) return Level.none;
    const known = levelOfText(text);
    if (known !== Level.none) return known;
    let code = this.#codes.get(text);
    if (code === undefined) {
      if (this.texts.length >= textsMax) return Level.none;
      code = Level.texts + this.texts.length;
      this.#codes.set(text, code);
      this.texts.push(encoder.encode(text));
    }
    return code;
  }
}

const textsMax = 240;
const encoder = new TextEncoder();

/** Takes over what the kernel refused. */
export function addKernelRejects(
  rows: PushRows,
  limits: PushLimits,
  labelsOf: (stream: number) => string,
  rejections: Rejections,
): void {
  for (let index = 0; index < rows.rejectReasons.length; index++) {
    const code = rows.rejectReasons[index]!;
    const stream = rows.rejectStreams[index]!;
    const { reason, text } = refusal(code, rows.rejectValues[index]!, limits);
    rejections.add(reason, 1, 0, () => text(labelsOf(stream)));
  }
  for (const code of Object.values(PushReject)) {
    const bytes = rows.rejectedBytes[code] ?? 0;
    if (bytes > 0) rejections.addBytes(refusal(code, 0n, limits).reason, bytes);
  }
}

interface Refusal {
  readonly reason: RejectReason;
  readonly text: (labels: string) => string;
}

function refusal(code: number, value: bigint, limits: PushLimits): Refusal {
  switch (code) {
    case PushReject.lineTooLong:
      return {
        reason: "line_too_long",
        text: (labels) => texts.lineTooLong(labels, value, limits.lineBytesMax),
      };
    case PushReject.tooOld:
      return {
        reason: "greater_than_max_sample_age",
        text: (labels) => texts.tooOld(labels, value, limits.timeMin),
      };
    case PushReject.tooNew:
      return { reason: "too_far_in_future", text: (labels) => texts.tooNew(labels, value) };
    case PushReject.metadataTooLarge:
      return {
        reason: "structured_metadata_too_large",
        text: (labels) => texts.metadataTooLarge(labels, value, limits.metaBytesMax),
      };
    case PushReject.tooManyPairs:
      return {
        reason: "structured_metadata_too_many",
        text: (labels) => texts.metadataTooMany(labels, value, limits.metaPairsMax),
      };
    default:
      return { reason: "disallowed_structured_metadata", text: texts.metadataDisallowed };
  }
}
