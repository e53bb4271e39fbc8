/** `tailrace query --explain`: runs a query, leaves its result out and prints what the server did for it:
 *  indented text for people, the server's JSON for programs. */
import { Effect, Schema } from "effect";
import { writeOutput } from "../platform/terminal.ts";
import { ask, type Connection } from "./connection.ts";

/** Asks with the request's own path and parameters. */
export const printExplain = Effect.fnUntraced(function* (
  connection: Connection,
  query: string,
  request: {
    readonly path: string;
    readonly parameters: ReadonlyArray<readonly [string, string]>;
  },
  isJson: boolean,
) {
  const { explain } = yield* ask(connection, {
    ...request,
    answer: Schema.Struct({ explain: Schema.Unknown }),
    headers: { "x-tailrace-explain": "1" },
    query,
  });
  const text = isJson ? JSON.stringify(explain) : lines(explain, "").join("\n");
  yield* Effect.promise(() => writeOutput(`${text}\n`));
});

/** A value as indented lines: `name: value`, lists with dashes, short lists and flat objects in one line. */
function lines(value: unknown, indent: string): string[] {
  if (Array.isArray(value)) {
    return value.flatMap((item) => {
      const [first = "", ...rest] = lines(item, `${indent}  `);
      return [`${indent}- ${first.trimStart()}`, ...rest];
    });
  }
  if (value === null || typeof value !== "object") return [`${indent}${plain(value)}`];
  return Object.entries(value).flatMap(([name, member]) => {
    const flat = onOneLine(member);
    if (flat !== undefined) return [`${indent}${name}: ${flat}`];
    return [`${indent}${name}:`, ...lines(member, `${indent}  `)];
  });
}

/** What fits into a line: plain values, lists and objects of them. */
function onOneLine(value: unknown): string | undefined {
  if (value === null || typeof value !== "object") return plain(value);
  const members = Array.isArray(value)
    ? value.map((member: unknown) => ["", member] as const)
    : Object.entries(value);
  if (members.some(([, member]) => member !== null && typeof member === "object")) return undefined;
  if (members.length === 0) return "none";
  return members.map(([name, member]) => name === "" ? plain(member) : `${name}=${plain(member)}`)
    .join(Array.isArray(value) ? "  " : " ");
}

function plain(value: unknown): string {
  return value === null ? "none" : String(value);
}
