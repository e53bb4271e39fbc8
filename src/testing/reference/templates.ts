/** Renders Go templates the plain way, by walking the text: fields, literals, calls, pipes, parentheses and `if`. Functions
 *  are templateFunctions.ts's. Written from the documentation of text/template and sprig; shares nothing with the engine. What it
 *  does not know throws UnsupportedTemplate when it is read, so that nobody takes silence for agreement. */
import { functions, isTrue, layouts, show, type Value } from "./templateFunctions.ts";

/** What a template is rendered for. */
export interface TemplateEntry {
  readonly fields: Readonly<Record<string, string>>;
  readonly line: string;
  readonly timestampNs: bigint;
}

/** The template uses what this reference does not know. */
export class UnsupportedTemplate extends Error {}

type Expression =
  | { readonly kind: "value"; readonly value: Value }
  | { readonly kind: "field"; readonly of: Expression | null; readonly name: string }
  | Call;

interface Call {
  readonly kind: "call";
  readonly name: string;
  readonly args: ReadonlyArray<Expression>;
}

type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "output"; readonly expression: Expression }
  | {
    readonly kind: "if";
    readonly condition: Expression;
    readonly then: ReadonlyArray<Node>;
    readonly otherwise: ReadonlyArray<Node>;
  };

/** Whether the reference can render a template. */
export function isKnownTemplate(template: string): boolean {
  try {
    parseTemplate(template);
    return true;
  } catch (error) {
    if (error instanceof UnsupportedTemplate) return false;
    throw error;
  }
}

/** The labels that a template reads. */
export function templateFields(template: string): string[] {
  const ofExpression = (expression: Expression): string[] => {
    if (expression.kind === "call") return expression.args.flatMap(ofExpression);
    if (expression.kind === "value") return [];
    return expression.of === null ? [expression.name] : ofExpression(expression.of);
  };
  const ofNode = (node: Node): string[] => {
    if (node.kind === "text") return [];
    if (node.kind === "output") return ofExpression(node.expression);
    return [...ofExpression(node.condition), ...[...node.then, ...node.otherwise].flatMap(ofNode)];
  };
  return parseTemplate(template).flatMap(ofNode);
}

/** The text of a template for an entry. Throws any Error where rendering fails. */
export function renderTemplate(template: string, entry: TemplateEntry): string {
  return renderNodes(parseTemplate(template), entry);
}

function renderNodes(nodes: ReadonlyArray<Node>, entry: TemplateEntry): string {
  return nodes.map((node) => {
    switch (node.kind) {
      case "text":
        return node.text;
      case "output":
        return show(evaluate(node.expression, entry));
      case "if":
        return renderNodes(
          isTrue(evaluate(node.condition, entry)) ? node.then : node.otherwise,
          entry,
        );
    }
  }).join("");
}

function evaluate(expression: Expression, entry: TemplateEntry): Value {
  switch (expression.kind) {
    case "value":
      return expression.value;
    case "field": {
      if (expression.of === null) return entry.fields[expression.name] ?? "";
      const object = evaluate(expression.of, entry);
      if (object === null || typeof object !== "object" || Array.isArray(object)) {
        throw new Error("no fields");
      }
      return (object as Readonly<Record<string, Value>>)[expression.name] ?? null;
    }
    case "call":
      return call(expression.name, expression.args, entry);
  }
}

function call(name: string, args: ReadonlyArray<Expression>, entry: TemplateEntry): Value {
  if (name === "__line__") return entry.line;
  if (name === "__timestamp__") return { timeNs: entry.timestampNs };
  if (name === "and" || name === "or") {
    let value: Value = "";
    for (const arg of args) {
      value = evaluate(arg, entry);
      if (isTrue(value) === (name === "or")) break;
    }
    return value;
  }
  return functions[name]!(...args.map((arg) => evaluate(arg, entry)));
}

// ---- reading ----

/** Pieces of a template: texts, and what stands between `{{` and `}}`; trim markers are done. */
function parseTemplate(template: string): Node[] {
  const pieces: string[] = [];
  let rest = template;
  for (let open = rest.indexOf("{{"); open >= 0; open = rest.indexOf("{{")) {
    const close = endOfAction(rest, open + 2);
    const trimsBefore = /^-\s/.test(rest.slice(open + 2));
    const trimsAfter = /\s-$/.test(rest.slice(open + 2, close));
    const text = rest.slice(0, open);
    pieces.push(trimsBefore ? text.trimEnd() : text);
    pieces.push(
      rest.slice(open + (trimsBefore ? 3 : 2), trimsAfter ? close - 1 : close).trim(),
    );
    rest = trimsAfter ? rest.slice(close + 2).trimStart() : rest.slice(close + 2);
  }
  const nodes: Node[] = [];
  const reader = { pieces: [...pieces, rest], at: 0 };
  const stop = readNodes(reader, nodes);
  if (stop !== "") throw new UnsupportedTemplate(stop);
  return nodes;
}

/** Where the `}}` stands that ends an action; texts in quotes may hold one. */
function endOfAction(text: string, from: number): number {
  const match = /(?:"(?:[^"\\]|\\.)*"|`[^`]*`|(?!\}\})[^])*/y;
  match.lastIndex = from;
  match.exec(text);
  if (!text.startsWith("}}", match.lastIndex)) throw new UnsupportedTemplate("no }}");
  return match.lastIndex;
}

