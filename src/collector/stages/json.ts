/** The stage `json`: extracts values from a JSON object by JMESPath expressions. Numbers and truth
 *  values stay what they are, arrays and objects become JSON text. Where all expressions are names, jsonFields.ts
 *  reads usual lines without parsing them. */
import { compile, type JSONValue, TreeInterpreter } from "@jmespath-community/jmespath";
import { Schema } from "effect";
import { Text, Toggle, withDefault } from "../config/scalars.ts";
import { parseObject } from "./docker.ts";
import type { ExtractedValue } from "./entry.ts";
import { JsonFields } from "./jsonFields.ts";
import { OptionalSource, sourceText } from "./source.ts";
import { drop, keep, type StageContext } from "./stage.ts";
import { defineStage } from "./stageDefinition.ts";

const Config = Schema.Struct({
  expressions: Schema.Record(Schema.String, Schema.UndefinedOr(Text)).check(
    Schema.makeFilter((expressions) => Object.keys(expressions).length > 0 || "needs one at least"),
  ),
  source: OptionalSource,
  drop_malformed: withDefault(Toggle, false),
});

export const json = defineStage({
  name: "json",
  schema: Config,
  reads: ({ source }) => source === undefined ? [] : [source],
  compile: (config, context) => {
    const { source, drop_malformed: dropsMalformed } = config;
    const searches = Object.entries(config.expressions)
      .map(([name, expression]) => [name, search(name, expression, context)] as const);
    const fields = source === undefined ? plainFields(config.expressions) : undefined;
    return {
      apply(entry) {
        if (entry.isEncoded && fields?.find(entry.bytes, entry.start, entry.end) === true) {
          for (let index = 0; index < searches.length; index++) {
            entry.extracted.set(searches[index]![0], fields.value(index));
          }
          return keep;
        }
        const text = sourceText(entry, source);
        if (text === undefined) return keep;
        const value = parseObject(text);
        if (value === null) return dropsMalformed ? drop : keep;
        for (const [name, find] of searches) {
          const found = find(value);
          if (found !== undefined) entry.extracted.set(name, found);
        }
        return keep;
      },
    };
  },
});

type Search = (value: Record<string, unknown>) => ExtractedValue | undefined;

/** A member's name, which is looked up; anything more is an expression of JMESPath. */
const plainName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** The quick way, if all expressions are names. */
function plainFields(
  expressions: Readonly<Record<string, string | undefined>>,
): JsonFields | undefined {
  const names = Object.entries(expressions).map(([name, expression]) => expression || name);
  return names.every((name) => plainName.test(name)) && new Set(names).size === names.length
    ? new JsonFields(names)
    : undefined;
}

function search(name: string, given: string | undefined, context: StageContext): Search {
  const expression = given || name;
  if (plainName.test(expression)) {
    return (value) => plain(Object.hasOwn(value, expression) ? value[expression] : null);
  }
  try {
    const tree = compile(expression);
    return (value) => {
      try {
        return plain(TreeInterpreter.search(tree, value as JSONValue));
      } catch {
        // A function was called with a value of the wrong type: nothing is extracted.
        return undefined;
      }
    };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    context.problem(
      ["expressions", name],
      `"${expression}" is not a JMESPath expression: ${reason}`,
    );
    return () => undefined;
  }
}

function plain(value: unknown): ExtractedValue {
  if (value === undefined || value === null) return null;
  return typeof value === "object" ? JSON.stringify(value) : value as ExtractedValue;
}
