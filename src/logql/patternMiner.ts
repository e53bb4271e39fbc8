/** Finds the patterns of log lines, after Drain (He et al., ICWS 2017): a line is cut into tokens, lines of
 *  as many tokens that begin alike are compared, and where similar ones differ the pattern has `<_>`.
 *  Counts lines by level and time. Invariant: every counted line matches its pattern in `|>`, and what
 *  is kept is bounded. */

export interface MinedPattern {
  /** Text with `<_>` for what varies, as `|>` takes it. */
  readonly pattern: string;
  readonly level: string;
  readonly total: number;
  /** Lines by the start of their interval, in seconds, ascending. */
  readonly samples: ReadonlyArray<readonly [seconds: number, count: number]>;
}

/** Of a longer line only the start is looked at. */
const lineCharsMax = 2048;
const tokensMax = 256;
const patternsMax = 2000;
const groupPatternsMax = 64;
/** The share of words that must agree. */
const similarityMin = 0.5;

/** Words, blanks, and every other character on its own. What `|>` would take for a capture is one token. */
const tokenForm = /<[A-Za-z_]\w*>|[\p{L}\p{N}_./@%+*~#$&^\\-]+|\s+|[^]/gu;
const variable = "<_>";

interface Pattern {
  readonly tokens: string[];
  /** Counts by level, then by the start of the interval. */
  readonly counts: Map<string, Map<number, number>>;
}

export class PatternMiner {
  readonly #groups = new Map<string, Pattern[]>();
  readonly #intervalSeconds: number;
  #patternCount = 0;
  /** Lines of patterns that there was no room for. */
  uncounted = 0;

  constructor(intervalSeconds: number) {
    this.#intervalSeconds = intervalSeconds;
  }

  add(line: string, timeSeconds: number, level: string): void {
    const tokens = tokensOf(line);
    const pattern = this.#patternOf(tokens);
    if (pattern === null) {
      this.uncounted++;
      return;
    }
    const start = Math.floor(timeSeconds / this.#intervalSeconds) * this.#intervalSeconds;
    let counts = pattern.counts.get(level);
    if (counts === undefined) pattern.counts.set(level, counts = new Map());
    counts.set(start, (counts.get(start) ?? 0) + 1);
  }

  /** The most frequent first. */
  patterns(): ReadonlyArray<MinedPattern> {
    // Two patterns may have grown into one.
    const merged = new Map<string, Map<string, Map<number, number>>>();
    for (const group of this.#groups.values()) {
      for (const { tokens, counts } of group) {
        const text = textOf(tokens);
        const known = merged.get(text);
        if (known === undefined) merged.set(text, counts);
        else addCounts(known, counts);
      }
    }
    const found: MinedPattern[] = [];
    for (const [pattern, levels] of merged) {
      for (const [level, counts] of levels) {
        const samples = [...counts].sort(([a], [b]) => a - b);
        const total = samples.reduce((sum, [, count]) => sum + count, 0);
        found.push({ pattern, level, total, samples });
      }
    }
    return found.sort((a, b) => b.total - a.total || (a.pattern < b.pattern ? -1 : 1));
  }

  /** The pattern that the line joins, changed to fit it; null if there is no room for another. */
  #patternOf(tokens: string[]): Pattern | null {
    const key = groupKey(tokens);
    let group = this.#groups.get(key);
    if (group === undefined) this.#groups.set(key, group = []);
    let best: Pattern | null = null;
    let bestSimilarity = -1;
    for (const pattern of group) {
      const similarity = similarityOf(pattern.tokens, tokens);
      if (similarity > bestSimilarity) [best, bestSimilarity] = [pattern, similarity];
    }
    const isFull = this.#patternCount >= patternsMax || group.length >= groupPatternsMax;
    if (best !== null && (bestSimilarity >= similarityMin || isFull)) {
      for (let at = 0; at < tokens.length; at++) {
        if (best.tokens[at] !== tokens[at]) best.tokens[at] = variable;
      }
      return best;
    }
    if (isFull) return null;
    this.#patternCount++;
    const pattern = { tokens, counts: new Map() };
    group.push(pattern);
    return pattern;
  }
}

/** Tokens with those that surely vary, the ones with a digit, replaced. */
function tokensOf(line: string): string[] {
  const isCut = line.length > lineCharsMax;
  const tokens: string[] = [];
  for (const [token] of (isCut ? line.slice(0, lineCharsMax) : line).matchAll(tokenForm)) {
    if (tokens.length === tokensMax) {
      tokens[tokensMax - 1] = variable;
      return tokens;
    }
    const varies = /\p{N}/u.test(token) || (token[0] === "<" && token.length > 1);
    tokens.push(varies ? variable : token);
  }
  if (isCut) tokens[tokens.length - 1] = variable;
  return tokens;
}

/** Lines are compared with those that have as many tokens and begin with the same word. */
function groupKey(tokens: ReadonlyArray<string>): string {
  return `${tokens.length} ${tokens.slice(0, 16).find(isWord) ?? ""}`;
}

function isWord(token: string): boolean {
  return token !== variable && /[\p{L}_]/u.test(token);
}

/** The share of words that agree; what varies already agrees with everything. Differences in what stands
 *  between words count as much as those of words. */
function similarityOf(pattern: ReadonlyArray<string>, tokens: ReadonlyArray<string>): number {
  let [same, all] = [0, 0];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]!;
    const known = pattern[at]!;
    if (known === token) {
      if (!isWord(token)) continue;
      same++;
    } else if (known === variable && isWord(token)) continue;
    all++;
  }
  return all === 0 ? 1 : same / all;
}

/** Neighbouring `<_>` become one, as `|>` wants it. */
function textOf(tokens: ReadonlyArray<string>): string {
  let text = "";
  let previous = "";
  for (const token of tokens) {
    if (token !== variable || previous !== variable) text += token;
    previous = token;
  }
  return text;
}

function addCounts(
  into: Map<string, Map<number, number>>,
  from: ReadonlyMap<string, ReadonlyMap<number, number>>,
): void {
  for (const [level, counts] of from) {
    let known = into.get(level);
    if (known === undefined) into.set(level, known = new Map());
    for (const [start, count] of counts) known.set(start, (known.get(start) ?? 0) + count);
  }
}
