// The names above columns of fields, with what takes a column away or moves it to the left. list.css knows the columns'
// width.
import { address, go } from "../state/address.ts";
import { Icon } from "./icons.tsx";

export function ColumnHeads({ columns, days }: { columns: readonly string[]; days: boolean }) {
  return (
    <div class="column-heads">
      <span class="level">level</span>
      <span class={`head-time ${days ? "days" : ""}`}>time</span>
      {columns.map((name, i) => (
        <span key={name} class="column" title={name}>
          {i > 0 && (
            <button
              type="button"
              class="icon-button"
              aria-label={`Move column ${name} to the left`}
              onClick={() => go({ columns: movedLeft(columns, i) }, "replace")}
            >
              <Icon name="left" />
            </button>
          )}
          <b>{name}</b>
          <button
            type="button"
            class="icon-button"
            aria-label={`Remove column ${name}`}
            onClick={() => toggleColumn(name)}
          >
            <Icon name="close" />
          </button>
        </span>
      ))}
      <span class="text">line</span>
    </div>
  );
}

/** Shows a label or field as a column, or takes it away. */
export function toggleColumn(name: string): void {
  const { columns } = address.peek();
  const next = columns.includes(name)
    ? columns.filter((each) => each !== name)
    : [...columns, name].slice(-columnsMax);
  go({ columns: next }, "replace");
}

const columnsMax = 8;

function movedLeft(columns: readonly string[], i: number): string[] {
  const moved = [...columns];
  const [column] = moved.splice(i, 1);
  if (column !== undefined) moved.splice(i - 1, 0, column);
  return moved;
}
