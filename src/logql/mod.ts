/** What other folders use of LogQL: parsing, printing, the tree, and compiling a log query's filters. */
export type * from "./ast.ts";
export { isLogQuery } from "./ast.ts";
export { ParseError } from "./error.ts";
export {
  parse,
  parseLogQuery,
  parseMatchers,
  parseMetricQuery,
  queryBytesMax,
  selectorMatchers,
} from "./parser.ts";
export { prettyPrint, print } from "./printer.ts";
