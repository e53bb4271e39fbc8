/** A YAML file as plain values, with the place of each key. parseYaml.ts owns YAML; the schemas own meaning.
 *  Every scalar is given as text as it was written, so that `tenant_id: 007` stays what it is (the
 *  schema knows which texts are numbers), and a key without a value as undefined, which is its
 *  default as in Go. */
import { isMap, isScalar, isSeq } from "yaml";
import { depthMax, type ParsedYaml, parseYaml } from "./parseYaml.ts";
import { type ConfigPath, type ConfigProblem, formatPath } from "./problem.ts";

/** Line and column from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A mistake with its place: prints as `promtail.yaml:12:5: message`. */
export interface PlacedProblem extends Place {
  readonly message: string;
}

/** An alias may stand for much; this bounds how many values a file can grow to. */
const nodesMax = 200_000;

export class ConfigDocument {
  readonly #parsed: ParsedYaml;
  /** What YAML itself refuses. */
  readonly syntaxProblems: ReadonlyArray<PlacedProblem>;
  readonly value: unknown;

  constructor(text: string) {
    this.#parsed = parseYaml(text, { merge: true });
    const { document, problems } = this.#parsed;
    this.syntaxProblems = problems;
    if (problems.length > 0) return;
    try {
      this.value = this.#plain(document.contents, { nodes: 0 }, 0);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.syntaxProblems = [{ ...this.#place(error.offset), message: error.message }];
    }
  }

  /** Where the key of `path` stands, or the nearest key above that exists. */
  placeOf(path: ConfigPath): Place {
    let node: unknown = this.#parsed.document.contents;
    let offset = rangeStart(node);
    for (const key of path) {
      const container = this.#parsed.resolve(node);
      if (isMap(container)) {
        const pair = container.items.find((item) => keyText(item.key) === String(key));
        if (pair === undefined) break;
        offset = rangeStart(pair.key) ?? offset;
        node = pair.value;
      } else if (isSeq(container)) {
        node = container.items[Number(key)];
        offset = rangeStart(node) ?? offset;
      } else break;
    }
    return this.#place(offset ?? 0);
  }

  /** The problem with its place and its path in front of the message. */
  placed({ path, message }: ConfigProblem): PlacedProblem {
    return { ...this.placeOf(path), message: `${formatPath(path)}: ${message}` };
  }

  #place(offset: number): Place {
    const { line, col } = this.#parsed.lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }

  #plain(given: unknown, budget: { nodes: number }, depth: number): unknown {
    if (++budget.nodes > nodesMax) {
      const message = `the file has more than ${nodesMax} values, aliases counted each time`;
      throw new Refused(message, rangeStart(given) ?? 0);
    }
    if (depth > 2 * depthMax) {
      throw new Refused(`aliases nest deeper than ${2 * depthMax} levels`, rangeStart(given) ?? 0);
    }
    const node = this.#parsed.resolve(given);
    if (isScalar(node)) {
      if (node.value === null) return undefined;
      return typeof node.value === "string" ? node.value : node.source ?? String(node.value);
    }
    if (isSeq(node)) return node.items.map((item) => this.#plain(item, budget, depth + 1));
    if (!isMap(node)) return undefined;
    const map: Record<string, unknown> = {};
    const merged: Record<string, unknown> = {};
    for (const { key, value } of node.items) {
      const name = keyText(key);
      const plain = this.#plain(value, budget, depth + 1);
      if (name === "<<") Object.assign(merged, ...mergedMaps(plain, rangeStart(key) ?? 0));
      else Object.defineProperty(map, name, { value: plain, enumerable: true, writable: true });
    }
    return { ...merged, ...map };
  }
}

/** The maps that `<<` stands for, one or a list of them, those first whose keys others win over: the first of the list wins. A
 *  text would count as the map of its characters. */
function mergedMaps(value: unknown, offset: number): ReadonlyArray<object> {
  const maps: ReadonlyArray<unknown> = Array.isArray(value) ? value : [value];
  if (maps.every((map) => typeof map === "object" && map !== null && !Array.isArray(map))) {
    return (maps as ReadonlyArray<object>).toReversed();
  }
  throw new Refused("<< takes a map, an alias of one, or a list of them", offset);
}

/** A file that would grow too large, or that YAML gives no meaning. */
class Refused extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

function keyText(key: unknown): string {
  if (!isScalar(key)) return String(key);
  return typeof key.value === "string" ? key.value : key.source ?? String(key.value);
}

function rangeStart(node: unknown): number | undefined {
  return (node as { range?: readonly [number, number, number] | null } | null)?.range?.[0];
}
