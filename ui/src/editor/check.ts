// The server's own parser in the page: what it objects to while one types, a query laid out anew, and what a query does in
// words. Loaded with the editor, after the first paint. Invariant: the server has the last word; this only says it sooner.
import { ParseError } from "../../../src/logql/error.ts";
import { parseExpression } from "../../../src/logql/metricParser.ts";
import { prettyPrint } from "../../../src/logql/printer.ts";
import { TokenStream } from "../../../src/logql/tokenStream.ts";

export interface Objection {
  /** UTF-16 offset into the query. */
  readonly offset: number;
  readonly message: string;
}

type Parsed = ReturnType<typeof parseExpression>;

/** What the parser objects to; undefined when nothing. */
export function check(query: string): Objection | undefined {
  const parsed = parse(query);
  return parsed !== undefined && "offset" in parsed ? parsed : undefined;
}

/** The query laid out over lines; undefined when it cannot be read. */
export function format(query: string): string | undefined {
  const parsed = parse(query);
  return parsed === undefined || "offset" in parsed ? undefined : prettyPrint(parsed);
}

/** Undefined when it cannot be told here. */
function parse(query: string): Parsed | Objection | undefined {
  // A variable of Grafana's stands for a duration, with a name as long as itself.
  const filled = query.replace(
    /\$\{?__\w+\}?/g,
    (name) => `${"1".padStart(name.length - 1, "0")}s`,
  );
  try {
    const stream = new TokenStream(filled.toWellFormed());
    const parsed = parseExpression(stream);
    if (stream.peek().kind !== "end") {
      throw stream.fail("a line filter, a stage, an operator or the end of the query");
    }
    return parsed;
  } catch (cause) {
    // What the stand-in for regular expressions cannot do is left to the server.
    if (!(cause instanceof ParseError)) return undefined;
    const message = cause.message.replace(/^parse error at line \d+, col \d+: /, "");
    return { offset: Math.min(cause.offset, query.length), message };
  }
}