/** Reads up to the `else` or `end` of a block, which it answers, or to the end. */
function readNodes(reader: { pieces: ReadonlyArray<string>; at: number }, nodes: Node[]): string {
  while (reader.at < reader.pieces.length) {
    const piece = reader.pieces[reader.at]!;
    const isAction = reader.at++ % 2 === 1;
    if (!isAction) {
      if (piece !== "") nodes.push({ kind: "text", text: piece });
      continue;
    }
    if (/^(else|end)\b/.test(piece)) return piece;
    if (/^\/\*/.test(piece)) continue;
    if (/^if\s/.test(piece)) {
      nodes.push(readIf(reader, piece.slice(2)));
      continue;
    }
    nodes.push({ kind: "output", expression: readPipeline(piece) });
  }
  return "";
}

function readIf(reader: { pieces: ReadonlyArray<string>; at: number }, condition: string): Node {
  const then: Node[] = [];
  const otherwise: Node[] = [];
  const stop = readNodes(reader, then);
  if (/^else\s+if\s/.test(stop)) {
    otherwise.push(readIf(reader, stop.replace(/^else\s+if/, "")));
  } else if (stop === "else") {
    if (readNodes(reader, otherwise) !== "end") throw new UnsupportedTemplate("else");
  } else if (stop !== "end") throw new UnsupportedTemplate(stop);
  return { kind: "if", condition: readPipeline(condition), then, otherwise };
}

const tokenPattern =
  /\s+|"(?:[^"\\]|\\.)*"|`[^`]*`|-?\d+(?:\.\d+)?|\.[A-Za-z_]\w*|[A-Za-z_]\w*|[()|]/gy;

function readPipeline(text: string): Expression {
  const tokens = text.match(tokenPattern) ?? [];
  if (tokens.join("") !== text) throw new UnsupportedTemplate(text);
  const stream = { tokens, at: 0 };
  const expression = readPiped(stream);
  if (stream.at < tokens.length) throw new UnsupportedTemplate(text);
  return expression;
}

type Tokens = { readonly tokens: ReadonlyArray<string>; at: number };

function readPiped(stream: Tokens): Expression {
  let piped: Expression | null = null;
  do {
    piped = readCommand(stream, piped);
  } while (stream.tokens[stream.at] === "|" && ++stream.at > 0);
  return piped;
}

/** A call with its arguments, the piped one last, or a single operand. */
function readCommand(stream: Tokens, piped: Expression | null): Expression {
  const operands: Expression[] = [];
  let name: string | null = null;
  for (; stream.at < stream.tokens.length; stream.at++) {
    const token = stream.tokens[stream.at]!;
    if (/^\s+$/.test(token)) continue;
    if (token === "|" || token === ")") break;
    if (operands.length === 0 && name === null && isFunction(token)) name = token;
    else operands.push(readOperand(stream));
  }
  const args = piped === null ? operands : [...operands, piped];
  if (name !== null) {
    return /^__/.test(name)
      ? { kind: "call", name, args: [] }
      : knownCall({ kind: "call", name, args });
  }
  if (args.length !== 1) throw new UnsupportedTemplate("operands without a function");
  return args[0]!;
}

/** The call, if this reference knows all that its texts ask for. */
function knownCall(call: Call): Call {
  const [first] = call.args;
  const text = first?.kind === "value" && typeof first.value === "string" ? first.value : null;
  const verbs = text?.match(/%-?0?\d*(\.\d+)?[vsqdxtf]/g)?.length ?? 0;
  const isKnown = call.name === "printf"
    ? text?.match(/%/g)?.length === verbs && verbs === call.args.length - 1 &&
      !(call.args[1]?.kind === "value" && text === "%d")
    : !/^(date|toDate)/.test(call.name) || text !== null && Object.hasOwn(layouts, text);
  if (!isKnown || !Object.hasOwn(functions, call.name) && !/^(and|or)$/.test(call.name)) {
    throw new UnsupportedTemplate(call.name);
  }
  return call;
}

function isFunction(token: string): boolean {
  return /^[A-Za-z_]/.test(token) && token !== "true" && token !== "false";
}

/** One operand; the stream stays at its last token. */
function readOperand(stream: Tokens): Expression {
  const token = stream.tokens[stream.at]!;
  if (token === "(") {
    stream.at++;
    const inner = readPiped(stream);
    if (stream.tokens[stream.at] !== ")") throw new UnsupportedTemplate("no )");
    const next = stream.tokens[stream.at + 1] ?? "";
    if (!next.startsWith(".")) return inner;
    if (inner.kind !== "call" || inner.name !== "fromJson") throw new UnsupportedTemplate(next);
    stream.at++;
    return { kind: "field", of: inner, name: next.slice(1) };
  }
  if (token.startsWith(".")) return { kind: "field", of: null, name: token.slice(1) };
  if (isFunction(token)) {
    if (!Object.hasOwn(functions, token) && !/^__(line|timestamp)__$/.test(token)) {
      throw new UnsupportedTemplate(token);
    }
    return { kind: "call", name: token, args: [] };
  }
  return { kind: "value", value: literal(token) };
}

function literal(token: string): Value {
  if (token === "true" || token === "false") return token === "true";
  if (token.startsWith("`")) return token.slice(1, -1);
  if (token.startsWith('"')) {
    try {
      return JSON.parse(token) as string;
    } catch {
      throw new UnsupportedTemplate(token);
    }
  }
  return token.includes(".") ? Number(token) : BigInt(token);
}
