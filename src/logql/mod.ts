/** What other folders use of LogQL: parsing, printing, the tree, and compiling a log query's
 *  filters. Scan threads import lineFilter.ts and labelFilter.ts directly and so load no parser. */
export type * from "./ast.ts";
export { isLogQuery } from "./ast.ts";
export { ParseError } from "./error.ts";
export {
  compileLabelFilters,
  describeLabelFilter,
  foldMetadata,
  type LabelFilterDescription,
} from "./labelFilter.ts";
export {
  compileLineFilters,
  describeLineFilter,
  type LineFilterDescription,
} from "./lineFilter.ts";
export { parse, parseLogQuery, parseMatchers, parseMetricQuery, queryBytesMax } from "./parser.ts";
export { compilePipeline, type PipelinePlan, selectorMatchers } from "./pipelinePlan.ts";
export { prettyPrint, print } from "./printer.ts";
