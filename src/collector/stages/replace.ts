/** The stage `replace`: replaces what the groups of a regular expression capture, in the line or in an
 *  extracted value, by a template in which `.Value` is the captured text. What named groups were
 *  replaced by is extracted under their names. */
import { Schema } from "effect";
import { Text, withDefault } from "../config/scalars.ts";
import type { StageEntry } from "./entry.ts";
import { OptionalSource, sourceText } from "./source.ts";
import { keep } from "./stage.ts";
import { defineStage } from "./stageDefinition.ts";
import { findAll, stageRegex } from "./stageRegex.ts";
import { type StageTemplate, stageTemplate, templateReads } from "./stageTemplate.ts";

const Config = Schema.Struct({
  expression: Text,
  source: OptionalSource,
  replace: withDefault(Text, ""),
});

export const replace = defineStage({
  name: "replace",
  schema: Config,
  reads: ({ source, replace }) => {
    const reads = templateReads(replace);
    return reads === "all" || source === undefined ? reads : [source, ...reads];
  },
  compile: ({ expression, source, replace: text }, context) => {
    const regex = stageRegex(expression, "expression", context);
    const template = stageTemplate(text, "replace", context, { missing: "" });
    return {
      apply(entry) {
        const input = sourceText(entry, source);
        const first = input === undefined ? null : regex.find(input, 0);
        if (first === null) return keep;
        const result = replaceGroups(entry, input!, findAll(regex, input!), template);
        if (result === null) return keep;
        if (source === undefined) entry.text = result;
        else entry.extracted.set(source, result);
        regex.names.forEach((name, index) => {
          const start = first[2 * index + 2]!;
          if (name === "" || start < 0) return;
          const value = template.render(entry, input!.slice(start, first[2 * index + 3]));
          if (value !== null) entry.extracted.set(name, value);
        });
        return keep;
      },
    };
  },
});

/** A group within one that was replaced is gone with it. Null if the template fails. */
function replaceGroups(
  entry: StageEntry,
  input: string,
  matches: Iterable<Int32Array>,
  template: StageTemplate,
): string | null {
  let result = "";
  let end = -1;
  for (const groups of matches) {
    for (let at = 2; at < groups.length; at += 2) {
      const start = groups[at]!;
      const stop = groups[at + 1]!;
      // An empty group right after another is no place of its own.
      const isNew = start > end || (start === end && stop > start);
      if (start < 0 || !isNew) continue;
      const value = template.render(entry, input.slice(start, stop));
      if (value === null) return null;
      result += input.slice(Math.max(0, end), start) + value;
      end = stop;
    }
  }
  return result + input.slice(Math.max(0, end));
}
