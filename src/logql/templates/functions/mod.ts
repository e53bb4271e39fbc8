/** Every function of LogQL's templates. `and` and `or` are compile.ts's, since they evaluate only
 *  what they need. */
import { builtins } from "./builtins.ts";
import { dates } from "./dates.ts";
import { encoding } from "./encoding.ts";
import { entry } from "./entry.ts";
import { json } from "./json.ts";
import { numbers } from "./numbers.ts";
import { printing } from "./printf.ts";
import { regexes } from "./regexes.ts";
import { strings } from "./strings.ts";
import type { FunctionTable } from "./templateFunction.ts";

export const logqlFunctions: FunctionTable = new Map([
  ...builtins,
  ...printing,
  ...strings,
  ...regexes,
  ...numbers,
  ...dates,
  ...encoding,
  ...json,
  ...entry,
]);
