/** Reads a template into its tree: Go's text/template grammar. Knows variables, so that one that was
 *  not declared is found here; functions are compile.ts's to know. */
import { TemplateSyntaxError } from "./error.ts";
import { type Token, tokenize } from "./lexer.ts";
import { nestingMax, templateLengthMax } from "./limits.ts";
import { charValue, numberValue } from "./literals.ts";
import type { Command, Definition, Node, Operand, ParsedTemplate, Pipe } from "./nodes.ts";

/** Throws TemplateSyntaxError. */
export function parseTemplate(template: string): ParsedTemplate {
  if (template.length > templateLengthMax) {
    throw new TemplateSyntaxError(
      template,
      templateLengthMax,
      `the template is longer than ${templateLengthMax} characters`,
    );
  }
  return new Parser(template).template();
}

const keywords = new Set(
  ["if", "else", "end", "range", "with", "template", "define", "block", "break", "continue"],
);

/** Where a list of nodes ended. */
interface Body {
  readonly nodes: ReadonlyArray<Node>;
  readonly end: "end" | "else" | "eof";
  /** Where that is. */
  readonly at: number;
}

class Parser {
  readonly #template: string;
  readonly #tokens: ReadonlyArray<Token>;
  readonly #defined = new Map<string, Definition>();
  #next = 0;
  /** Names in scope, the innermost last. The slot is what counts: a name may be declared again. */
  #variables: Array<{ name: string; slot: number }> = [{ name: "$", slot: 0 }];
  #slotCount = 1;
  #rangeDepth = 0;
  #depth = 0;

  constructor(template: string) {
    this.#template = template;
    this.#tokens = tokenize(template);
  }

  template(): ParsedTemplate {
    const { nodes, end, at } = this.#body(true);
    if (end !== "eof") throw this.#fail(`unexpected {{${end}}}`, { at });
    return { body: nodes, defined: this.#defined, slotCount: this.#slotCount };
  }

  /** Nodes up to {{end}}, {{else or the end of the template. What follows "else" is not read. */
  #body(isTop = false): Body {
    this.#enter();
    const nodes: Node[] = [];
    for (;;) {
      const token = this.#take();
      if (token.kind === "text") nodes.push({ kind: "text", text: token.text });
      else if (token.kind === "end") {
        if (!isTop) throw this.#fail("an action is not closed with {{end}}", token);
        return { nodes, end: "eof", at: token.at };
      } else if (this.#peek().kind === "word" && keywords.has(this.#peek().text)) {
        const { text: word } = this.#take();
        if (word === "end" || word === "else") {
          if (word === "end") this.#close();
          this.#depth--;
          return { nodes, end: word, at: token.at };
        }
        nodes.push(...this.#control(word, token, isTop));
      } else {
        nodes.push({ kind: "print", pipe: this.#pipe("close", "action") });
        this.#close();
      }
    }
  }

  #control(word: string, open: Token, isTop: boolean): ReadonlyArray<Node> {
    switch (word) {
      case "if":
      case "with":
        return [this.#branch(word)];
      case "range":
        return [this.#range()];
      case "break":
      case "continue":
        this.#close();
        if (this.#rangeDepth === 0) throw this.#fail(`{{${word}}} outside of {{range}}`, open);
        return [{ kind: word }];
      case "template": {
        const name = this.#name("a template's name in quotes");
        const pipe = this.#peek().kind === "close" ? null : this.#pipe("close", "action");
        this.#close();
        return [{ kind: "template", name, at: open.at, pipe }];
      }
      case "block": {
        const name = this.#name("a template's name in quotes");
        const pipe = this.#pipe("close", "action");
        this.#close();
        this.#define(name);
        return [{ kind: "template", name, at: open.at, pipe }];
      }
      default:
        if (!isTop) throw this.#fail("{{define}} stands inside another action", open);
        this.#define(this.#nameAndClose());
        return [];
    }
  }

  #branch(kind: "if" | "with"): Node {
    this.#enter();
    const scope = this.#variables.length;
    const pipe = this.#pipe("close", "action");
    this.#close();
    const { nodes: body, end } = this.#body();
    const otherwise = end === "else" ? this.#otherwise(true) : [];
    this.#variables.length = scope;
    this.#depth--;
    return { kind, pipe, body, otherwise };
  }

  /** After `{{else`: either `}}` and a body, or another condition that ends with the same {{end}}. */
  #otherwise(mayChain: boolean): ReadonlyArray<Node> {
    const word = this.#peek();
    if (mayChain && word.kind === "word" && (word.text === "if" || word.text === "with")) {
      this.#take();
      return [this.#branch(word.text)];
    }
    this.#close();
    const { nodes, end } = this.#body();
    if (end !== "end") throw this.#fail("expected {{end}}: there was an {{else}} already");
    return nodes;
  }

  #range(): Node {
    const scope = this.#variables.length;
    const pipe = this.#pipe("close", "range");
    this.#close();
    this.#rangeDepth++;
    const { nodes: body, end } = this.#body();
    this.#rangeDepth--;
    const otherwise = end === "else" ? this.#otherwise(false) : [];
    this.#variables.length = scope;
    return { kind: "range", pipe, body, otherwise };
  }

  /** A template of its own: it sees no variables but its `$`. */
  #define(name: string): void {
    const outer = {
      variables: this.#variables,
      slotCount: this.#slotCount,
      rangeDepth: this.#rangeDepth,
    };
    this.#variables = [{ name: "$", slot: 0 }];
    this.#slotCount = 1;
    this.#rangeDepth = 0;
    const { nodes, end } = this.#body();
    if (end !== "end") throw this.#fail("expected {{end}}");
    this.#defined.set(name, { body: nodes, slotCount: this.#slotCount });
    this.#variables = outer.variables;
    this.#slotCount = outer.slotCount;
    this.#rangeDepth = outer.rangeDepth;
  }

  #name(wanted: string): string {
    const token = this.#take();
    if (token.kind !== "string") throw this.#fail(`expected ${wanted}`, token);
    return token.text;
  }

  #nameAndClose(): string {
    const name = this.#name("a template's name in quotes");
    this.#close();
    return name;
  }

