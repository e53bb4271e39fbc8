/** What a long-running process logs: the format and the least level, as configured, on standard error. */
import { Layer, Logger, References } from "effect";

const levels = { debug: "Debug", info: "Info", warn: "Warn", error: "Error" } as const;

/** `log_level` is one of debug, info, warn and error; anything else logs as info does. */
export function loggingLayer(
  { log_format, log_level }: { readonly log_format: string; readonly log_level: string },
) {
  const logger = log_format === "json" ? Logger.formatJson : Logger.formatLogFmt;
  const level = Object.entries(levels).find(([name]) => name === log_level)?.[1] ?? "Info";
  return Layer.mergeAll(
    Logger.layer([Logger.withConsoleError(logger)]),
    Layer.succeed(References.MinimumLogLevel, level),
  );
}
