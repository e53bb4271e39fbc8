/** `| label_format a=b, c="{{.d}}"`: renames labels, and sets them to what templates say.
 *  Invariant: templates see the labels as they were before the stage; assignments happen in their
 *  order. What they give is a parsed label, also where a label of the stream is renamed. */
import type { LabelAssignment } from "../ast.ts";
import type { NameTable } from "../nameTable.ts";
import { category, type Row } from "../row.ts";
import { compileTemplate, type Template, TemplateFailed } from "../templates/mod.ts";
import type { RowStage } from "./stage.ts";
import { RowContext } from "./templateContext.ts";

interface CompiledAssignment {
  readonly slot: number;
  /** The slot to rename, or the template to render. */
  readonly source: number | Template;
}

/** `checkpoint` is called for each template of a row: they may take their time. Throws
 *  TemplateSyntaxError. */
export class LabelFormat implements RowStage {
  readonly #assignments: ReadonlyArray<CompiledAssignment>;
  readonly #context = new RowContext();
  /** What the templates of the present row gave, by assignment. */
  readonly #results: Array<string | TemplateFailed | null>;

  readonly #checkpoint: () => void;

  constructor(
    assignments: ReadonlyArray<LabelAssignment>,
    names: NameTable,
    checkpoint: () => void,
  ) {
    this.#checkpoint = checkpoint;
    this.#assignments = assignments.map(({ name, type, source }) => ({
      slot: names.require(name),
      source: type === "rename" ? names.require(source) : compileTemplate(source),
    }));
    this.#results = assignments.map(() => null);
  }

  apply(row: Row): boolean {
    this.#context.use(row);
    for (let index = 0; index < this.#assignments.length; index++) {
      const { source } = this.#assignments[index]!;
      if (typeof source !== "number") this.#results[index] = this.#render(source);
    }
    for (let index = 0; index < this.#assignments.length; index++) {
      const { slot, source } = this.#assignments[index]!;
      if (typeof source === "number") rename(row, source, slot);
      else this.#assign(row, slot, this.#results[index]!);
    }
    return true;
  }

  #render(template: Template): string | TemplateFailed {
    this.#checkpoint();
    try {
      return template.render(this.#context);
    } catch (error) {
      if (error instanceof TemplateFailed) return error;
      throw error;
    }
  }

  #assign(row: Row, slot: number, result: string | TemplateFailed): void {
    if (typeof result === "string") row.setText(slot, category.parsed, result);
    else row.setError("TemplateFormatErr", result.message);
  }
}

/** A missing source leaves the destination as it is. */
function rename(row: Row, from: number, to: number): void {
  if (from === to || !row.has(from)) return;
  row.set(to, category.parsed, row.sources[from]!, row.starts[from]!, row.ends[from]!);
  row.delete(from);
}
