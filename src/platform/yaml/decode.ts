/** Decodes plain values with a schema and tells every mistake at once, each with its path: keys that
 *  do not exist (with the nearest that does), keys that are missing, values of the wrong kind. */
import { Result, Schema, SchemaAST, type SchemaIssue } from "effect";
import { type ConfigPath, type ConfigProblem, nearestKey } from "./problem.ts";

/** `value` as the schema has it, or all problems; paths begin with `at`. */
export function decodeWith<S extends Schema.ConstraintDecoder<unknown>>(
  schema: S,
  value: unknown,
  at: ConfigPath,
): Result.Result<S["Type"], ReadonlyArray<ConfigProblem>> {
  const decoded = Schema.decodeUnknownResult(schema)(value, {
    errors: "all",
    onExcessProperty: "error",
  });
  if (Result.isSuccess(decoded)) return Result.succeed(decoded.success);
  const problems: ConfigProblem[] = [];
  collect(decoded.failure.issue, at, value, problems);
  return Result.fail(problems);
}

function collect(
  issue: SchemaIssue.Issue,
  path: ConfigPath,
  value: unknown,
  problems: ConfigProblem[],
): void {
  const add = (message: string) => problems.push({ path, message });
  switch (issue._tag) {
    case "Pointer": {
      let below = value;
      for (const key of issue.path) {
        below = (below as Record<PropertyKey, unknown> | undefined)?.[key];
      }
      return collect(issue.issue, [...path, ...issue.path.map(plainKey)], below, problems);
    }
    case "Composite":
      return issue.issues.forEach((inner) => collect(inner, path, value, problems));
    case "Encoding":
    case "Filter":
      return collect(issue.issue, path, value, problems);
    case "AnyOf":
      if (issue.issues.length === 0) return void add(`must be ${expected(issue.ast)}`);
      return collect(issue.issues[0]!, path, value, problems);
    case "UnexpectedKey":
      return void add(unknownKey(path, keysOf(issue.ast)));
    case "MissingKey":
      return void add("is required");
    case "InvalidType":
      return void add(value === undefined ? "is required" : `must be ${expected(issue.ast)}`);
    case "InvalidValue":
      return void add(issue.annotations?.message ?? "is not valid");
    default:
      return void add("is not valid");
  }
}

function plainKey(key: PropertyKey): string | number {
  return typeof key === "number" ? key : String(key);
}

/** The message for a key that does not exist. */
export function unknownKey(path: ConfigPath, known: ReadonlyArray<string>): string {
  const near = nearestKey(String(path.at(-1)), known);
  if (near !== undefined) return `there is no such key; did you mean "${near}"?`;
  return `there is no such key; there are ${known.join(", ")}`;
}

function keysOf(ast: SchemaAST.AST): ReadonlyArray<string> {
  return SchemaAST.isObjects(ast) ? ast.propertySignatures.map(({ name }) => String(name)) : [];
}

/** What a schema takes, in words of YAML. */
function expected(ast: SchemaAST.AST): string {
  if (SchemaAST.isObjects(ast)) return "a map";
  if (SchemaAST.isArrays(ast)) return "a list";
  if (SchemaAST.isUnion(ast)) {
    const kinds = new Set(
      ast.types.filter((type) => !SchemaAST.isUndefined(type)).map(expected),
    );
    return [...kinds].join(" or ");
  }
  return "a single value";
}
