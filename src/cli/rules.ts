/** `tailrace rules`: checks rule files, and lists, loads and deletes the rules of a server. Owns flags and words; parseRules.ts
 *  owns what is right, the server what is kept. */
import { Console, Effect, Result, Schema } from "effect";
import { Argument, Command, Flag } from "effect/cli";
import { parseRuleFile, type RuleFile } from "../actors/ruler/parseRules.ts";
import { printRuleGroup } from "../actors/ruler/printRules.ts";
import { baseName, errorTextWithoutPath, readTextFile } from "../platform/files.ts";
import { ask, connectionFlags, connectionOf, refusalMessage, send } from "./connection.ts";
import { failed, misused } from "./failure.ts";

const files = Argument.String("file").pipe(
  Argument.withDescription("Rule files: groups, and perhaps namespace"),
  Argument.atLeast(1),
);

const namespaceFlag = Flag.String("namespace").pipe(
  Flag.withMetavar("NAME"),
  Flag.withDescription("The namespace of groups whose file names none (default: the file's name)"),
  Flag.withDefault(""),
);

/** The groups of a file; fails with every mistake, as `file:line:column: message`. */
const readRules = Effect.fnUntraced(function* (path: string) {
  const text = yield* Effect.tryPromise({
    try: () => readTextFile(path),
    catch: (error) => misused(`Cannot read ${path}: ${errorTextWithoutPath(error)}`),
  });
  const parsed = parseRuleFile(text);
  if (Result.isSuccess(parsed)) return parsed.success;
  return yield* misused(
    parsed.failure.problems.map(({ line, column, message }) =>
      `${path}:${line}:${column}: ${message}`
    ).join("\n"),
  );
});

const check = Command.make(
  "check",
  { files },
  Effect.fnUntraced(function* ({ files }) {
    const wrong: string[] = [];
    for (const path of files) {
      const read = yield* Effect.result(readRules(path));
      if (Result.isFailure(read)) wrong.push(read.failure.message);
      else yield* Console.log(`${path}: ${countOf(read.success)}, all right`);
    }
    if (wrong.length > 0) return yield* misused(wrong.join("\n"));
  }),
).pipe(
  Command.withDescription(
    "Check rule files: YAML, keys, queries, templates. Needs no server; the exit code is 2 if a file is wrong.",
  ),
  Command.withExamples([{ command: "tailrace rules check alerts/*.yaml", description: "In CI" }]),
);

function countOf({ groups }: RuleFile): string {
  const rules = groups.reduce((sum, group) => sum + group.rules.length, 0);
  return `${groups.length} ${groups.length === 1 ? "group" : "groups"} with ${rules} ${
    rules === 1 ? "rule" : "rules"
  }`;
}

const load = Command.make(
  "load",
  { ...connectionFlags, namespace: namespaceFlag, files },
  Effect.fnUntraced(function* (options) {
    const connection = yield* connectionOf(options);
    // All are read before the first is sent.
    const all = yield* Effect.forEach(
      options.files,
      (path) => Effect.map(readRules(path), (file) => ({ path, file })),
    );
    for (const { path, file } of all) {
      const namespace = file.namespace ??
        (options.namespace || baseName(path).replace(/\.ya?ml$/, ""));
      for (const group of file.groups) {
        const reply = yield* send(connection, rulesPath(namespace), {
          method: "POST",
          headers: { "content-type": "application/yaml" },
          body: new TextEncoder().encode(printRuleGroup(group)),
        });
        if (reply.status !== 202) {
          const said = refusalMessage(reply.status, reply.text, undefined);
          return yield* failed(`${path}, group ${JSON.stringify(group.name)}: ${said}`);
        }
      }
      yield* Console.log(`${path}: loaded ${countOf(file)} into ${namespace}`);
    }
  }),
).pipe(
  Command.withDescription(
    "Give the groups of rule files to a server. Groups of the same name are replaced.",
  ),
  Command.withExamples([
    { command: "tailrace rules load --namespace=shop alerts.yaml", description: "One file" },
  ]),
);

const Groups = Schema.Struct({
  data: Schema.Struct({
    groups: Schema.Array(Schema.Struct({
      name: Schema.String,
      file: Schema.String,
      rules: Schema.Array(Schema.Struct({
        name: Schema.String,
        health: Schema.String,
        state: Schema.optionalKey(Schema.String),
        lastError: Schema.optionalKey(Schema.String),
      })),
    })),
  }),
});

const list = Command.make(
  "list",
  connectionFlags,
  Effect.fnUntraced(function* (options) {
    const connection = yield* connectionOf(options);
    const { data } = yield* ask(connection, {
      path: "/prometheus/api/v1/rules",
      parameters: [],
      answer: Groups,
    });
    for (const { file, name, rules } of data.groups) {
      yield* Console.log(`${file} / ${name}`);
      for (const { name, state = "recording", health, lastError } of rules) {
        yield* Console.log(`  ${state.padEnd(9)}  ${health.padEnd(7)}  ${name}`);
        if (lastError !== undefined) yield* Console.log(`      ${lastError}`);
      }
    }
  }),
).pipe(Command.withDescription("Print the rules of a server with their states and errors."));

const remove = Command.make(
  "delete",
  {
    ...connectionFlags,
    namespace: Argument.String("namespace"),
    group: Argument.String("group").pipe(Argument.withDefault("")),
  },
  Effect.fnUntraced(function* (options) {
    const connection = yield* connectionOf(options);
    const path = rulesPath(options.namespace) +
      (options.group === "" ? "" : `/${encodeURIComponent(options.group)}`);
    const reply = yield* send(connection, path, { method: "DELETE" });
    if (reply.status === 202) return;
    return yield* failed(refusalMessage(reply.status, reply.text, undefined));
  }),
).pipe(Command.withDescription("Delete a group, or a namespace with all its groups."));

export const rules = Command.make("rules").pipe(
  Command.withShortDescription("Check, load, list and delete alerting and recording rules"),
  Command.withDescription("Rules that a server evaluates: docs/rules.md."),
  Command.withSubcommands([check, list, load, remove]),
);

function rulesPath(namespace: string): string {
  return `/loki/api/v1/rules/${encodeURIComponent(namespace)}`;
}
