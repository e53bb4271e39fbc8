/** The stage `template`: makes an extracted value of a template of the others. An empty result
 *  removes the value; a template that fails for an entry leaves it. */
import { Schema } from "effect";
import { Text } from "../config/scalars.ts";
import { Name } from "./source.ts";
import { keep } from "./stage.ts";
import { defineStage } from "./stageDefinition.ts";
import { stageTemplate, templateReads } from "./stageTemplate.ts";

export const template = defineStage({
  name: "template",
  schema: Schema.Struct({ source: Name, template: Text }),
  reads: ({ source, template }) => {
    const reads = templateReads(template);
    return reads === "all" ? reads : [source, ...reads];
  },
  compile: ({ source, template: text }, context) => {
    const rendered = stageTemplate(text, "template", context, { missing: null });
    return {
      apply(entry) {
        const value = rendered.render(entry, entry.extracted.text(source));
        if (value === "") entry.extracted.delete(source);
        else if (value !== null) entry.extracted.set(source, value);
        return keep;
      },
    };
  },
});
