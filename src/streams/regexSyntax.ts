/** Reads RE2 syntax into a small tree, enough to tell which literals a match must contain
 *  (regexLiterals.ts) and how large a program would get (regex.ts). re2js owns matching and error
 *  messages. Invariant: the tree describes every string the pattern can match; where this reader is
 *  unsure it says `any`, which stands for whatever. */

export type RegexNode =
  | { readonly op: "empty" }
  /** Zero width, but conditional: ^ $ \A \z \b \B. */
  | { readonly op: "assert" }
  | { readonly op: "literal"; readonly codePoint: number; readonly fold: boolean }
  /** Code points as pairs [first, last]; null when too many to name. */
  | { readonly op: "class"; readonly ranges: ReadonlyArray<number> | null; readonly weight: number }
  | { readonly op: "concat"; readonly subs: ReadonlyArray<RegexNode> }
  | { readonly op: "alternate"; readonly subs: ReadonlyArray<RegexNode> }
  /** max is Infinity for an open end. */
  | { readonly op: "repeat"; readonly sub: RegexNode; readonly min: number; readonly max: number };

/** Parses an RE2 pattern, or returns null where it is malformed, nested too deeply or written in a
 *  way unknown here. */
export function parseRegex(pattern: string): RegexNode | null {
  const reader = new Reader(pattern);
  try {
    const node = reader.alternation(0);
    return reader.position === pattern.length ? node : null;
  } catch (error) {
    if (error instanceof Unreadable) return null;
    throw error;
  }
}

/** Upper estimate of the instructions a program for the pattern takes; repetitions are unrolled as
 *  RE2 unrolls them. */
export function programSize(node: RegexNode): number {
  switch (node.op) {
    case "empty":
    case "assert":
    case "literal":
      return 1;
    case "class":
      return node.weight;
    case "concat":
    case "alternate":
      return node.subs.reduce((sum, sub) => sum + programSize(sub) + 1, 0);
    case "repeat": {
      const copies = node.max === Infinity ? node.min + 1 : node.max;
      return 1 + Math.max(1, copies) * (programSize(node.sub) + 1);
    }
  }
}

/** RE2 refuses deeper nesting too; it keeps recursion here off the end of the stack. */
const nestingMax = 250;
const classRangesMax = 64;
/** A Unicode class has hundreds of ranges in one instruction. */
const unicodeClassWeight = 64;
const perlClassWeight = 2;

class Unreadable extends Error {}

const isWordCharacter = (text: string) => /^\w$/.test(text);
const digits: ReadonlyArray<number> = [0x30, 0x39];
const unknownClass: RegexNode = { op: "class", ranges: null, weight: perlClassWeight };
const anyClass: RegexNode = { op: "class", ranges: null, weight: 1 };

/** Recursive descent over one pattern. Flags are scoped by groups, as in RE2. */
class Reader {
  position = 0;
  /** Weight of the class that classMember read last. */
  private lastClassWeight = 0;
  private readonly pattern: string;
  /** Whether (?i) is in force; the other flags do not change which literals are needed. */
  private fold = false;

  constructor(pattern: string) {
    this.pattern = pattern;
  }

  alternation(depth: number): RegexNode {
    if (depth > nestingMax) throw new Unreadable();
    const branches = [this.sequence(depth)];
    while (this.take("|")) branches.push(this.sequence(depth));
    return branches.length === 1 ? branches[0]! : { op: "alternate", subs: branches };
  }

  private sequence(depth: number): RegexNode {
    const subs: RegexNode[] = [];
    while (this.position < this.pattern.length) {
      const next = this.pattern[this.position];
      if (next === "|" || next === ")") break;
      const atom = this.atom(depth);
      if (atom !== null) subs.push(...this.repeated(atom));
    }
    if (subs.length === 0) return { op: "empty" };
    return subs.length === 1 ? subs[0]! : { op: "concat", subs };
  }

  /** One atom; null for a flag setting, which matches nothing itself; several for \Q..\E. */
  private atom(depth: number): ReadonlyArray<RegexNode> | null {
    const character = this.next();
    switch (character) {
      case "(":
        return this.group(depth);
      case "[":
        return [this.characterClass()];
      case ".":
        return [anyClass];
      case "^":
      case "$":
        return [{ op: "assert" }];
      case "\\":
        return this.escape();
      case "*":
      case "+":
      case "?":
        throw new Unreadable();
      default:
        return [this.literal(character)];
    }
  }

  /** Applies the repetition operators that follow to the last of the atoms. */
  private repeated(atoms: ReadonlyArray<RegexNode>): ReadonlyArray<RegexNode> {
    const bounds = this.repetition();
    if (bounds === null) return atoms;
    if (atoms.length === 0) throw new Unreadable();
    if (this.repetition() !== null) throw new Unreadable();
    const sub = atoms[atoms.length - 1]!;
    return [...atoms.slice(0, -1), { op: "repeat", sub, min: bounds[0], max: bounds[1] }];
  }

  private repetition(): readonly [number, number] | null {
    const rest = this.pattern.slice(this.position, this.position + 24);
    const match = /^(?:[*+?]|\{(\d+)(,(\d*))?\})/.exec(rest);
    if (match === null) return null;
    // RE2 reads {01} and the like as text.
    if (match[1] !== undefined && /^0\d/.test(match[1])) return null;
    if (match[3] !== undefined && /^0\d/.test(match[3])) return null;
    this.position += match[0].length;
    if (this.pattern[this.position] === "?") this.position++;
    if (match[0] === "*") return [0, Infinity];
    if (match[0] === "+") return [1, Infinity];
    if (match[0] === "?") return [0, 1];
    const min = Number(match[1]);
    if (match[2] === undefined) return [min, min];
    return [min, match[3] === "" ? Infinity : Number(match[3])];
  }

