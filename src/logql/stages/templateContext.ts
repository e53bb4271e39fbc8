/** What templates see of a row. templates/ owns the language; line_format and label_format render
 *  with this. Invariant: it answers for whatever row was given to `use` last. */
import { category, type Row } from "../row.ts";
import type { TemplateContext } from "../templates/mod.ts";

export class RowContext implements TemplateContext {
  #row: Row | null = null;
  /** Slots of the names that templates read; names never change their slot while a row lives. */
  #slots = new Map<string, number>();
  #generation = -1;

  use(row: Row): void {
    if (row !== this.#row || row.names.generation !== this.#generation) {
      this.#slots.clear();
      this.#generation = row.names.generation;
    }
    this.#row = row;
  }

  label(name: string): string | undefined {
    const row = this.#row!;
    let slot = this.#slots.get(name);
    if (slot === undefined) {
      slot = row.names.findText(name);
      // A name that a template computes may be any: the map keeps those that the row knows.
      if (slot >= 0 && this.#slots.size < 256) this.#slots.set(name, slot);
    }
    return slot < 0 ? undefined : row.text(slot);
  }

  *labels(): Iterable<readonly [string, string]> {
    const row = this.#row!;
    for (let index = 0; index < row.memberCount; index++) {
      const slot = row.members[index]!;
      if (row.categories[slot] !== category.none) yield [row.names.text(slot), row.text(slot)!];
    }
  }

  line(): string {
    return this.#row!.lineText();
  }

  timestampNs(): bigint {
    return this.#row!.timestampNs();
  }
}
