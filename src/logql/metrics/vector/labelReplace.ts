/** label_replace(v, destination, replacement, source, regex): sets a label from the groups of a regex
 *  that matches the whole of another label. */
import type { LabelReplaceTree } from "../../planner/metricPlan.ts";
import { compileGroupRegex, type GroupMatch } from "../../../streams/regex.ts";
import { type Budget, seriesSize } from "../budget.ts";
import { MetricLimitReached } from "../cells.ts";
import type { Labels } from "../../../streams/labels.ts";
import { type Matrix, matrixOf } from "../matrix.ts";

/** Where the regex does not match, a series stays as it is; an empty result removes the label. Series
 *  that end up with the same labels stay apart, as in Loki: an aggregation around it puts them together. */
export function replaceLabel(
  matrix: Matrix,
  { source, destination, replacement, regex }: Pick<
    LabelReplaceTree,
    "source" | "destination" | "replacement" | "regex"
  >,
  budget: Budget,
): Matrix {
  const compiled = compileGroupRegex(regex);
  const relabelled = matrix.series.map((series) => {
    const value = series.labels.find(([name]) => name === source)?.[1] ?? "";
    budget.work(value.length * samplesPerCharacter);
    const groups = compiled.match(value);
    if (groups === null) return series;
    const text = expand(replacement, groups, valueCharactersMax);
    if (text === null) {
      throw new MetricLimitReached(
        `label_replace makes a value of "${destination}" longer than ${valueCharactersMax} characters: shorten its replacement`,
      );
    }
    const labels = withLabel(series.labels, destination, text);
    budget.hold(seriesSize(labels, 0));
    return { ...series, labels };
  });
  return matrixOf(relabelled);
}

function withLabel(labels: Labels, name: string, value: string): Labels {
  const others = labels.filter(([other]) => other !== name);
  if (value === "") return others;
  return [...others, [name, value] as const].sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
}

/** A regex takes longer for a character than an operator for a sample. */
const samplesPerCharacter = 16;

/** Of a label's value that label_replace makes: replacements within replacements double it each time. */
const valueCharactersMax = 16_384;

/** Go's regexp.Expand: `$1`, `${1}`, `$name`, `${name}` are groups, `$$` is a dollar sign; an unbraced
 *  name is as long as it can be; what is not there is empty. Null if the result would be longer than
 *  `charactersMax`. */
export function expand(
  template: string,
  { groups, names }: GroupMatch,
  charactersMax: number,
): string | null {
  let left = charactersMax - template.length;
  const expanded = template.replace(
    /\$(?:(\$)|\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))/g,
    (_, dollar: string | undefined, braced: string | undefined, bare: string | undefined) => {
      if (dollar !== undefined) return "$";
      const name = (braced ?? bare)!;
      const number = /^\d+$/.test(name) ? Number(name) : names[name];
      const group = number === undefined ? "" : groups[number] ?? "";
      left -= group.length;
      return left < 0 ? "" : group;
    },
  );
  return left < 0 ? null : expanded;
}
