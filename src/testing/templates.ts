/** Renders templates on one entry, for table tests. */
import { compileTemplate, type TemplateOptions, type Value } from "../logql/templates/mod.ts";

export const sampleLabels: Readonly<Record<string, Value>> = {
  app: "web",
  level: "error",
  status: "500",
  empty: "",
  path: "/a/b?c=d e",
  name: "héllo wörld",
  json: '{"a":{"b":[1,2.5,"x",true,null]},"n":1234567,"s":"text","e":[],"m":{"z":1,"y":2}}',
};
export const sampleLine = 'GET /index.html "quoted" 200';
/** 2024-03-05 06:07:08.012345678 UTC. */
export const sampleTimestampNs = 1_709_618_828_012_345_678n;

export function renderSample(template: string, options?: TemplateOptions): string {
  return compileTemplate(template, options).render({
    label: (name) => sampleLabels[name],
    labels: () => Object.entries(sampleLabels),
    line: () => sampleLine,
    timestampNs: () => sampleTimestampNs,
  });
}

/** What rendering fails with; "" if it does not fail. */
export function failureOf(template: string): string {
  try {
    renderSample(template);
    return "";
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
}