  #pipe(end: "close" | ")", place: "action" | "range" | "parentheses"): Pipe {
    const slots = this.#declarations(place);
    const commands: Command[] = [];
    for (;;) {
      const command = this.#command();
      const [first] = command;
      if (commands.length > 0 && !isExecutable(first!)) {
        throw this.#fail("only a function can stand after a |", { at: first!.at });
      }
      commands.push(command);
      const token = this.#peek();
      if (token.kind === "symbol" && token.text === "|") {
        this.#take();
        continue;
      }
      if (end === "close" ? token.kind === "close" : token.text === ")") break;
      throw this.#fail(`unexpected ${describe(token)}`, token);
    }
    // A variable is in scope after its pipeline, not in it.
    return { slots: slots(), commands };
  }

  /** `$x :=`, `$x =` and in a range `$i, $x :=`. */
  #declarations(place: "action" | "range" | "parentheses"): () => ReadonlyArray<number> {
    const start = this.#next;
    const names: Token[] = [];
    for (;;) {
      const token = this.#take();
      if (token.kind !== "variable") break;
      names.push(token);
      const after = this.#take();
      if (after.text === "," && place === "range" && names.length === 1) continue;
      if (after.kind !== "symbol" || (after.text !== ":=" && after.text !== "=")) break;
      if (after.text === ":=") {
        return () => names.map(({ text }) => this.#declare(text));
      }
      const slots = names.map((name) => this.#slotOf(name));
      return () => slots;
    }
    this.#next = start;
    return () => [];
  }

  #declare(name: string): number {
    const slot = this.#slotCount++;
    this.#variables.push({ name, slot });
    return slot;
  }

  #slotOf(token: Token): number {
    const variable = this.#variables.findLast(({ name }) => name === token.text);
    if (variable !== undefined) return variable.slot;
    throw this.#fail(`undefined variable ${token.text}; declare it with ${token.text} := …`, token);
  }

  #command(): Command {
    const operands: Operand[] = [];
    for (;;) {
      const token = this.#peek();
      const ends = token.kind === "close" || token.kind === "end" ||
        (token.kind === "symbol" && (token.text === "|" || token.text === ")"));
      if (ends) break;
      if (operands.length > 0 && !token.spaced) {
        throw this.#fail(`unexpected ${describe(token)}`, token);
      }
      operands.push(this.#operand());
    }
    const [first] = operands;
    if (first === undefined) {
      throw this.#fail("a value or a function is missing", this.#peek());
    }
    if (operands.length > 1 && !isExecutable(first)) {
      throw this.#fail("only a function takes arguments", { at: operands[1]!.at });
    }
    return operands;
  }

  #operand(): Operand {
    const { operand, chains } = this.#term();
    const names: string[] = [];
    while (this.#peek().kind === "field" && !this.#peek().spaced) {
      if (!chains) {
        throw this.#fail(`unexpected .${this.#peek().text} after a constant`, this.#peek());
      }
      names.push(this.#take().text);
    }
    if (names.length === 0) return operand;
    return operand.kind === "field"
      ? { ...operand, names: [...operand.names, ...names] }
      : { kind: "field", of: operand, names, at: operand.at };
  }

  #term(): { operand: Operand; chains: boolean } {
    const token = this.#take();
    const { at, text } = token;
    const constant = (value: bigint | number | string | boolean) =>
      ({ operand: { kind: "constant", value, at }, chains: false }) as const;
    switch (token.kind) {
      case "field":
        return {
          operand: { kind: "field", of: { kind: "dot", at }, names: [text], at },
          chains: true,
        };
      case "variable":
        return { operand: { kind: "variable", slot: this.#slotOf(token), at }, chains: true };
      case "string":
        return constant(text);
      case "number":
        return constant(numberValue(this.#template, at, text));
      case "char":
        return constant(charValue(this.#template, at, text));
      case "word":
        if (keywords.has(text)) throw this.#fail(`unexpected ${text} in an action`, token);
        if (text === "true" || text === "false") return constant(text === "true");
        if (text === "nil") return { operand: { kind: "nil", at }, chains: false };
        return { operand: { kind: "function", name: text, at }, chains: true };
      case "symbol":
        if (text === ".") return { operand: { kind: "dot", at }, chains: false };
        if (text === "(") {
          this.#enter();
          const pipe = this.#pipe(")", "parentheses");
          this.#take();
          this.#depth--;
          return { operand: { kind: "pipe", pipe, at }, chains: true };
        }
    }
    throw this.#fail(`unexpected ${describe(token)}, expected a value or a function`, token);
  }

  /** Bounds the recursion of this parser and of whatever walks the tree. */
  #enter(): void {
    if (++this.#depth > nestingMax) {
      throw this.#fail(`more than ${nestingMax} actions or parentheses stand inside each other`);
    }
  }

  #close(): void {
    const token = this.#take();
    if (token.kind !== "close") throw this.#fail(`unexpected ${describe(token)}`, token);
  }

  #peek(): Token {
    return this.#tokens[this.#next]!;
  }

  #take(): Token {
    return this.#tokens[this.#next < this.#tokens.length - 1 ? this.#next++ : this.#next]!;
  }

  #fail(reason: string, where: { readonly at: number } = this.#peek()): TemplateSyntaxError {
    return new TemplateSyntaxError(this.#template, where.at, reason);
  }
}

/** What can take arguments: functions, and fields, since a time has methods. */
function isExecutable(operand: Operand): boolean {
  return operand.kind === "function" || operand.kind === "field";
}

function describe(token: Token): string {
  if (token.kind === "end") return "end of the template";
  if (token.kind === "field") return `".${token.text}"`;
  return JSON.stringify(token.text.slice(0, 40));
}
