/** Reads the patterns of the `pattern` parser and of the line filters `|>` and `!>`: literal text
 *  and captures `<name>`, `<_>`. Invariant: no two parts of the same kind are neighbours. */

export type PatternPart =
  | { readonly kind: "literal"; readonly text: string }
  /** name is null for `<_>`. */
  | { readonly kind: "capture"; readonly name: string | null };

/** The parts, or what is wrong with the pattern. */
export function parsePattern(pattern: string): ReadonlyArray<PatternPart> | string {
  const parts: PatternPart[] = [];
  let literalStart = 0;
  const names = new Set<string>();
  for (const match of pattern.matchAll(/<([A-Za-z_][A-Za-z0-9_]*)>/g)) {
    if (match.index > literalStart) {
      parts.push({ kind: "literal", text: pattern.slice(literalStart, match.index) });
    } else if (parts.length > 0) {
      return `captures may not touch: put text between them, before ${match[0]}`;
    }
    const name = match[1]! === "_" ? null : match[1]!;
    if (name !== null && names.has(name)) return `capture <${name}> occurs twice`;
    if (name !== null) names.add(name);
    parts.push({ kind: "capture", name });
    literalStart = match.index + match[0].length;
  }
  if (literalStart < pattern.length) {
    parts.push({ kind: "literal", text: pattern.slice(literalStart) });
  }
  return parts;
}

/** What is wrong with a pattern for the `pattern` parser, or null. */
export function patternParserProblem(pattern: string): string | null {
  const parts = parsePattern(pattern);
  if (typeof parts === "string") return parts;
  const named = parts.some((part) => part.kind === "capture" && part.name !== null);
  return named ? null : "at least one named capture such as <ip> is required";
}

/** What is wrong with a pattern for `|>` and `!>`, or null. */
export function patternFilterProblem(pattern: string): string | null {
  const parts = parsePattern(pattern);
  if (typeof parts === "string") return parts;
  const named = parts.find((part) => part.kind === "capture" && part.name !== null);
  if (named === undefined || named.kind !== "capture") return null;
  return `named captures are not allowed here: write <_> for <${named.name}>`;
}
