/** The conformance files of test/conformance, and which of their cases the reference evaluator can answer. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Result } from "effect";
import { parse } from "../../logql/parser.ts";
import { isKnownTemplate } from "../reference/templates.ts";
import { type Case, parseCaseFile, type Section } from "./caseFile.ts";

const folder = fileURLToPath(new URL("../../../test/conformance/", import.meta.url));

export interface CaseFile {
  readonly name: string;
  readonly sections: ReadonlyArray<Section>;
}

/** All files, or those that TAILRACE_CONFORMANCE names (without ending, separated by commas). */
export function caseFiles(): CaseFile[] {
  const chosen = process.env["TAILRACE_CONFORMANCE"];
  return readdirSync(folder).filter((name) => name.endsWith(".cases")).sort()
    .map((name) => name.slice(0, -".cases".length))
    .filter((name) => chosen === undefined || chosen === "" || chosen.split(",").includes(name))
    .map((name) => ({
      name,
      sections: parseCaseFile(`${name}.cases`, readFileSync(`${folder}${name}.cases`, "utf8")),
    }));
}

/** The text of every query in the files. */
export function conformanceQueries(): string[] {
  return caseFiles().flatMap(({ sections }) => sections.flatMap(({ cases }) => cases))
    .filter(({ kind }) => kind === "logs" || kind === "instant" || kind === "range")
    .map(({ query }) => query);
}

/** Whether a case's expectation is written out, and the reference can tell what it should be: it knows not all of
 *  templates, nor the API around queries. */
export function isForReference({ kind, query, expected, options }: Case): boolean {
  if (
    expected[0] === "(reference)" || kind === "labels" || kind === "values" || kind === "series"
  ) {
    return false;
  }
  const isParseError = /^! 400 \d+:\d+ /.test(expected[0]!);
  const parsed = parse(query);
  if (Result.isFailure(parsed)) return isParseError;
  if (
    expected[0]!.startsWith("! ") &&
    !/pipeline error|many-to-many|multiple matches/.test(expected[0]!)
  ) {
    return false;
  }
  if (options["direction"] !== undefined) return false;
  return templatesOf(parsed.success).every(isKnownTemplate);
}

/** The templates anywhere in a tree. */
export function templatesOf(tree: unknown): string[] {
  if (tree === null || typeof tree !== "object") return [];
  const node = tree as Record<string, unknown>;
  if (node["kind"] === "LineFormat") return [node["template"] as string];
  if (node["kind"] === "LabelAssignment") {
    return node["type"] === "template" ? [node["source"] as string] : [];
  }
  return Object.values(node).flatMap(templatesOf);
}
