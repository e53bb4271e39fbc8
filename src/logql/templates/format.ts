/** How values read when printed without a format: fmt's %v. functions/printf.ts has the other
 *  verbs. */
import { formatFloat } from "./formatFloat.ts";
import { GoTime } from "./goTime.ts";
import { timeText } from "./goTimeLayout.ts";
import { checkLength } from "./limits.ts";
import { isList, sortedKeys, type Value } from "./value.ts";

export function formatValue(value: Value): string {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
      return formatFloat(value, "g", null);
    case "bigint":
    case "boolean":
      return String(value);
    default:
      return formatStructure(value);
  }
}

function formatStructure(value: Value): string {
  if (value === null) return "<nil>";
  if (value instanceof GoTime) return timeText(value);
  return isList(value)
    ? `[${joined(value, formatValue)}]`
    : value instanceof Map
    ? `map[${joined(sortedKeys(value), (key) => `${key}:${formatValue(value.get(key)!)}`)}]`
    : "";
}

/** Items with spaces between; the length is checked on the way, since a list may hold one text many
 *  times. */
function joined<A>(items: ReadonlyArray<A>, format: (item: A) => string): string {
  let text = "";
  for (const item of items) {
    text += text === "" ? format(item) : ` ${format(item)}`;
    checkLength(text.length);
  }
  return text;
}

/** fmt.Sprint: a space between two operands of which neither is a string. */
export function sprint(values: ReadonlyArray<Value>): string {
  let text = "";
  values.forEach((value, index) => {
    const spaced = index > 0 && typeof value !== "string" && typeof values[index - 1] !== "string";
    text += spaced ? ` ${formatValue(value)}` : formatValue(value);
    checkLength(text.length);
  });
  return text;
}
