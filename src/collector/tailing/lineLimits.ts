/** How long a line may be, and what becomes of a longer one. */

export interface LineLimits {
  readonly bytesMax: number;
  /** split: it becomes several lines; truncate: its end is left out; drop: all of it is. */
  readonly longLines: "split" | "truncate" | "drop";
}

/** The bound when the configuration has none: beyond what any server takes as one line. */
const unlimitedBytesMax = 1 << 20;

/** From `limits_config`, where max_line_size 0 means no limit: such lines are split, not kept whole, since
 *  memory has one. */
export function lineLimits(options: {
  readonly max_line_size: number;
  readonly max_line_size_truncate: boolean;
}): LineLimits {
  if (options.max_line_size <= 0) return { bytesMax: unlimitedBytesMax, longLines: "split" };
  return {
    bytesMax: options.max_line_size,
    longLines: options.max_line_size_truncate ? "truncate" : "drop",
  };
}
