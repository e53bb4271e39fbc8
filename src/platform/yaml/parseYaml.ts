/** Parses YAML that may come from anybody: what would take long, nest too deep or grow too large is refused first, with its
 *  line. Owns the limits on aliases and depth, repeated keys and what aliases stand for; document.ts and config/yamlFile.ts
 *  own what values mean. Invariant: reading a text takes time in proportion to its length. */
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  parseDocument,
} from "yaml";

const aliasesMax = 1000;
/** Words, signs and spaces: about 8 bytes each in a usual file. Parsing takes 3 us for each. */
const tokensMax = 250_000;
/** Of those that are told; the rest is not looked for. */
const problemsMax = 100;
/** Levels of brackets, of block lists and of block maps, each within another; also through aliases. A configuration with stages
 *  of the collector nested as deep as they may be has 106. */
export const depthMax = 128;

/** Line and column from 1. */
export interface YamlProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export interface ParsedYaml {
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
  /** If there are any, nothing else of it should be used. */
  readonly problems: ReadonlyArray<YamlProblem>;
  /** The node that an alias stands for; any other node itself. */
  readonly resolve: (node: unknown) => unknown;
}

export function parseYaml(text: string, options: { readonly merge: boolean }): ParsedYaml {
  const lines = new LineCounter();
  const refused = refusedBeforehand(text);
  const document = parseDocument(refused === undefined ? text : "", {
    lineCounter: lines,
    prettyErrors: false,
    merge: options.merge,
    // The library compares each key with each.
    uniqueKeys: false,
  });
  const targets = new Map<Alias, Node>();
  if (refused !== undefined) {
    return { document, lines, problems: [refused], resolve: (node) => node };
  }
  const problemAt = (offset: number, message: string): YamlProblem => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col), message };
  };
  const problems = document.errors.map(({ pos, message }) => problemAt(pos[0], message));
  if (problems.length === 0) {
    const note = (node: Node, message: string) => {
      if (problems.length < problemsMax) problems.push(problemAt(node.range?.[0] ?? 0, message));
    };
    visitNodes(document.contents, targets, note);
  }
  const resolve = (node: unknown) => isAlias(node) ? targets.get(node) : node;
  return { document, lines, problems, resolve };
}

/** Finds what each alias stands for: the last node before it with its anchor; and keys that a map has twice. */
function visitNodes(
  contents: unknown,
  targets: Map<Alias, Node>,
  note: (node: Node, message: string) => void,
): void {
  const anchors = new Map<string, Node>();
  const visit = (node: unknown): void => {
    if (isAlias(node)) {
      const target = anchors.get(node.source);
      if (target === undefined) note(node, `no anchor &${node.source} stands before this alias`);
      else targets.set(node, target);
      return;
    }
    if (isScalar(node) || isSeq(node) || isMap(node)) {
      if (node.anchor !== undefined) anchors.set(node.anchor, node);
    }
    if (isSeq(node)) node.items.forEach(visit);
    if (!isMap(node)) return;
    const keys = new Set<unknown>();
    for (const { key, value } of node.items) {
      const name = isScalar(key) ? key.value : key;
      if (keys.has(name) && name !== "<<") note(key as Node, `Map keys must be unique: "${name}"`);
      keys.add(name);
      visit(key);
      visit(value);
    }
  };
  visit(contents);
}

/** The first place with too many aliases, levels or tokens, told from the tokens alone: parsing would take too long. */
function refusedBeforehand(text: string): YamlProblem | undefined {
  const levels = new Levels();
  let [aliases, tokens] = [0, 0];
  let [line, column] = [1, 1];
  for (const token of new Lexer().lex(text)) {
    if (markers.has(token)) continue;
    const place = { line, column };
    if (token.startsWith("*") && ++aliases > aliasesMax) {
      return { ...place, message: `more than ${aliasesMax} aliases: write values out instead` };
    }
    if (++tokens > tokensMax) {
      return { ...place, message: `more than ${tokensMax} words and signs: split the file` };
    }
    levels.take(token, column);
    if (levels.depth > depthMax) {
      return { ...place, message: `nested deeper than ${depthMax} levels` };
    }
    const lastBreak = token.lastIndexOf("\n");
    if (lastBreak < 0) column += token.length;
    else {
      for (let at = token.indexOf("\n"); at >= 0; at = token.indexOf("\n", at + 1)) line++;
      column = token.length - lastBreak;
    }
  }
  return undefined;
}

/** Tokens of the lexer that stand for no text: a document, a flow collection that ended, a scalar. */
const markers: ReadonlySet<string> = new Set(["\x02", "\x18", "\x1f"]);

/** How deep a place is: in brackets, and below the columns at which block lists and maps begin. */
class Levels {
  #brackets = 0;
  readonly #columns: number[] = [];
  /** Whether what follows on this line may begin a block list or map. */
  #opens = true;

  get depth(): number {
    return this.#brackets + this.#columns.length;
  }

  take(token: string, column: number): void {
    const first = token[0]!;
    if (this.#brackets === 0 && this.#opens && !spaces.has(first) && first !== "#") {
      while (this.#columns.length > 0 && this.#columns.at(-1)! > column) this.#columns.pop();
      if ((this.#columns.at(-1) ?? 0) < column) this.#columns.push(column);
    }
    if (token === "[" || token === "{") this.#brackets++;
    else if (token === "]" || token === "}") this.#brackets = Math.max(0, this.#brackets - 1);
    if (token.endsWith("\n")) this.#opens = true;
    // After these a list or a map may begin on the same line; anchors and tags stand before one.
    else if (!spaces.has(first) && !signs.has(token) && !"&!".includes(first)) this.#opens = false;
  }
}

const signs: ReadonlySet<string> = new Set(["-", "?", ":"]);
const spaces: ReadonlySet<string> = new Set([" ", "\t", "\n", "\r"]);