  private group(depth: number): ReadonlyArray<RegexNode> | null {
    const outer = this.fold;
    if (this.take("?")) {
      const name = /^P?<([A-Za-z0-9_]+)>/.exec(
        this.pattern.slice(this.position, this.position + 300),
      );
      if (name !== null) {
        this.position += name[0].length;
      } else {
        const setting = /^([imsU]*)(?:-([imsU]+))?([:)])/.exec(
          this.pattern.slice(this.position, this.position + 16),
        );
        if (setting === null) throw new Unreadable();
        this.position += setting[0].length;
        this.fold = setting[2]?.includes("i") ? false : setting[1]!.includes("i") || outer;
        if (setting[3] === ")") return null;
      }
    }
    const inner = this.alternation(depth + 1);
    if (!this.take(")")) throw new Unreadable();
    this.fold = outer;
    return [inner];
  }

  private escape(): ReadonlyArray<RegexNode> {
    const character = this.next();
    switch (character) {
      case "A":
      case "z":
      case "b":
      case "B":
        return [{ op: "assert" }];
      case "d":
        return [{ op: "class", ranges: digits, weight: 1 }];
      case "D":
      case "s":
      case "S":
      case "w":
      case "W":
      case "C":
        return [unknownClass];
      case "p":
      case "P":
        return [this.unicodeClass()];
      case "Q":
        return this.quoted();
      default:
        this.position -= character.length;
        return [this.literalOf(this.escapedCodePoint())];
    }
  }

  private quoted(): ReadonlyArray<RegexNode> {
    const end = this.pattern.indexOf("\\E", this.position);
    const text = this.pattern.slice(this.position, end < 0 ? undefined : end);
    this.position = end < 0 ? this.pattern.length : end + 2;
    return [...text].map((character) => this.literal(character));
  }

  private unicodeClass(): RegexNode {
    const match = /^(?:[A-Za-z]|\{\^?[A-Za-z_]+\})/.exec(
      this.pattern.slice(this.position, this.position + 40),
    );
    if (match === null) throw new Unreadable();
    this.position += match[0].length;
    return { op: "class", ranges: null, weight: unicodeClassWeight };
  }

  /** The code point of an escape, the backslash already read. */
  private escapedCodePoint(): number {
    const rest = this.pattern.slice(this.position, this.position + 12);
    const match = /^(?:x\{([0-9A-Fa-f]{1,8})\}|x([0-9A-Fa-f]{2})|(0[0-7]{0,2}|[1-7][0-7]{1,2}))/
      .exec(
        rest,
      );
    if (match !== null) {
      this.position += match[0].length;
      if (match[3] !== undefined) return parseInt(match[3], 8);
      return parseInt(match[1] ?? match[2]!, 16);
    }
    const character = this.next();
    const control = "afnrtv".indexOf(character);
    if (control >= 0) return [7, 12, 10, 13, 9, 11][control]!;
    if (character.codePointAt(0)! < 0x80 && !isWordCharacter(character)) {
      return character.codePointAt(0)!;
    }
    throw new Unreadable();
  }

  private characterClass(): RegexNode {
    const negated = this.take("^");
    const ranges: number[] = [];
    let known = !negated;
    let weight = 1;
    for (let first = true; first || !this.take("]"); first = false) {
      if (this.pattern.startsWith("[:", this.position)) {
        const end = this.pattern.indexOf(":]", this.position + 2);
        if (end < 0) throw new Unreadable();
        this.position = end + 2;
        known = false;
        continue;
      }
      const member = this.classMember();
      if (member === null) {
        known = false;
        weight += this.lastClassWeight;
        continue;
      }
      let last = member[1]!;
      const isRange = member[0] === last && this.pattern[this.position] === "-" &&
        this.pattern[this.position + 1] !== "]";
      if (isRange) {
        this.position++;
        const end = this.classMember();
        if (end === null || end[0] !== end[1] || end[0]! < member[0]!) throw new Unreadable();
        last = end[1]!;
      }
      ranges.push(member[0]!, last);
    }
    if (this.fold || ranges.length > 2 * classRangesMax) known = false;
    return { op: "class", ranges: known ? ranges : null, weight: weight + (ranges.length >> 5) };
  }

  /** One member as a range, or null for a class whose members are not named here. */
  private classMember(): ReadonlyArray<number> | null {
    const character = this.next();
    if (character !== "\\") return [character.codePointAt(0)!, character.codePointAt(0)!];
    const escaped = this.next();
    if (escaped === "d") return digits;
    this.lastClassWeight = perlClassWeight;
    if ("DsSwW".includes(escaped)) return null;
    if (escaped === "p" || escaped === "P") {
      this.lastClassWeight = unicodeClassWeight;
      this.unicodeClass();
      return null;
    }
    this.position -= escaped.length;
    const codePoint = this.escapedCodePoint();
    return [codePoint, codePoint];
  }

  private literal(character: string): RegexNode {
    return this.literalOf(character.codePointAt(0)!);
  }

  private literalOf(codePoint: number): RegexNode {
    return { op: "literal", codePoint, fold: this.fold };
  }

  private take(character: string): boolean {
    if (this.pattern[this.position] !== character) return false;
    this.position++;
    return true;
  }

  private next(): string {
    const codePoint = this.pattern.codePointAt(this.position);
    if (codePoint === undefined) throw new Unreadable();
    const character = String.fromCodePoint(codePoint);
    this.position += character.length;
    return character;
  }
}
