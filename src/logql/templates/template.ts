/** What a compiled template asks for and answers. compile.ts makes it; the pipeline's line_format
 *  and label_format and the collector's template stage give it its context. */
import type { Value } from "./value.ts";

/** One entry, as a template sees it. Nothing is asked that the template does not read. */
export interface TemplateContext {
  /** What `.name` reads; undefined if there is no such label. */
  label(name: string): Value | undefined;
  /** Every label, for a template that uses `.` itself. */
  labels(): Iterable<readonly [name: string, value: Value]>;
  /** What `__line__` answers. */
  line(): string;
  /** What `__timestamp__` answers, in Unix nanoseconds. */
  timestampNs(): bigint;
}

/** Rendering keeps no state: one template may serve any number of entries. */
export interface Template {
  /** The labels that it can read; "all" if it uses `.` as a whole. */
  readonly labelNames: ReadonlySet<string> | "all";
  readonly readsLine: boolean;
  readonly readsTimestamp: boolean;
  /** Throws TemplateFailed. */
  render(context: TemplateContext): string;
}
