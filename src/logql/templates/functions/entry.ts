/** Functions that read the entry besides its labels. */
import { GoTime } from "../goTime.ts";
import { utc } from "../zone.ts";
import { type FunctionTable, siteFunction } from "./templateFunction.ts";

export const entry: FunctionTable = new Map([
  ["__line__", siteFunction([], ({ context }) => context.line())],
  ["__timestamp__", siteFunction([], ({ context }) => new GoTime(context.timestampNs(), utc))],
]);
