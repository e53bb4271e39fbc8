/** `| line_format "{{.method}} {{.path}}"`: the line becomes what the template says. Invariant: a
 *  template that fails leaves the line as it is and sets __error__. */
import { compileTemplate, TemplateFailed } from "../templates/mod.ts";
import type { RowStage } from "./stage.ts";
import { RowContext } from "./templateContext.ts";

/** `checkpoint` is called for each row: a template may take its time. Throws TemplateSyntaxError.
 */
export function lineFormat(text: string, checkpoint: () => void): RowStage {
  const template = compileTemplate(text);
  const context = new RowContext();
  return {
    apply: (row) => {
      checkpoint();
      context.use(row);
      try {
        row.setLine(template.render(context));
      } catch (error) {
        if (!(error instanceof TemplateFailed)) throw error;
        row.setError("TemplateFormatErr", error.message);
      }
      return true;
    },
  };
}
