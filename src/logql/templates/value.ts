/** The values that templates compute with, as Go has them: bigint is an integer (int64), number a
 *  float64, null is nil. What fromJson answers is made of the same. format.ts prints them. */
import type { GoTime } from "./goTime.ts";

export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | GoTime
  | ReadonlyArray<Value>
  | ReadonlyMap<string, Value>;
