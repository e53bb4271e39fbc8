/** What other folders use of LogQL: parsing, printing, the tree, and describing and
 *  compiling pipelines. Scan threads import pipeline.ts directly and so load no parser. */
export type * from "./ast.ts";
export { isLogQuery } from "./ast.ts";
export { ParseError } from "./error.ts";
export { type GroupBytes, type GroupChoice, GroupKeys, groupLabels } from "./groupKeys.ts";
export { compilePipeline, type Pipeline, type StreamPipeline } from "./pipeline.ts";
export { parse, parseLogQuery, parseMatchers, parseMetricQuery, queryBytesMax } from "./parser.ts";
export {
  describePipeline,
  everything,
  type Needed,
  type PipelineDescription,
  selectorMatchers,
} from "./pipelinePlan.ts";
export { prettyPrint, print } from "./printer.ts";
export {
  compileTemplate,
  type FunctionTable,
  logqlFunctions,
  type Template,
  type TemplateContext,
  TemplateFailed,
  type TemplateOptions,
  TemplateSyntaxError,
} from "./templates/mod.ts";
