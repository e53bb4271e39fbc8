/** Reads the expressions of `| json name="a.b[0][\"c d\"]"`. Invariant: a path has at least one
 *  step. */

/** A key of an object, or an index into an array. */
export type JsonPathStep = string | number;

/** The steps of a path, or what is wrong with it. */
export function parseJsonPath(text: string): ReadonlyArray<JsonPathStep> | string {
  const steps: JsonPathStep[] = [];
  let position = 0;
  while (position < text.length) {
    const rest = text.slice(position);
    const match = (steps.length === 0 ? firstStep : nextStep).exec(rest);
    if (match === null) return problem(rest, position);
    if (match[1] !== undefined) steps.push(match[1]);
    else if (match[2] !== undefined) steps.push(Number(match[2]));
    else steps.push(match[3]!.replace(/\\(.)/gs, "$1"));
    position += match[0].length;
  }
  if (steps.length > stepsMax) return `it has ${steps.length} steps and the limit is ${stepsMax}`;
  return steps.length === 0
    ? "the expression is empty: write a path such as request.method"
    : steps;
}

/** Each step reads what is left of the line once more. */
const stepsMax = 100;

const name = "([A-Za-z_][A-Za-z0-9_]*)";
const bracket = '\\[(?:(\\d{1,9})|"((?:[^"\\\\]|\\\\.)*)")\\]';
const firstStep = new RegExp(`^(?:${name}|${bracket})`, "s");
const nextStep = new RegExp(`^(?:\\.${name}|${bracket})`, "s");

function problem(rest: string, position: number): string {
  const where = `cannot read ${JSON.stringify(rest.slice(0, 20))} at character ${
    position + 1
  } of the path`;
  return `${where}: names with other characters than [A-Za-z0-9_] are written ["my-key"], array elements [0]`;
}
